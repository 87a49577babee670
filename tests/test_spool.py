"""What arrived is on disk whatever happens to its writer, and is booked by one reader only."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from usage.ingest.spool import Capture, Kind, Spool

_WRITER = """
import sys, time
from pathlib import Path
from django.conf import settings
settings.configure(SPOOL_DIR=Path(sys.argv[1]))
from usage.ingest.spool import Spool
with Spool(1).receive("queue") as receiver:
    if len(sys.argv) > 2:
        receiver.write([sys.argv[2].encode()[:3], sys.argv[2].encode()[3:]])
        receiver.make_durable()
    print("ready", flush=True)
    time.sleep(60)
"""
_READER = """
import sys, time
from pathlib import Path
from django.conf import settings
settings.configure(SPOOL_DIR=Path(sys.argv[1]))
from usage.ingest.spool import Spool
print("ready", flush=True)
sys.stdin.readline()
for capture in Spool(1).waiting():
    text = capture.path.read_text()
    time.sleep(0.002)
    capture.discard()
    print(text, flush=True)
"""


@pytest.fixture
def spool(settings: Any) -> Spool:
    return Spool(1)


def capture(spool: Spool, *chunks: bytes, kind: str = "queue") -> Capture:
    with spool.receive(kind) as receiver:
        receiver.write(chunks)
    return receiver.capture


@contextmanager
def process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `script` until the block ends; the block begins when it has said `ready`."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def files(settings: Any) -> list[Path]:
    return sorted((settings.SPOOL_DIR / "1").iterdir())


def test_captures_wait_in_the_order_of_their_arrival_until_they_are_discarded(spool: Spool) -> None:
    before = time.time_ns() // 1_000
    made = [capture(spool, b"[1", b",2]"), capture(spool, b"{}", kind="legacy"), capture(spool, b"[3]")]
    found = list(spool.waiting())
    assert found == made
    assert [one.kind for one in found] == ["queue", "legacy", "queue"]
    assert [one.path.read_bytes() for one in found] == [b"[1,2]", b"{}", b"[3]"]
    assert before <= found[0].received_at <= found[1].received_at <= time.time_ns() // 1_000
    found[1].discard()
    found[1].discard()
    assert list(spool.waiting()) == [made[0], made[2]]


def test_captures_are_for_their_owner_only(spool: Spool, settings: Any) -> None:
    made = capture(spool, b"[1]")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_servers_have_spools_of_their_own(spool: Spool) -> None:
    capture(spool, b"[1]")
    assert list(Spool(2).waiting()) == []


def test_capture_is_on_disk_before_anything_is_asked_of_a_server(spool: Spool, settings: Any) -> None:
    with spool.receive("queue") as receiver:
        assert files(settings) == [receiver.capture.path]
    assert files(settings) == []


def test_answer_that_breaks_off_keeps_what_arrived(spool: Spool) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"[1,"
        raise ConnectionError

    with pytest.raises(ConnectionError), spool.receive("queue") as receiver:
        receiver.write(breaking())
    assert [one.path.read_bytes() for one in spool.waiting()] == [b"[1,"]


def test_nobody_reads_what_is_being_written(spool: Spool) -> None:
    with spool.receive("queue") as receiver:
        receiver.write([b"[1"])
        assert list(spool.waiting()) == []
        receiver.write([b",2]"])
    assert [one.path.read_bytes() for one in spool.waiting()] == [b"[1,2]"]


def test_reader_holds_a_capture_until_it_takes_the_next(spool: Spool) -> None:
    first, second = capture(spool, b"[1]"), capture(spool, b"[2]")
    one, other = spool.waiting(), spool.waiting()
    assert next(one) == first
    assert next(other) == second
    assert list(spool.waiting()) == []
    one.close()  # type: ignore[attr-defined]
    assert list(spool.waiting()) == [first]
    other.close()  # type: ignore[attr-defined]


def test_capture_that_was_booked_meanwhile_is_not_yielded_again(spool: Spool) -> None:
    first, second = capture(spool, b"[1]"), capture(spool, b"[2]")
    reader = spool.waiting()
    assert next(reader) == first
    second.discard()
    assert list(reader) == []


def test_empty_file_that_its_writer_left_is_removed(spool: Spool, settings: Any) -> None:
    with process(_WRITER, str(settings.SPOOL_DIR)) as writer:
        assert len(files(settings)) == 1
        assert list(spool.waiting()) == []
        assert len(files(settings)) == 1, "its writer lives"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert list(spool.waiting()) == []
    assert files(settings) == []


def test_killed_writer_leaves_what_it_had_written(spool: Spool, settings: Any) -> None:
    with process(_WRITER, str(settings.SPOOL_DIR), '[{"a": 1}, {"b"') as writer:
        assert list(spool.waiting()) == [], "its writer lives"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    (left,) = spool.waiting()
    assert left.path.read_bytes() == b'[{"a": 1}, {"b"'
    assert left.kind == "queue"


def test_two_processes_never_get_the_same_capture(spool: Spool, settings: Any) -> None:
    for number in range(200):
        capture(spool, b"%d" % number)
    with process(_READER, str(settings.SPOOL_DIR)) as one, process(_READER, str(settings.SPOOL_DIR)) as other:
        for reader in (one, other):
            assert reader.stdin is not None
            reader.stdin.write("go\n")
            reader.stdin.flush()
        found = [reader.communicate(timeout=30)[0].split() for reader in (one, other)]
    assert sorted(map(int, found[0] + found[1])) == list(range(200))
    assert all(found), "both had their share, else this shows nothing"


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Let threads take turns as often as they can, so that one stops between any two calls of another."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_writers_and_readers_at_once_lose_nothing_and_get_nothing_twice(spool: Spool, restless_threads: None) -> None:
    """A reader may take a new, still empty file for an abandoned one, or lock one that was booked since it looked."""
    barrier, written = Barrier(4), Event()

    def write(name: int) -> None:
        barrier.wait()
        for number in range(300):
            capture(spool, b"%d-%d" % (name, number))

    def read() -> list[bytes]:
        barrier.wait()
        found = []
        while True:
            is_last = written.is_set()
            for one in spool.waiting():
                found.append(one.path.read_bytes())
                one.discard()
            if is_last:
                return found

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, name) for name in range(2)]
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for writer in writers:
                writer.result(timeout=60)
        finally:
            written.set()
        found = [text for reader in readers for text in reader.result(timeout=60)]
    assert sorted(found) == sorted(b"%d-%d" % (name, number) for name in range(2) for number in range(300))
    assert list(spool.waiting()) == []


def test_disk_that_refuses_us_is_met_before_the_server_is_asked(settings: Any, spool: Spool) -> None:
    folder = settings.SPOOL_DIR / "1"
    folder.rmdir()
    folder.write_bytes(b"")  # as root, a folder without rights would still take it
    with pytest.raises(OSError), spool.receive("queue"):
        pytest.fail("the server would have been asked")
    folder.unlink()


def test_what_is_forgotten_leaves_nothing_to_book(spool: Spool) -> None:
    with spool.receive(Kind.QUEUE) as receiver:
        receiver.write([b"[]"])
        receiver.forget()
    assert spool.is_empty()
    assert spool.names() == []


def test_what_was_fetched_while_the_disk_was_full_is_kept_also_when_the_server_breaks_off(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, refusals = os.write, [OSError(errno.ENOSPC, "full")]

    def refuse_once(descriptor: int, data: bytes) -> int:
        if refusals:
            raise refusals.pop()
        return write(descriptor, data)

    def break_off() -> Iterator[bytes]:
        yield b"one "
        yield b"two"
        raise ConnectionResetError

    monkeypatch.setattr("usage.ingest.spool.os.write", refuse_once)
    with pytest.raises(ConnectionResetError), spool.receive(Kind.MESSAGES) as receiver:
        receiver.write(break_off())
    assert [(spool.folder / name).read_bytes() for name in spool.names()] == [b"one two"]
