"""Invariant 1: replay, overlap, two at once, a crash anywhere: the same totals."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from django.db import connection

from tests.conftest import process_environment
from tests.factories import Lists, record
from tests.fake_cpa import FakeCPA, Tokens
from tests.traffic import expected_of, fake_cpa, read_from, send_traffic, shown
from usage.collection import sync_instance
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.collection.polling import POP_COUNT
from usage.ingest import rollup
from usage.ingest.ledger import Ledger
from usage.ingest.spool import Kind, Spool
from usage.models import Instance, UsageRecord
from usage.upstream.names import fetch_names


@pytest.mark.django_db
@pytest.mark.parametrize("profile", ["6.9.49", "7.2.140"])
def test_sync_twice_books_once(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa)
        sync_instance(instance)
        again = sync_instance(instance)
    assert again.counts.new == 0
    assert shown() == expected


@pytest.mark.django_db
def test_overlapping_snapshots_add_only_what_is_new() -> None:
    with fake_cpa("6.9.49") as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        instance = read_from(cpa)
        sent = []
        for batch in (3, 0, 4, 1):
            sent += [
                ("codex", "dave@example.com", cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=5)))
                for _ in range(batch)
            ]
            outcome = sync_instance(instance)
            assert (outcome.counts.new, outcome.counts.read) == (batch, len(sent))
    assert shown() == expected_of(sent)


@pytest.mark.django_db
def test_two_equal_details_of_one_snapshot_stay_two() -> None:
    with fake_cpa("6.9.49") as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        instance = read_from(cpa)
        for _ in range(2):
            cpa.emit(dave, "gpt-5.4", when=1_790_000_000_000_000_000, tokens=Tokens(uncached=5))
        sync_instance(instance)
        sync_instance(instance)
    assert UsageRecord.objects.count() == 2


@pytest.mark.django_db
def test_two_legal_records_of_one_instant_and_request_stay_two() -> None:
    with fake_cpa() as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.emit_image(cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=5)), Tokens(uncached=60, output=1056))
        sync_instance(read_from(cpa))
    records = UsageRecord.objects.values_list("requested_at", "request_id")
    assert len(records) == 2
    assert len(set(records)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("profile", ["6.9.49", "7.2.140"])
def test_two_syncs_at_once_book_once(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        expected = send_traffic(cpa)
        dave = cpa.credentials.files[1]
        expected["codex", "dave@example.com"][0] += 3000
        for _ in range(3000):
            cpa.emit(dave, "gpt-5.4")
        instance = read_from(cpa)
        errors = _at_once(4, lambda: sync_instance(Instance.objects.get(pk=instance.pk)).error)
    assert errors == [""] * 4
    assert shown() == expected
    assert rollup.differences() == []


@pytest.mark.django_db
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_records_follow_the_names_that_another_booked_just_now(instance: Instance, when: str) -> None:
    """Two book one spool: what the names before a record say of its tokens holds, whoever has booked them."""
    spool, ours, theirs = Spool(instance.pk), Booker(Board()), Booker(Board())
    spool.keep(Kind.QUEUE, b"[" + record(request_id="first") + b"]")
    ours.book(instance.pk)
    entry = {
        "name": "claude",
        "base-url": "https://gate.example/v1",
        "api-key-entries": [{"api-key": "sk-FAKE-gate", "auth-index": "gate"}],
    }
    listing = fetch_names(Lists(openai_compatibility={"openai-compatibility": [entry]}))  # type: ignore[arg-type]
    spool.keep(Kind.NAMES, msgspec.json.encode(listing))
    names = spool.names()
    tokens = {"input_tokens": 100, "cached_tokens": 40, "total_tokens": 100}
    spool.keep(
        Kind.QUEUE, b"[" + record(request_id="second", provider="claude", auth_index="gate", tokens=tokens) + b"]"
    )
    listed = spool.names()
    _desk(theirs, instance).book(names)
    if when == "before":
        ours.book(instance.pk)
    else:
        _desk(ours, instance, at_once=False).book(listed)
    row = UsageRecord.objects.get(request_id="second")
    assert (row.uncached_input, row.cache_read) == (60, 40)


@pytest.mark.django_db
def test_names_that_another_is_at_are_waited_for(instance: Instance) -> None:
    spool, booker = Spool(instance.pk), Booker(Board())
    spool.keep(Kind.NAMES, b"[]")
    (names,) = spool.names()
    spool.keep(Kind.QUEUE, b"[" + record() + b"]")
    with spool.hold(spool.folder / names):
        assert booker.book(instance.pk).read == 0
    assert booker.book(instance.pk).new == 1


def _desk(booker: Booker, instance: Instance, *, at_once: bool = True) -> Any:
    """Return the desk as it is, or as it is after a look at the names."""
    return booker._desk(instance.pk) if at_once else booker._desks[instance.pk]


def _at_once(count: int, work: Any) -> list[Any]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class _Killed(BaseException):
    """Stands for the death of the process at the point where it is raised."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["before booking", "after booking"])
def test_what_was_taken_survives_a_death(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before: only the spool has it. After: spool and ledger both have it."""
    with fake_cpa() as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa)
        book = Ledger.book

        def die(self: Ledger, *batch: Any) -> Any:
            if point == "after booking":
                book(self, *batch)
            raise _Killed

        monkeypatch.setattr(Ledger, "book", die)
        with pytest.raises(_Killed):
            sync_instance(instance)
        monkeypatch.undo()
        assert cpa.queue.pop(1) == []  # nothing is left upstream
        outcome = sync_instance(instance)
    assert outcome.error == ""
    assert shown() == expected
    assert list(Spool(instance.pk).waiting()) == []


@pytest.mark.django_db(transaction=True)
def test_kill_9_of_the_command_at_any_moment_doubles_nothing_and_keeps_what_arrived(tmp_path: Path) -> None:
    kills, per_round = 5, 3 * POP_COUNT
    moments = Random(7)
    with fake_cpa() as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        instance = read_from(cpa)
        for _ in range(kills):
            for _ in range(per_round):
                cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=1))
            _kill_a_sync(cpa, tmp_path, after_first_pop=moments.uniform(0, 0.25))
        assert sync_instance(instance).error == ""
        handed_out = cpa.handed_out
    assert len(handed_out) == kills * per_round
    booked = UsageRecord.objects.count()
    # Nothing can save an answer that was on its way when we died: one a kill at most.
    assert len(handed_out) - kills * POP_COUNT <= booked <= len(handed_out)
    assert shown()["codex", "dave@example.com"][:2] == [booked, booked]
    assert list(Spool(instance.pk).waiting()) == []
    assert rollup.differences() == []


def _kill_a_sync(cpa: FakeCPA, data_dir: Path, after_first_pop: float) -> None:
    before = len(cpa.handed_out)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sync", "--skip-checks"],
        env=process_environment(data_dir),
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while len(cpa.handed_out) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(after_first_pop)
    process.kill()
    process.wait()
    assert len(cpa.handed_out) > before, "the command never came to its first pop"
