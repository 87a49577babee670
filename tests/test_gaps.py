"""What is missing is found, named and sized; what only looked like a loss is none."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from tests.collecting import collecting, eventually
from tests.conftest import KEY
from tests.fake_cpa import FakeCPA, Tokens, faults
from tests.traffic import fake_cpa, read_from
from usage.collection import sync_instance
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.collection.gaps import judge
from usage.collection.intake import Intake
from usage.collection.polling import HttpQueue
from usage.collection.reckoning import Reckoning, Suspicion, moment
from usage.collection.taker import Taker
from usage.models import CollectionGap, CollectorEvent, Instance, Reconciliation, UsageRecord
from usage.upstream.client import ManagementClient
from usage.upstream.counters import fetch_counters

Cause, Mode, State = CollectionGap.Cause, Instance.Mode, Instance.State

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cpa() -> Any:
    with fake_cpa() as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat(
            "OpenRouter", "https://openrouter.example/api/v1", "sk-or-v1-FAKE-key-00000000000001"
        )
        yield cpa


def emit(cpa: FakeCPA, records: int) -> None:
    """One after the other through a login and a key, at the present time of the fake."""
    credentials = [cpa.credentials.files[0], cpa.credentials.compat[0].keys[0]]
    for number in range(records):
        cpa.emit(credentials[number % 2], "gpt-5.4", tokens=Tokens(uncached=number + 1))


class Reader:
    """A collector of one server, turn by turn."""

    def __init__(self, cpa: FakeCPA, mode: str = Mode.AUTO) -> None:
        self.instance = Instance.objects.first() or read_from(cpa, mode)
        self.board = Board()
        self.booker = Booker(self.board)
        self.taker = Taker(self.instance, self.board)
        self.taker.begin()
        self.turn()

    def turn(self) -> None:
        self.taker.turn()
        self.booker.book(self.instance.pk)
        self.board.flush()

    def turns_well(self) -> bool:
        self.turn()
        return not self.taker.error

    def reckon(self) -> None:
        self.taker._intake._reckoning.hurry()
        self.turn()

    def die(self) -> None:
        """As by kill -9: nothing is put in order, the kernel closes what was open."""
        presence = self.taker._site.witness._presence
        if presence._descriptor is not None:
            os.close(presence._descriptor)
            presence._descriptor = None
        self.taker._disconnect()


@pytest.fixture
def read(cpa: FakeCPA) -> Iterator[Callable[[], Reader]]:
    readers: list[Reader] = []

    def start() -> Reader:
        readers.append(Reader(cpa))
        return readers[-1]

    yield start
    for reader in readers:
        reader.die()


def the_gap() -> CollectionGap:
    return CollectionGap.objects.get()


def test_without_losses_there_are_no_gaps(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    for _ in range(5):
        emit(cpa, 20)
        reader.reckon()
    assert CollectionGap.objects.count() == 0
    assert [(row.counted, row.booked, row.missing, row.completeness) for row in Reconciliation.objects.all()] == [
        (50, 50, 0, 1.0),
        (50, 50, 0, 1.0),
    ]


def test_away_for_longer_than_the_server_keeps_records(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention 60 s, away 90 s: what came in the first 30 s is gone."""
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    left = time.time()
    emit(cpa, 7)
    _pass(monkeypatch, 40)
    emit(cpa, 5)
    _pass(monkeypatch, 50)
    reader.turn()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.AWAY, 7, True)
    assert abs(gap.since.timestamp() - left) < 2
    assert abs(gap.length.total_seconds() - 30) < 2
    assert UsageRecord.objects.count() == 15
    reader.reckon()
    assert the_gap() == gap
    assert sum(row.missing for row in Reconciliation.objects.all()) == 7


