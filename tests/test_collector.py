"""The resident collector: each server in its own rhythm, none held up by another."""

from __future__ import annotations

import resource
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.collecting import collecting, eventually
from tests.conftest import KEY
from tests.fake_cpa import faults
from tests.fake_cpa.self_signed import self_signed
from tests.traffic import fake_cpa, read_from, send_traffic, shown
from usage.collection import sync_instance
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.collection.booking import Booking
from usage.collection.rhythm import pause_seconds
from usage.ingest.spool import Kind, Spool
from usage.models import Account, CollectionGap, Instance, QuarantinedPayload, UsageRecord
from usage.upstream.client import ManagementClient
from usage.upstream.counters import fetch_counters
from usage.upstream.names import fetch_names
from usage.upstream.probe import probe

State, Source, Way = Instance.State, Instance.Source, Instance.Way


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
                eventually(lambda: UsageRecord.objects.count() == 8 + round_number)  # noqa: B023
                assert not hanging.handed_out


@pytest.mark.django_db(transaction=True)
def test_servers_come_and_go_while_it_runs(settings: Any) -> None:
    settings.POLL_SECONDS = 0.1
    with fake_cpa() as cpa, collecting() as collector:
        cpa.emit(None, "gpt-5.4")
        instance = read_from(cpa)
        eventually(lambda: UsageRecord.objects.count() == 1)
        Instance.objects.filter(pk=instance.pk).update(enabled=False)
        eventually(lambda: not collector._crew._members)
        cpa.emit(None, "gpt-5.4")
        asked = len(cpa.requests)
        time.sleep(0.5)
        assert len(cpa.requests) == asked
        Instance.objects.filter(pk=instance.pk).update(enabled=True)
        eventually(lambda: UsageRecord.objects.count() == 2)


@pytest.mark.django_db(transaction=True)
def test_a_well_server_is_asked_for_its_records_only(settings: Any) -> None:
    settings.POLL_SECONDS = 0.05
    with fake_cpa() as cpa:
        read_from(cpa)
        with collecting():
            eventually(lambda: sum("count=500" in seen.path for seen in cpa.requests) >= 5)
        # Once for the names, once for the counters.
        assert sum(seen.path.endswith("/auth-files") for seen in cpa.requests) <= 2


@pytest.mark.django_db(transaction=True)
def test_statistics_that_are_switched_on_are_noticed_by_one_request_a_turn(settings: Any) -> None:
    settings.POLL_SECONDS = 0.05
    with fake_cpa(statistics=False) as cpa:
        instance = read_from(cpa)
        with collecting():
            eventually(lambda: sum("count=500" in seen.path for seen in cpa.requests) >= 3)
            cpa.set_statistics(True)
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.OK)
        # Once for the names, once for the counters.
        assert sum(seen.path.endswith("/auth-files") for seen in cpa.requests) <= 2


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


def test_a_queue_that_forgets_fast_is_read_three_times_before_it_does() -> None:
    assert pause_seconds(Instance(state=State.OK, source=Source.QUEUE, retention_seconds=6), 0) == 2
    assert pause_seconds(Instance(state=State.OK, source=Source.QUEUE, retention_seconds=3600), 0) == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("profile", ["7.0.7", "7.1.16", "7.1.39", "7.1.44", "7.2.140", "dev"])
def test_a_subscription_brings_what_was_queued_before_it_and_all_that_follows(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa, mode=Instance.Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: UsageRecord.objects.count() == 9)
            assert shown() == expected
            for number in range(1, 201):
                cpa.emit(None, "gpt-5.4")
                if number % 50 == 0:
                    eventually(lambda: UsageRecord.objects.count() == 9 + number)  # noqa: B023
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
        assert len(cpa.queue) == 0
        cpa.emit(None, "gpt-5.4")
        assert len(cpa.queue) == 1, "we are gone, so that the queue has it for the next reader"
    assert UsageRecord.objects.count() == 209
    assert CollectionGap.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_subscription_goes_over_tls_too(tmp_path: Path) -> None:
    context, _authority = self_signed(tmp_path)
    with fake_cpa(tls=context) as cpa:
        instance = read_from(cpa, mode=Instance.Mode.SUBSCRIBE)
        Instance.objects.update(verify_tls=False)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
            for _ in range(100):
                cpa.emit(None, "gpt-5.4", error="x" * 20_000, status=500)
            eventually(lambda: UsageRecord.objects.count() == 100)


@pytest.mark.django_db(transaction=True)
def test_a_server_without_subscription_is_polled_and_says_why(settings: Any) -> None:
    settings.POLL_SECONDS = 0.1
    with fake_cpa("7.1.17") as cpa:
        cpa.emit(None, "gpt-5.4")
        instance = read_from(cpa, mode=Instance.Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.HTTP_QUEUE)
            eventually(lambda: UsageRecord.objects.count() == 1)
        assert cpa.failed_logins == 0
    instance.refresh_from_db()
    assert instance.state == State.OK
    assert "refuses RESP" in instance.state_text


@pytest.mark.django_db(transaction=True)
def test_a_refresh_of_the_server_refreshes_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage.collection.taker._NAMES_SETTLE_SECONDS", 0.2)
    monkeypatch.setattr("usage.collection.rhythm._LISTENING_SECONDS", 0.2)
    with fake_cpa() as cpa:
        instance = read_from(cpa, mode=Instance.Mode.SUBSCRIBE)
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
            dave = cpa.credentials.add_oauth("codex", "dave@example.com")
            eventually(lambda: Account.objects.filter(label="dave@example.com").exists())
            cpa.emit(dave, "gpt-5.4")
            eventually(lambda: ("codex", "dave@example.com") in shown())
    assert UsageRecord.objects.count() == 1, "what the server says beside records is none"
    assert QuarantinedPayload.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", Instance.Mode.values)
