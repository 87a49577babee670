"""The resident collector: each server in its own rhythm, none held up by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.fake_cpa import faults
from tests.traffic import fake_cpa, read_from, send_traffic
from usage.collector import Collector, pause_seconds
from usage.models import Instance, UsageRecord

State, Source = Instance.State, Instance.Source


@contextmanager
def collecting() -> Iterator[None]:
    stopping = threading.Event()

    def run() -> None:
        try:
            Collector(stopping).run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_a_server_that_hangs_holds_up_no_other(settings: Any) -> None:
    settings.POLL_SECONDS = 0.1
    with fake_cpa() as hanging, fake_cpa() as lively:
        hanging.faults.next(faults.hang(3))
        read_from(hanging)
        read_from(lively)
        with collecting():
            for round_number in range(1, 4):
                send_traffic(lively) if round_number == 1 else lively.emit(None, "gpt-5.4")
                _eventually(lambda: UsageRecord.objects.count() == 8 + round_number)  # noqa: B023
                assert not hanging.handed_out


@pytest.mark.django_db(transaction=True)
def test_servers_come_and_go_while_it_runs(settings: Any) -> None:
    settings.POLL_SECONDS = 0.1
    with fake_cpa() as cpa, collecting():
        cpa.emit(None, "gpt-5.4")
        instance = read_from(cpa)
        _eventually(lambda: UsageRecord.objects.count() == 1)
        Instance.objects.filter(pk=instance.pk).update(enabled=False)
        time.sleep(0.5)
        cpa.emit(None, "gpt-5.4")
        asked = len(cpa.requests)
        time.sleep(1)
        assert len(cpa.requests) == asked
        Instance.objects.filter(pk=instance.pk).update(enabled=True)
        _eventually(lambda: UsageRecord.objects.count() == 2)


@pytest.mark.django_db(transaction=True)
def test_a_well_server_is_asked_for_its_records_only(settings: Any) -> None:
    settings.POLL_SECONDS = 0.05
    with fake_cpa() as cpa:
        read_from(cpa)
        with collecting():
            _eventually(lambda: sum("count=500" in seen.path for seen in cpa.requests) >= 5)
        assert sum(seen.path.endswith("/auth-files") for seen in cpa.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_statistics_that_are_switched_on_are_noticed_by_one_request_a_turn(settings: Any) -> None:
    settings.POLL_SECONDS = 0.05
    with fake_cpa(statistics=False) as cpa:
        instance = read_from(cpa)
        with collecting():
            _eventually(lambda: sum("count=500" in seen.path for seen in cpa.requests) >= 3)
            cpa.set_statistics(True)
            _eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.OK)
        assert sum(seen.path.endswith("/auth-files") for seen in cpa.requests) == 1


@pytest.mark.parametrize(
    ("state", "source", "failures", "seconds"),
    [
        (State.OK, Source.QUEUE, 0, 10),
        (State.OK, Source.LEGACY, 0, 120),
        (State.STATISTICS_OFF, Source.QUEUE, 0, 10),
        (State.UNREACHABLE, Source.QUEUE, 1, 1),
        (State.UNREACHABLE, Source.QUEUE, 3, 4),
        (State.UNREACHABLE, Source.QUEUE, 90_000, 30),
        (State.REMOTE_OFF, Source.UNKNOWN, 5, 120),
        (State.UNSUPPORTED, Source.RESP, 1, 120),
    ],
)
def test_how_long_it_waits(state: str, source: str, failures: int, seconds: float) -> None:
    assert pause_seconds(Instance(state=state, source=source), failures) == seconds