def _pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time pass, for the fake in our process and for us."""
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + round(seconds * 1e9))


def test_away_in_time_loses_nothing(cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    reader = read()
    emit(cpa, 10)
    _pass(monkeypatch, 50)
    reader.turn()
    assert CollectionGap.objects.count() == 0
    assert UsageRecord.objects.count() == 10


def test_a_server_without_traffic_has_no_gap_however_long_we_were_away(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(cpa, 10)
    reader = read()
    _pass(monkeypatch, 5000)
    reader.turn()
    assert CollectionGap.objects.count() == 0


def test_an_answer_that_was_lost_on_its_way(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    emit(cpa, 8)
    cpa.faults.next(faults.die_after_pop(), path="usage-queue?count=500")
    reader.turn()
    assert reader.instance.state == State.UNREACHABLE
    reader.turn()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.ANSWER_LOST, 8, True)


def test_the_rush_after_an_outage_does_not_hide_what_was_lost_in_it(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients come back all at once: more arrives between the counters and the comparison than was lost."""
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    emit(cpa, 8)
    cpa.faults.next(faults.die_after_pop(), path="usage-queue?count=500")
    reader.turn()
    arrivals = iter([50, 20])

    def rush(queue: HttpQueue) -> float:
        emit(cpa, next(arrivals))
        return 0.0

    monkeypatch.setattr(HttpQueue, "longest_lag_seconds", property(rush))
    reader.turn()
    assert CollectionGap.objects.count() == 0
    reader.reckon()
    assert (the_gap().cause, the_gap().lost) == (Cause.ANSWER_LOST, 8)
    assert sum(row.missing for row in Reconciliation.objects.all()) == 8
    assert sum(row.unrecorded for row in Reconciliation.objects.all()) == 0


@pytest.mark.parametrize("after", [0, 1, 900, 2500])
def test_of_an_answer_that_was_cut_the_rest_is_missing(cpa: FakeCPA, read: Callable[[], Reader], after: int) -> None:
    reader = read()
    emit(cpa, 8)
    cpa.faults.next(faults.cut_body(after), path="usage-queue?count=500")
    reader.turn()
    reader.turn()
    gap = the_gap()
    assert gap.cause == Cause.ANSWER_LOST
    assert gap.lost == 8 - UsageRecord.objects.count() > 0


def test_an_error_after_which_nothing_is_missing_is_no_gap(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 8)
    cpa.faults.next(faults.hang(0.1), path="usage-queue?count=500")
    cpa.faults.next(faults.html_page(502), path="usage-queue?count=500")
    for _ in range(3):
        reader.turn()
    assert UsageRecord.objects.count() == 8
    assert CollectionGap.objects.count() == 0


def test_a_restart_takes_along_what_was_queued(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    start = time.time_ns() - 600 * 10**9
    for number in range(3000):  # five a second for ten minutes
        cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=start + number * 2 * 10**8)
    reader.reckon()
    since = time.time()
    emit(cpa, 15)
    time.sleep(1.5)
    cpa.restart()
    restarted = time.time()
    emit(cpa, 4)
    reader.turn()
    reader.reckon()
    gap = the_gap()
    assert gap.cause == Cause.RESTARTED
    assert not gap.is_measured
    # As many as came before in such a time, less the four that we have of it.
    assert gap.lost is not None
    assert abs(gap.lost - (5 * gap.length.total_seconds() - 4)) <= 2
    assert since - 30 < gap.since.timestamp() <= since
    assert since < gap.until.timestamp() <= restarted + 30
    assert UsageRecord.objects.count() == 3004
    assert CollectorEvent.objects.filter(message="CPA was restarted").exists()


def test_the_loss_of_a_restart_is_estimated_by_the_rate_before(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    start = time.time_ns() - 600 * 10**9
    for number in range(1200):  # two a second for ten minutes
        cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=start + number * 5 * 10**8)
    reader = read()
    time.sleep(3)
    emit(cpa, 6)
    cpa.restart()
    reader.reckon()
    assert (the_gap().cause, the_gap().is_measured) == (Cause.RESTARTED, False)
    assert abs(the_gap().lost - 2 * the_gap().length.total_seconds()) <= 2