@pytest.mark.parametrize("key", ["wrong", "changed", "removed"])
def test_no_ban_is_ever_caused_by_us(settings: Any, monkeypatch: pytest.MonkeyPatch, mode: str, key: str) -> None:
    settings.POLL_SECONDS = settings.LEGACY_POLL_SECONDS = 0.05
    monkeypatch.setattr("usage.collection.rhythm._LONGEST_BACKOFF", 0.05)
    monkeypatch.setattr("usage.collection.rhythm._LISTENING_SECONDS", 0.05)
    with fake_cpa("6.9.49" if mode == "legacy" else "7.2.140") as cpa:
        if key == "wrong":
            cpa.management_key = "mgmt-FAKE-another"
        instance = read_from(cpa, mode=mode)
        with collecting():
            if key != "wrong":
                eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.OK)
                cpa.stop()  # or an answer may be on its way, of a refusal that we never hear
                cpa.management_key = "mgmt-FAKE-another" if key == "changed" else ""
                cpa.start()
            eventually(lambda: Instance.objects.get(pk=instance.pk).state in (State.KEY_REJECTED, State.MANAGEMENT_OFF))
            time.sleep(0.5)
            sync_instance(Instance.objects.get(pk=instance.pk))
        assert cpa.failed_logins == (0 if key == "removed" else 1)


@pytest.mark.django_db(transaction=True)
def test_a_subscription_goes_on_when_the_key_was_changed_and_is_whole_when_we_learn_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen on real servers: who subscribed with the former key is still sent everything."""
    monkeypatch.setattr("usage.collection.rhythm._LONGEST_BACKOFF", 0.2)
    monkeypatch.setattr("usage.collection.rhythm._LISTENING_SECONDS", 0.2)
    with fake_cpa() as cpa:
        instance = read_from(cpa, mode=Instance.Mode.SUBSCRIBE)
        with collecting() as collector:
            eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
            cpa.management_key = "mgmt-FAKE-another"
            collector._crew._members[instance.pk].taker._flag.hurry()
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.KEY_REJECTED)
            for _ in range(20):
                cpa.emit(None, "gpt-5.4")
            eventually(lambda: UsageRecord.objects.count() == 20)
            instance.refresh_from_db()
            instance.management_key = "mgmt-FAKE-another"
            instance.save(update_fields=["encrypted_key", "rejected_key"])
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.OK)
            cpa.emit(None, "gpt-5.4")
            eventually(lambda: UsageRecord.objects.count() == 21)
        assert cpa.failed_logins == 1
    assert CollectionGap.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_new_key_is_used_at_once() -> None:
    with fake_cpa() as cpa:
        cpa.emit(None, "gpt-5.4")
        instance = read_from(cpa)
        instance.management_key = "mgmt-FAKE-outdated"
        instance.save()
        with collecting():
            eventually(lambda: Instance.objects.get(pk=instance.pk).state == State.KEY_REJECTED)
            instance.refresh_from_db()
            instance.management_key = KEY
            instance.save(update_fields=["encrypted_key"])
            eventually(lambda: UsageRecord.objects.count() == 1)


@pytest.mark.django_db(transaction=True)
def test_fifty_servers_at_once(settings: Any) -> None:
    settings.POLL_SECONDS = 1
    with ExitStack() as stack:
        servers = [stack.enter_context(fake_cpa()) for _ in range(50)]
        for number, cpa in enumerate(servers):
            read_from(cpa, mode=Instance.Mode.SUBSCRIBE if number % 2 else Instance.Mode.AUTO)
        with collecting():
            for _ in range(3):
                for cpa in servers:
                    cpa.emit(None, "gpt-5.4")
                time.sleep(0.3)
            eventually(lambda: UsageRecord.objects.count() == 150)
            eventually(lambda: Instance.objects.filter(state=State.OK).count() == 50)


@pytest.mark.django_db
def test_what_a_server_lacks_ends_no_connection() -> None:
    """Seen on real servers: each refresh of the names looked like a restart."""
    with fake_cpa() as cpa, ManagementClient(read_from(cpa)) as client:
        fetch_names(client)
        probe(client)
        assert client.get_json("/lacking") is None
        fetch_counters(client)
        assert client.connections == 1


@pytest.mark.django_db
def test_a_backlog_of_more_captures_than_a_process_may_open_is_booked() -> None:
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        raw = [cpa.emit(None, "gpt-5.4").raw for _ in range(700)]
    for one in raw:
        Spool(instance.pk).keep(Kind.QUEUE, b"[" + one + b"]")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, before[1]))
    try:
        assert Booker(Board()).book(instance.pk).new == 700
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.django_db(transaction=True)
def test_the_end_does_not_wait_for_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage.collection.booker.BATCH", 1)
    monkeypatch.setattr("usage.collection.booking._LAST_SECONDS", 0)
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        raw = [cpa.emit(None, "gpt-5.4").raw for _ in range(300)]
    for one in raw:
        Spool(instance.pk).keep(Kind.QUEUE, b"[" + one + b"]")
    Booking(Board(), threading.Event()).finish()
    left = len(Spool(instance.pk).names())
    assert 0 < left == 300 - UsageRecord.objects.count()
    Booker(Board()).book(instance.pk)
    assert UsageRecord.objects.count() == 300
