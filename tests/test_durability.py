"""Whatever is killed, cut or frozen under traffic: nothing counts twice, and what is missing is accounted for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.collecting import collecting, eventually
from tests.durability import (
    CollectProcess,
    all_is_compared,
    measured_loss,
    quiet,
    read_books,
    read_from_process,
    told_gaps,
    wait_for_news,
)
from tests.fake_cpa import FakeCPA
from tests.fake_cpa.process import FakeProcess
from tests.test_gaps import Reader, emit
from tests.traffic import OPENROUTER, fake_cpa, read_from
from usage.collection.intake import Intake
from usage.models import CollectionGap, Instance, QuarantinedPayload, Reconciliation, UsageRecord

Cause, Mode, State, Way = CollectionGap.Cause, Instance.Mode, Instance.State, Instance.Way

pytestmark = pytest.mark.django_db(transaction=True)

BOTH_MODES = pytest.mark.parametrize("mode", [Mode.QUEUE, Mode.SUBSCRIBE])
_RATE = 300


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--durability-kills"))


@BOTH_MODES
def test_kill_9_of_the_collector_at_random_moments(mode: str, kills: int, tmp_path: Path) -> None:
    moments = Random()
    with FakeProcess(tmp_path, rate=_RATE, history=400, days=0.01) as fake:
        read_from_process(fake, mode)
        fake.pause()
        with CollectProcess(tmp_path / "one", POLL_SECONDS=0.05) as collector:
            eventually(all_is_compared)
            for _ in range(kills):
                fake.go_on()
                wait_for_news(fake)
                time.sleep(moments.uniform(0, 1))
                collector.kill()
                if moments.random() < 0.2:
                    _kill_while_it_starts(collector, moments)
                # Under traffic a loss is measured too low by what comes in meanwhile, until the next comparison.
                quiet(fake)
                _compare_once_more(collector)
            collector.stop()
        books = read_books(fake)
    print(  # shown by -rP
        f"{mode}: {kills} kills, {len(books.emitted)} emitted, {sum(books.booked.values())} booked, "
        f"{len(books.missing)} missing ({len(books.missing_listed)} counted by the server), "
        f"{CollectionGap.objects.count()} gaps of {measured_loss()} records"
    )
    books.assert_exact()
    books.assert_quarantine_explained()
    assert collector.spooled() == []
    assert set(books.missing) <= set(books.handed_out)
    books.assert_spanned(books.missing_listed)
    assert measured_loss() == len(books.missing_listed)
    assert set(CollectionGap.objects.values_list("cause", flat=True)) <= {Cause.KILLED}


def test_two_collectors_that_both_subscribe_lose_nothing(kills: int, tmp_path: Path) -> None:
    moments = Random()
    pair = [CollectProcess(tmp_path / name, STANDBY_SUBSCRIBES="true") for name in ("one", "two")]
    with FakeProcess(tmp_path, rate=_RATE, history=400, days=0.01) as fake:
        read_from_process(fake, Mode.SUBSCRIBE)
        fake.pause()
        with pair[0], pair[1]:
            eventually(all_is_compared)
            fake.go_on()
            for collector in pair:
                _wait_until_it_listens(collector)
            for _ in range(kills // 2):
                time.sleep(moments.uniform(0, 1))
                victim = moments.choice(pair)
                victim.kill()
                victim.start()
                _wait_until_it_listens(victim)
            quiet(fake)
            for collector in pair:
                collector.stop()
        books = read_books(fake)
    gaps = told_gaps()
    print(f"{kills // 2} kills, {len(books.emitted)} emitted, {sum(books.booked.values())} booked, gaps {gaps}")
    books.assert_exact()
    assert books.missing == []
    assert gaps == []
    assert QuarantinedPayload.objects.count() == 0


@BOTH_MODES
def test_a_collector_that_is_told_to_stop_loses_nothing(mode: str, kills: int, tmp_path: Path) -> None:
    """But for what the server had not sent yet: it forgets that when a subscriber leaves, and its counters tell."""
    moments = Random()
    with FakeProcess(tmp_path, rate=_RATE, history=400, days=0.01) as fake:
        fake.pause()
        read_from_process(fake, mode)
        with CollectProcess(tmp_path / "one", POLL_SECONDS=0.05) as collector:
            eventually(all_is_compared)
            fake.go_on()
            for _ in range(kills // 2 if mode == Mode.SUBSCRIBE else 1):
                wait_for_news(fake)
                time.sleep(moments.uniform(0, 0.5))
                collector.stop()
                assert collector.spooled() == [], "it books what it has before it goes"
                collector.start()
            quiet(fake)
            collector.stop()
            _compare_once_more(collector)
            collector.stop()
        books = read_books(fake)
    (run,) = books.runs
    books.assert_exact()
    assert set(books.missing) <= set(run.undelivered)
    assert measured_loss() == len(books.missing_listed)
    assert QuarantinedPayload.objects.count() == 0


def test_what_the_server_forgets_when_we_leave_is_a_gap() -> None:
    with _server() as cpa:
        instance = read_from(cpa, Mode.SUBSCRIBE)
        with collecting():
            eventually(all_is_compared)
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
            left = time.time()
            cpa.stall_subscribers()
            emit(cpa, 6)
        cpa.resume_subscribers()
        eventually(lambda: cpa.subscribers == 0)
        emit(cpa, 3)
        with collecting():
            eventually(CollectionGap.objects.exists)
    gap = CollectionGap.objects.get()
    assert (gap.lost, gap.is_measured) == (6, True)
    assert gap.since.timestamp() <= left <= gap.until.timestamp()
    assert UsageRecord.objects.count() == 13


@BOTH_MODES
def test_counters_that_are_read_under_traffic_prove_no_loss_where_there_is_none(
    mode: str, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.POLL_SECONDS = 0.1
    monkeypatch.setattr("usage.collection.intake._RECKONING_SECONDS", 0.1)
    with FakeProcess(tmp_path, rate=1000, history=400, days=0.01) as fake:
        fake.pause()
        read_from_process(fake, mode)
        with collecting():
            eventually(all_is_compared)
            fake.go_on()
            time.sleep(3)
            quiet(fake)
            now = time.time()
            eventually(lambda: all(row.checked_at.timestamp() > now for row in Reconciliation.objects.all()))
        books = read_books(fake)
    books.assert_exact()
    assert books.missing == []
    assert told_gaps() == []
    assert [
        (row.missing, row.unrecorded) for row in Reconciliation.objects.all() if row.missing or row.unrecorded
    ] == []


def test_a_death_is_suspected_until_the_suspicion_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with _server() as cpa:
        reader = Reader(cpa)
        since = time.time()
        emit(cpa, 6)
        _die_with_an_answer_on_its_way(reader, cpa)
        with monkeypatch.context() as patch:
            patch.setattr(Intake, "reckoning_is_due", lambda _: False)
            Reader(cpa).die()
        Reader(cpa).die()
    gap = CollectionGap.objects.get()
    assert (gap.cause, gap.lost) == (Cause.KILLED, 6)
    assert gap.since.timestamp() <= since + 0.01


def test_two_deaths_since_the_last_reading_are_one_gap_of_both_losses() -> None:
    with _server() as cpa:
        reader = Reader(cpa)
        for records in (6, 4):
            emit(cpa, records)
            _die_with_an_answer_on_its_way(reader, cpa)
            reader = Reader(cpa)
        until = time.time()
        reader.die()
    gap = CollectionGap.objects.get()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.KILLED, 10, True)
    assert abs(gap.until.timestamp() - until) < 3


def test_what_was_on_its_way_to_a_dead_collector_elsewhere_is_missed(settings: Any, tmp_path: Path) -> None:
    """Its spool is not ours: that it read, and until when, the database tells."""
    with _server() as cpa:
        reader = Reader(cpa)
        emit(cpa, 6)
        _die_with_an_answer_on_its_way(reader, cpa)
        settings.SPOOL_DIR = tmp_path / "elsewhere"
        Reader(cpa).die()
    gap = CollectionGap.objects.get()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.ANSWER_LOST, 6, True)


@contextmanager
def _server() -> Iterator[FakeCPA]:
    """A server with one login and one key, which were used."""
    with fake_cpa() as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat("OpenRouter", "https://openrouter.example/api/v1", OPENROUTER[0])
        emit(cpa, 10)
        yield cpa


def _die_with_an_answer_on_its_way(reader: Reader, cpa: FakeCPA) -> None:
    reader.die()
    cpa.pop(100)


def _kill_while_it_starts(collector: CollectProcess, moments: Random) -> None:
    collector.start()
    time.sleep(moments.uniform(0, 1))
    collector.kill()


def _wait_until_it_listens(collector: CollectProcess) -> None:
    eventually(lambda: collector.spooled(f"-{collector.pid}.messages") != [], 60)


def _compare_once_more(collector: CollectProcess) -> None:
    """A collector compares all counters when it starts."""
    started = time.time()
    collector.start()
    eventually(lambda: _are_compared_since(started))


def _are_compared_since(moment: float) -> bool:
    return all(row.checked_at.timestamp() > moment for row in Reconciliation.objects.all())