@pytest.mark.parametrize("is_restarted", [True, False])
def test_a_restart_while_nobody_read_takes_along_what_came_since(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    """Seen on real servers: both are stopped in good order, as when their machine is started anew."""
    _steady(cpa, 5)
    reader = read()
    reader.reckon()
    _pass(monkeypatch, 20)
    _steady(cpa, 5, seconds=20)
    reader.turn()
    left = time.time()
    reader.taker.end()
    _pass(monkeypatch, 20)
    if is_restarted:
        cpa.restart()
    emit(cpa, 4)
    read()
    assert CollectorEvent.objects.filter(message="CPA was restarted").exists() == is_restarted
    if is_restarted:
        gap = the_gap()
        assert (gap.cause, gap.is_measured) == (Cause.RESTARTED, False)
        assert abs(gap.since.timestamp() - left) < 2
        assert abs(gap.length.total_seconds() - 20) < 2
        assert abs(gap.lost - (5 * gap.length.total_seconds() - 4)) <= 4
    else:
        assert CollectionGap.objects.count() == 0


def _steady(cpa: FakeCPA, rate: int, *, seconds: int = 600) -> None:
    """So many records a second until now."""
    start = time.time_ns() - seconds * 10**9
    for number in range(seconds * rate):
        cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=start + number * 10**9 // rate)


def test_what_waits_in_the_queue_is_read_before_we_leave(cpa: FakeCPA) -> None:
    """The server may be about to end too, and its queue with it."""
    for minutes in range(10, 0, -1):  # a rate at which nothing is expected of the moment without us
        cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=time.time_ns() - minutes * 60 * 10**9)
    instance = read_from(cpa)
    with collecting():
        eventually(lambda: Instance.objects.get(pk=instance.pk).full_polls == 0 and UsageRecord.objects.count() == 10)
        emit(cpa, 6)
    assert UsageRecord.objects.count() == 16
    cpa.restart()
    Reader(cpa).die()
    assert CollectionGap.objects.count() == 0


@pytest.mark.parametrize("mode", [Mode.QUEUE, Mode.SUBSCRIBE])
def test_while_a_server_is_gone_nothing_is_lost(cpa: FakeCPA, mode: str, settings: Any) -> None:
    """Seen on real servers: it is stopped, then we, and both come back: the time in between counted as lost traffic."""
    settings.POLL_SECONDS = 3
    instance = read_from(cpa, mode)
    with collecting():
        eventually(lambda: Reconciliation.objects.count() == 2)
        _steady(cpa, 50, seconds=30)
        eventually(lambda: UsageRecord.objects.count() == 1500)
        gone = time.time()
        cpa.stop()
        if mode == Mode.SUBSCRIBE:
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.UNREACHABLE)
    left = time.time()
    time.sleep(3)
    cpa.forget_run()
    cpa.start()
    with collecting():
        eventually(CollectorEvent.objects.filter(message="CPA was restarted").exists)
    assert [gap for gap in CollectionGap.objects.all() if gap.until.timestamp() > left] == []
    assert sum(gap.lost or 0 for gap in CollectionGap.objects.all()) <= 50 * (left - gone + 3) * (mode == Mode.QUEUE)


@pytest.mark.parametrize("mode", [Mode.QUEUE, Mode.SUBSCRIBE])
def test_of_a_machine_that_is_shut_down_nothing_is_estimated_of_the_time_without_it(cpa: FakeCPA, mode: str) -> None:
    """Seen on a real v7.2.140: both are told to end, and we are the faster. What it took along is little."""
    read_from(cpa, mode)
    _steady(cpa, 50, seconds=30)
    with collecting(farewell_seconds=2):
        eventually(lambda: Reconciliation.objects.count() == 2 and UsageRecord.objects.count() == 1500)
        threading.Timer(0.4, cpa.stop).start()
    left = time.time()
    time.sleep(3)
    cpa.forget_run()
    cpa.start()
    with collecting():
        eventually(CollectorEvent.objects.filter(message="CPA was restarted").exists)
    assert [gap for gap in CollectionGap.objects.all() if gap.until.timestamp() > left] == []
    # The time without both, at this rate, would be 150 more.
    assert sum(gap.lost or 0 for gap in CollectionGap.objects.all()) <= 50 * 2.5


