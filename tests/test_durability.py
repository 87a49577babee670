"""Whatever is killed, cut or frozen under traffic: nothing counts twice, and what is missing is accounted for."""

from __future__ import annotations

import time
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
    wait_for_news,
)
from tests.fake_cpa.process import FakeProcess
from tests.test_gaps import Reader, emit
from tests.traffic import OPENROUTER, fake_cpa
from usage.collection.intake import Intake
from usage.models import CollectionGap, Instance, Reconciliation

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
            fake.go_on()
            for _ in range(kills):
                _wait_for_a_random_moment(fake, moments)
                collector.kill()
                collector.start()
            wait_for_news(fake)
            quiet(fake)
            collector.kill()
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
            time.sleep(6)
            quiet(fake)
            now = time.time()
            eventually(lambda: all(row.checked_at.timestamp() > now for row in Reconciliation.objects.all()))
        books = read_books(fake)
    books.assert_exact()
    assert books.missing == []
    assert CollectionGap.objects.count() == 0
    assert [
        (row.missing, row.unrecorded) for row in Reconciliation.objects.all() if row.missing or row.unrecorded
    ] == []


def test_a_death_is_suspected_until_the_suspicion_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cpa() as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat("OpenRouter", "https://openrouter.example/api/v1", OPENROUTER[0])
        emit(cpa, 10)
        reader = Reader(cpa)
        since = time.time()
        emit(cpa, 6)
        reader.die()
        cpa.pop(100)  # on their way to us when we died
        with monkeypatch.context() as patch:
            patch.setattr(Intake, "reckon_if_due", lambda *_: None)
            Reader(cpa).die()
        Reader(cpa).die()
    gap = CollectionGap.objects.get()
    assert (gap.cause, gap.lost) == (Cause.KILLED, 6)
    assert gap.since.timestamp() <= since + 0.01


def _wait_for_a_random_moment(fake: FakeProcess, moments: Random) -> None:
    """Mostly while it reads, now and then while it starts."""
    if moments.random() < 0.2:
        time.sleep(moments.uniform(0, 1.5))
    else:
        wait_for_news(fake)
        time.sleep(moments.uniform(0, 1))


def _compare_once_more(collector: CollectProcess) -> None:
    """A collector that was killed compares all counters at the next start."""
    started = time.time()
    collector.start()
    eventually(lambda: all(row.checked_at.timestamp() > started for row in Reconciliation.objects.all()))
