"""The fake in its own process: killed at any moment, it leaves a journal that accounts for every record."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.fake_cpa.journal import JournalBookkeeping, Run, read_journal
from tests.fake_cpa.process import FakeProcess
from tests.test_fake_cpa import KEY
from tests.test_fake_cpa_resp import command


def get(fake: FakeProcess, path: str) -> Any:
    return json.loads(read(fake, path))


def read(fake: FakeProcess, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=20)
    try:
        connection.request("GET", f"/v0/management{path}", headers={"X-Management-Key": KEY})
        return connection.getresponse().read()
    finally:
        connection.close()


def subscribe(fake: FakeProcess) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", fake.port), timeout=20)
    connection.sendall(command("AUTH", KEY) + command("SUBSCRIBE", "usage"))
    return connection


def received(connection: socket.socket, at_least: int) -> bytes:
    """Read until so many records have come."""
    content = b""
    while content.count(b'"timestamp"') < at_least:
        piece = connection.recv(1 << 20)
        assert piece, "the fake hung up"
        content += piece
    return content


def rest(connection: socket.socket) -> bytes:
    """What still comes after a kill."""
    pieces = []
    try:
        while piece := connection.recv(1 << 20):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def payloads(stream: bytes) -> Iterator[bytes]:
    """The whole records in what a subscriber read."""
    for line in stream.split(b"\r\n"):
        if line.startswith(b'{"timestamp"') and line.endswith(b"}"):
            yield line


def counted(fake: FakeProcess) -> int:
    """How many attempts the fake's own counters tell."""
    files = get(fake, "/auth-files")["files"]
    keys = [entry for provider in get(fake, "/api-key-usage").values() for entry in provider.values()]
    return sum(entry["success"] + entry["failed"] for entry in files + keys)


def listed(run: Run) -> list[bytes]:
    """What the counters know of: one of the demo's keys is in no list any more."""
    return [record for record in run.emitted if b"removed-relay" not in record]


def test_a_killed_fake_has_written_down_what_it_handed_out(tmp_path: Path) -> None:
    with FakeProcess(tmp_path, rate=2000) as fake:
        got: list[bytes] = []
        for _ in range(3):
            with subscribe(fake) as connection:
                stream = received(connection, 300)
                fake.kill()
                got += payloads(stream + rest(connection))
            fake.start()
        fake.kill()
        runs = fake.runs
    assert len(runs) == 4
    handed_out = Counter(record for run in runs for record in run.handed_out)
    in_doubt = Counter(record for run in runs for record in run.in_doubt)
    assert not Counter(got) - handed_out
    assert not handed_out - Counter(got) - in_doubt
    assert not handed_out - Counter(record for run in runs for record in run.emitted)
    assert all(count == 1 for count in handed_out.values())


def test_popped_records_and_those_left_in_memory(tmp_path: Path) -> None:
    with FakeProcess(tmp_path, rate=1000, burst=50, retention=60) as fake:
        popped: list[Any] = []
        while len(popped) < 200:
            popped += get(fake, "/usage-queue?count=7")
        fake.stop()
        (run,) = fake.runs
    assert [json.loads(record) for record in run.handed_out] == popped
    assert Counter(run.written + run.in_doubt) == Counter(run.handed_out)
    assert len(run.in_doubt) <= 7, "only the last answer can be"
    assert run.emitted == run.handed_out + run.never_handed_out
    assert len(run.emitted) % 50 == 0


def test_the_counters_are_those_of_the_traffic_and_forgotten_by_a_restart(tmp_path: Path) -> None:
    with FakeProcess(tmp_path, history=500, days=0.01) as fake:
        base_url = fake.base_url
        assert counted(fake) == len(listed(fake.runs[0]))
        fake.restart()
        assert fake.base_url == base_url
        assert counted(fake) == len(listed(fake.runs[1]))
        assert len(fake.runs[1].emitted) == 500


def test_steady_traffic_is_steady(tmp_path: Path) -> None:
    with FakeProcess(tmp_path, rate=5000) as fake, subscribe(fake) as connection:
        received(connection, 200)
        started = time.monotonic()
        received(connection, 10_000)
        assert 1.5 < time.monotonic() - started < 20
        fake.kill()
        (run,) = fake.runs
    assert not run.undelivered
    stamps = [json.loads(record)["timestamp"] for record in run.emitted]
    late = sum(earlier > later for earlier, later in pairwise(stamps))
    assert late < len(stamps) / 10, "a retry starts later than it is emitted, the rest is in order"


def test_a_frozen_fake_accepts_and_says_nothing(tmp_path: Path) -> None:
    with FakeProcess(tmp_path, history=10) as fake:
        fake.freeze()
        with socket.create_connection(("127.0.0.1", fake.port), timeout=0.2) as connection:
            connection.sendall(command("AUTH", KEY))
            with pytest.raises(TimeoutError):
                connection.recv(1)
            fake.thaw()
            connection.settimeout(20)
            assert connection.recv(5) == b"+OK\r\n"


def test_half_a_line_of_a_killed_fake_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    JournalBookkeeping(path, keep=None).note_emitted(b'{"a":1}')
    with path.open("ab") as file:
        file.write(b'emitted {"a":2')
    books = JournalBookkeeping(path, keep=None)
    books.note_emitted(b'{"a":3}')
    books.note_lost([b'{"a":3}'])
    assert read_journal(path) == [Run(emitted=[b'{"a":1}']), Run(emitted=[b'{"a":3}'], lost=[b'{"a":3}'])]