def test_a_death_after_a_restart_does_not_stretch_what_it_may_have_taken_along(
    cpa: FakeCPA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on real servers: the collector is killed before it has read the counters of the new run."""
    _steady(cpa, 100, seconds=20)
    reader = Reader(cpa, Mode.SUBSCRIBE)
    eventually(lambda: reader.instance.way == Instance.Way.SUBSCRIPTION)
    reader.reckon()
    cpa.stop()
    time.sleep(2)
    cpa.forget_run()
    cpa.start()
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "reckoning_is_due", lambda _: False)
        eventually(reader.turns_well)
    reader.die()
    Reader(cpa).die()
    assert CollectorEvent.objects.filter(message="CPA was restarted").exists()
    assert CollectionGap.objects.count() == 0


def test_a_subscription_that_was_silent_until_a_restart_lost_nothing(cpa: FakeCPA) -> None:
    """Clients pause as they like; who closes a connection has said all that it will."""
    _steady(cpa, 100, seconds=20)
    instance = read_from(cpa, Mode.SUBSCRIBE)
    with collecting():
        eventually(lambda: Instance.objects.get(pk=instance.pk).way == Instance.Way.SUBSCRIPTION)
        eventually(lambda: Reconciliation.objects.count() == 2)
        emit(cpa, 2)
        time.sleep(2)
        cpa.restart()
        eventually(CollectorEvent.objects.filter(message="CPA was restarted").exists)
    assert CollectionGap.objects.count() == 0


@pytest.mark.parametrize(("seconds", "length", "least", "most"), [(6, 10, 540, 660), (1, 60, 60, 180)])
def test_the_rate_of_young_traffic_is_not_diluted_nor_that_of_a_burst_believed(
    cpa: FakeCPA, read: Callable[[], Reader], seconds: int, length: int, least: int, most: int
) -> None:
    """Sixty a second: seen on real servers, a restart ten seconds long after six seconds of traffic."""
    _steady(cpa, 60, seconds=seconds)
    since = time.time()
    instance = read().instance
    judge(instance, Reckoning([Suspicion(Cause.KILLED, since, since + length)], None, since, since))
    assert least <= the_gap().lost <= most


def test_the_rate_before_a_gap_is_not_diluted_by_other_gaps(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    """Seen on real servers: a third restart within minutes lost far more than was estimated."""
    since = time.time()
    for begin in (-60, -20):  # thirty a second, for twice ten seconds
        for number in range(300):
            when = int((since + begin) * 10**9) + number * 10**9 // 30
            cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=when)
    instance = read().instance
    for begin, end in ((-50, -30), (-35, -20), (-10, 0)):
        CollectionGap.objects.create(
            instance=instance, cause=Cause.RESTARTED, since=moment(since + begin), until=moment(since + end), lost=1
        )
    judge(instance, Reckoning([Suspicion(Cause.KILLED, since, since + 10)], None, since, since))
    assert 290 <= CollectionGap.objects.get(cause=Cause.KILLED).lost <= 310


@pytest.mark.parametrize("version", ["7.2.140", "6.10.0", "6.9.49"])
def test_a_server_that_ends_between_two_polls_is_noticed_then(version: str, settings: Any) -> None:
    """What it would have served until the next poll is no loss of it."""
    settings.POLL_SECONDS = settings.LEGACY_POLL_SECONDS = 20
    with fake_cpa(version) as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        _steady(cpa, 20, seconds=30)
        instance = read_from(cpa)
        with collecting():
            eventually(lambda: UsageRecord.objects.count() == 600)
            eventually(lambda: version == "6.9.49" or Reconciliation.objects.count() == 1)
            time.sleep(1.5)
            cpa.stop()
            gone = time.time()
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.UNREACHABLE, seconds=5)
            time.sleep(3)
            cpa.forget_run()
            cpa.start()
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.OK)
            eventually(lambda: CollectionGap.objects.exists())
    assert the_gap().cause == Cause.RESTARTED
    assert gone - 0.1 <= the_gap().until.timestamp() <= gone + 1
    assert (the_gap().lost or 0) <= 20 * (the_gap().length.total_seconds() + 0.5)


@pytest.mark.parametrize("after", [0.0, 0.2])
def test_a_proxy_that_ends_each_connection_is_not_asked_all_the_time(
    cpa: FakeCPA, settings: Any, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    monkeypatch.setattr("usage.collection.taker._WATCH_SECONDS", 0.02)
    settings.POLL_SECONDS = 1
    read_from(cpa)
    with collecting():
        eventually(lambda: Reconciliation.objects.count() == 2)
        time.sleep(0.5)  # in which what follows the first poll is asked
        cpa.faults.next(faults.hang_up(after), path="usage-queue?", times=10_000)
        asked, begun = len(cpa.requests), time.monotonic()
        time.sleep(4)
        polls = [request for request in cpa.requests[asked:] if "usage-queue?" in request.path]
        assert len(polls) <= 2 * (time.monotonic() - begun) + 3
    cpa.faults.clear()
    assert CollectionGap.objects.count() == 0


def test_a_small_loss_under_steady_traffic_is_found_when_it_pauses(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on real servers: each comparison hides what arrives meanwhile, until nobody suspects anything any more.

    That the collector dies again, and loses nothing then, does not make it the fault of that death.
    """
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    since = time.time()
    emit(cpa, 6)
    reader.die()
    cpa.pop(100)  # on their way to us when we died
    died = time.time()

    def keep_coming(queue: HttpQueue) -> float:
        emit(cpa, 10)
        return 0.1

    with monkeypatch.context() as patch:
        patch.setattr(HttpQueue, "lag_seconds", property(keep_coming))
        for _ in range(2):
            reader = read()
            reader.reckon()
            reader.die()
        reader = read()
        reader.reckon()
        reader.reckon()
    assert CollectionGap.objects.count() == 0
    reader.reckon()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.KILLED, 6, True)
    assert gap.since.timestamp() <= since
    assert gap.until.timestamp() >= died
    assert sum(row.missing for row in Reconciliation.objects.all()) == 6
    assert sum(row.unrecorded for row in Reconciliation.objects.all()) == 0


