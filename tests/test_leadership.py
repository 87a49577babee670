"""Of two collectors on one database one leads, and the other takes over when it is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection

from tests.collecting import eventually
from tests.durability import CollectProcess, all_is_compared, quiet, read_books, read_from_process, told_gaps
from tests.fake_cpa.process import FakeProcess
from usage.collection.leadership import _LOCK as LOCK
from usage.models import CollectionGap, CollectorProcess, Instance, UsageRecord

Cause, Mode, Role = CollectionGap.Cause, Instance.Mode, CollectorProcess.Role

pytestmark = pytest.mark.django_db(transaction=True)

# It is to be done within 10 seconds; other tests run beside this one.
_TAKEOVER_SECONDS = 20


@pytest.fixture
def postgresql() -> None:
    """Comes before the fixtures that start processes."""
    if connection.vendor != "postgresql":
        pytest.skip("only on PostgreSQL the lead hangs on a session")


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeProcess]:
    with FakeProcess(tmp_path, rate=100, history=400, days=0.01) as fake:
        fake.pause()
        read_from_process(fake, Mode.QUEUE)
        yield fake


@pytest.fixture
def pair(fake: FakeProcess, tmp_path: Path) -> Iterator[list[CollectProcess]]:
    """Two collectors, each with a spool of its own; the first leads."""
    pair = [CollectProcess(tmp_path / name, POLL_SECONDS=0.2) for name in ("one", "two")]
    with ExitStack() as stack:
        for collector, role in zip(pair, (Role.LEADING, Role.STANDBY), strict=True):
            stack.enter_context(collector)
            eventually(lambda: collector.role == role)  # noqa: B023
        eventually(all_is_compared)
        fake.go_on()
        eventually(lambda: UsageRecord.objects.count() > 450)
        yield pair


def _takes_over(collector: CollectProcess, since: float) -> None:
    eventually(lambda: collector.role == Role.LEADING, _TAKEOVER_SECONDS)
    print(f"took over within {time.time() - since:.1f} s")
    booked = UsageRecord.objects.count()
    eventually(lambda: UsageRecord.objects.count() > booked, _TAKEOVER_SECONDS)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_other_takes_over_when_the_leader_is_gone(fake: FakeProcess, pair: list[CollectProcess], end: str) -> None:
    leader, standby = pair
    since = time.time()
    getattr(leader, end)()
    _takes_over(standby, since)
    leader.start()
    eventually(lambda: leader.role == Role.STANDBY)
    assert standby.role == Role.LEADING
    _assert_nothing_is_doubled(fake, pair)
    assert not read_books(fake).missing or end == "kill"


def test_the_end_of_the_one_that_stands_by_changes_nothing(fake: FakeProcess, pair: list[CollectProcess]) -> None:
    leader, standby = pair
    standby.kill()
    booked = UsageRecord.objects.count()
    eventually(lambda: UsageRecord.objects.count() > booked + 100)
    assert leader.role == Role.LEADING
    _assert_nothing_is_doubled(fake, [leader])
    assert read_books(fake).missing == []
    assert told_gaps() == []


def test_a_leader_whose_session_ended_leads_no_more(
    postgresql: None, fake: FakeProcess, pair: list[CollectProcess]
) -> None:
    since = time.time()
    for _ in range(3):
        ended = _leaders()
        assert len(ended) == 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", ended)
        # A session that was told to end may still be there; one look tells both.
        eventually(lambda: len(now := _leaders()) == 1 and now != ended)  # noqa: B023 - of this round
        eventually(lambda: sorted(one.role for one in pair) == [Role.LEADING, Role.STANDBY])
    leader = next(one for one in pair if one.role == Role.LEADING)
    _takes_over(leader, since)
    _assert_nothing_is_doubled(fake, pair)
    assert read_books(fake).missing == []
    assert told_gaps() == []


_LEADERS = (
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    f"WHERE locktype = 'advisory' AND objid = {LOCK} AND granted AND datname = current_database()"
)


def _leaders() -> list[int]:
    """The sessions that hold the lock."""
    with connection.cursor() as cursor:
        cursor.execute(_LEADERS)
        return [pid for (pid,) in cursor.fetchall()]


def _assert_nothing_is_doubled(fake: FakeProcess, collectors: list[CollectProcess]) -> None:
    """Nor missing, but for what was in doubt: the counters tell of that."""
    quiet(fake)
    eventually(lambda: not read_books(fake).runs[-1].never_handed_out)
    for collector in collectors:
        collector.stop()
        assert collector.spooled() == []
    read_books(fake).assert_exact()