def test_what_is_missing_after_a_quiet_comparison_is_no_longer_the_fault_of_a_death(
    cpa: FakeCPA, read: Callable[[], Reader]
) -> None:
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    reader.die()
    reader = read()
    reader.reckon()
    emit(cpa, 50)
    for _ in range(4):
        _count_only(cpa)
    reader.reckon()
    assert CollectionGap.objects.count() == 0


@pytest.mark.parametrize("moment", [0.05, 0.4])
def test_a_subscription_that_brought_all_until_a_restart_lost_nothing(
    cpa: FakeCPA, read: Callable[[], Reader], moment: float
) -> None:
    """Seen on real servers: between the last record and the end of the connection are some milliseconds."""
    start = time.time_ns() - 20 * 10**9
    for number in range(2000):  # a hundred a second
        cpa.emit(cpa.credentials.files[0], "gpt-5.4", when=start + number * 10**7)
    instance = read().instance
    instance.way = Instance.Way.SUBSCRIPTION
    cpa.restart()
    heard_at, ended_at = time.time() - moment, time.time()
    suspicions = [Suspicion(Cause.RESTARTED, heard_at, ended_at), Suspicion(Cause.DROPPED, heard_at, ended_at + 1)]
    with ManagementClient(instance) as client:
        judge(instance, Reckoning(suspicions, fetch_counters(client), time.time(), time.time()))
    assert CollectorEvent.objects.filter(message="CPA was restarted").exists()
    assert CollectionGap.objects.count() == 0


def test_what_the_new_run_counted_and_we_missed_is_measured(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = read()
    emit(cpa, 30)
    reader.reckon()
    cpa.restart()
    emit(cpa, 12)
    _pass(monkeypatch, 100)
    reader.turn()
    assert CollectionGap.objects.get(cause=Cause.AWAY).lost == 12


def test_what_the_new_run_counted_is_not_estimated_besides(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart in the first half of two minutes in which nobody read: its loss and the other's are told once."""
    _steady(cpa, 5)
    reader = read()
    reader.reckon()
    reader.taker.end()
    _pass(monkeypatch, 30)
    _steady(cpa, 5, seconds=30)
    cpa.restart()
    for _ in range(9):
        _pass(monkeypatch, 10)
        _steady(cpa, 5, seconds=10)
    read()
    gaps = {gap.cause: gap for gap in CollectionGap.objects.all()}
    assert set(gaps) == {Cause.AWAY, Cause.RESTARTED}
    assert (gaps[Cause.AWAY].lost, gaps[Cause.AWAY].is_measured) == (150, True)
    assert abs(gaps[Cause.RESTARTED].lost - 150) <= 15
    assert UsageRecord.objects.count() == 3000 + 300


def test_a_restart_is_seen_though_the_counters_have_passed_what_they_were(
    cpa: FakeCPA, read: Callable[[], Reader]
) -> None:
    reader = read()
    emit(cpa, 60)
    reader.reckon()
    emit(cpa, 20)
    reader.turn()
    cpa.restart()
    emit(cpa, 100)  # they were 30 each, and 10 more were booked since
    reader.turn()
    reader.reckon()
    assert CollectorEvent.objects.filter(message="CPA was restarted").count() == 1
    assert UsageRecord.objects.count() == 180


def test_a_counter_that_begins_anew_without_a_restart_is_none(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    """Seen on real servers: a provider is renamed or switched off and on, and its counters are gone."""
    reader = read()
    emit(cpa, 40)
    reader.reckon()
    cpa.credentials.files[0].success = 0
    emit(cpa, 10)
    reader.reckon()
    emit(cpa, 10)
    cpa.faults.next(faults.die_after_pop(), path="usage-queue?count=500")
    reader.turn()
    reader.turn()
    assert (the_gap().cause, the_gap().lost) == (Cause.ANSWER_LOST, 10)


def test_a_second_reader_is_found_by_what_it_takes(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 20)
    reader.reckon()
    since = time.time()
    emit(cpa, 30)
    _steal(cpa, 14)
    reader.reckon()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.SECOND_READER, 14, True)
    assert gap.since.timestamp() <= since <= gap.until.timestamp()
    assert sum(row.missing for row in Reconciliation.objects.all()) == 14


def _steal(cpa: FakeCPA, count: int) -> None:
    answer = httpx.get(
        f"{cpa.base_url}/v0/management/usage-queue?count={count}", headers={"Authorization": f"Bearer {KEY}"}
    )
    assert len(answer.json()) == count


def test_calls_that_the_server_counts_and_does_not_record_are_no_second_reader(
    cpa: FakeCPA, read: Callable[[], Reader]
) -> None:
    """Seen on real servers: the counting of tokens, and clients that leave in the middle."""
    reader = read()
    for _ in range(5):
        emit(cpa, 50)
        for _ in range(4):
            _count_only(cpa)
        reader.reckon()
    assert CollectionGap.objects.count() == 0
    row = Reconciliation.objects.get(account__label="dave@example.com")
    assert (row.missing, row.unrecorded, row.completeness) == (0, 20, 1.0)
    # Nor do they make the loss of an answer larger than it was.
    emit(cpa, 40)
    for _ in range(3):
        _count_only(cpa)
    cpa.faults.next(faults.die_after_pop(), path="usage-queue?count=500")
    reader.turn()
    reader.turn()
    assert 39 <= the_gap().lost <= 43


def _count_only(cpa: FakeCPA) -> None:
    cpa.credentials.count(cpa.credentials.files[0], failed=False, at_ns=cpa.clock.now_ns())


def test_statistics_that_were_off_for_a_while(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    cpa.set_statistics(False)
    off = time.time()
    reader.taker._flag.hurry()
    reader.turn()
    assert reader.instance.state == State.STATISTICS_OFF
    emit(cpa, 9)
    time.sleep(0.3)
    reader.turn()
    cpa.set_statistics(True)
    reader.turn()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.STATISTICS_OFF, 9, True)
    assert gap.since.timestamp() <= off + 0.1
    assert reader.instance.state == State.OK


def test_what_shows_later_of_two_times_without_statistics_stretches_neither(
    cpa: FakeCPA, read: Callable[[], Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on a real server: the gap of the first time reached to the end of the second."""

    def keep_coming(queue: HttpQueue) -> float:
        emit(cpa, 4)
        return 0.1

    reader = read()
    emit(cpa, 10)
    reader.reckon()
    times = []
    with monkeypatch.context() as patch:
        patch.setattr(HttpQueue, "lag_seconds", property(keep_coming))
        for _ in range(2):
            time.sleep(0.2)  # in which all is well
            before = time.time()
            reader.taker._flag.hurry()
            reader.turn()
            times.append((before, time.time(), _record_nothing_for_a_while(cpa, reader)))
    reader.reckon()
    reader.reckon()
    gaps = list(CollectionGap.objects.order_by("since"))
    assert [gap.cause for gap in gaps] == [Cause.STATISTICS_OFF] * 2
    assert sum(gap.lost or 0 for gap in gaps) == 18
    for gap, (before, since, until) in zip(gaps, times, strict=True):
        assert before - 0.15 <= gap.since.timestamp() <= since + 0.15
        assert until - 0.15 <= gap.until.timestamp() <= until + 1.0
    assert gaps[0].until < gaps[1].since


def _record_nothing_for_a_while(cpa: FakeCPA, reader: Reader) -> float:
    """Lose nine records, and return when the server was to record again."""
    cpa.set_statistics(False)
    reader.taker._flag.hurry()
    reader.turn()
    emit(cpa, 9)
    time.sleep(0.3)
    reader.turn()
    cpa.set_statistics(True)
    on_again = time.time()
    reader.turn()
    return on_again


def test_a_death_with_an_answer_on_its_way(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    emit(cpa, 6)
    reader.die()
    cpa.pop(100)  # on their way to us when we died
    reader = read()
    gap = the_gap()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.KILLED, 6, True)


def test_a_death_that_lost_nothing_is_no_gap(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.die()
    emit(cpa, 5)
    read()
    assert UsageRecord.objects.count() == 15
    assert CollectionGap.objects.count() == 0


@pytest.mark.parametrize("taken", [0, 50, 200])
def test_a_death_before_any_counter_was_read_is_judged_by_what_came_after_it(
    cpa: FakeCPA, read: Callable[[], Reader], taken: int
) -> None:
    """What waited in the queue at a death, and was read by who came next, is no loss: the estimate is of the rest."""
    died, dave = time.time() - 20, cpa.credentials.files[0]
    for tenth in range(200):
        cpa.emit(dave, "gpt-5.4", when=int((died + tenth / 10) * 10**9))
    cpa.pop(taken)  # on their way to us when we died
    for tenth in range(200):
        cpa.emit(dave, "gpt-5.4", when=int((died - 20 + tenth / 10) * 10**9))
    instance = read().instance
    instance.clock_offset_seconds = 0.4  # CPA's clock is read to the second only
    judge(instance, Reckoning([Suspicion(Cause.KILLED, died, died + 20)], None, time.time(), time.time()))
    assert [gap.lost for gap in CollectionGap.objects.all()] == ([pytest.approx(taken, abs=8)] if taken else [])


def test_a_good_end_and_a_new_start_are_no_gap_even_unproven(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.turn()
    reader.taker.end()
    cpa.faults.next(faults.server_error(500), path="api-key-usage")
    read()
    assert CollectionGap.objects.count() == 0


def test_a_subscription_that_was_dropped_at_256_messages() -> None:
    with fake_cpa(send_buffer=4096) as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat(
            "OpenRouter", "https://openrouter.example/api/v1", "sk-or-v1-FAKE-key-00000000000001"
        )
        instance = read_from(cpa, Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Instance.Way.SUBSCRIPTION)
            emit(cpa, 50)
            eventually(lambda: UsageRecord.objects.count() == 50)
            eventually(lambda: Reconciliation.objects.count() == 2)
            since = time.time()
            cpa.stall_subscribers()
            emit(cpa, 400)
            cpa.resume_subscribers()
            emit(cpa, 30)
            eventually(lambda: CollectionGap.objects.exists())
            eventually(lambda: UsageRecord.objects.count() == 480 - the_gap().lost)
        gap = the_gap()
        booked = UsageRecord.objects.count()
        assert (gap.cause, gap.is_measured) == (Cause.DROPPED, True)
        assert gap.lost == len(cpa.undelivered) == 480 - booked
        assert gap.since.timestamp() - 1 <= since <= gap.until.timestamp()


def test_a_subscription_that_falls_silent_is_given_up_and_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage.collection.listener._PING_SECONDS", 0.5)
    monkeypatch.setattr("usage.collection.listener._PONG_SECONDS", 0.5)
    with fake_cpa() as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat(
            "OpenRouter", "https://openrouter.example/api/v1", "sk-or-v1-FAKE-key-00000000000001"
        )
        instance = read_from(cpa, Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Instance.Way.SUBSCRIPTION)
            eventually(lambda: Reconciliation.objects.count() == 2)
            cpa.stall_subscribers()
            emit(cpa, 10)
            eventually(lambda: CollectionGap.objects.exists())
            cpa.resume_subscribers()
            emit(cpa, 5)
            eventually(lambda: UsageRecord.objects.count() == 5)
        assert the_gap().lost == 10
        assert cpa.failed_logins == 0


def test_an_old_server_without_counters_has_its_gaps_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_cpa("6.9.40") as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        for minute in range(60):
            cpa.emit(dave, "gpt-5.4", when=timezone.now() - timedelta(minutes=minute, seconds=1))
        instance = read_from(cpa)
        sync_instance(instance)
        cpa.restart()
        cpa.emit(dave, "gpt-5.4")
        _pass(monkeypatch, 1800)
        sync_instance(Instance.objects.get())
    gap = the_gap()
    assert (gap.cause, gap.is_measured) == (Cause.RESTARTED, False)
    assert 25 <= gap.lost <= 36
    assert UsageRecord.objects.count() == 61


def test_an_old_server_that_was_gone_for_a_while_lost_nothing_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty minutes without it, of which polls that failed tell that it was gone for twenty."""
    with fake_cpa("6.9.40") as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        for minute in range(60):
            cpa.emit(dave, "gpt-5.4", when=timezone.now() - timedelta(minutes=minute, seconds=1))
        sync_instance(read_from(cpa))
        cpa.stop()
        for seconds in (600, 600):
            _pass(monkeypatch, seconds)
            assert sync_instance(Instance.objects.get()).error
        _pass(monkeypatch, 600)
        cpa.forget_run()
        cpa.start()
        cpa.emit(dave, "gpt-5.4")
        sync_instance(Instance.objects.get())
    gap = the_gap()
    assert (gap.cause, gap.is_measured) == (Cause.RESTARTED, False)
    assert abs(gap.length.total_seconds() - 600) < 10
    assert 8 <= gap.lost <= 12


def test_a_presence_that_a_power_cut_left_unreadable_is_a_death(cpa: FakeCPA, read: Callable[[], Reader]) -> None:
    reader = read()
    emit(cpa, 10)
    reader.reckon()
    reader.die()
    emit(cpa, 6)
    cpa.pop(100)
    path = reader.taker._site.spool.folder / ".presence"
    seen = path.stat().st_mtime
    path.write_bytes(b"\0\xff" * 4)
    os.utime(path, (seen, seen))
    read()
    assert (the_gap().cause, the_gap().lost) == (Cause.KILLED, 6)
