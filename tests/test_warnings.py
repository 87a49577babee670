"""The catalogue of warnings: each comes when its condition holds, and only then, in both languages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import translation

from tests.sample_usage import make_sample_usage
from tests.test_catalogue import chinese  # noqa: F401
from usage import storage
from usage.demo.collection import lead, make_sample_collection
from usage.models import (
    Account,
    CollectionGap,
    CollectionState,
    CollectorProcess,
    Instance,
    QuarantinedPayload,
    Reconciliation,
    Source,
    UsageDailyByModel,
)
from usage.storage import Disk
from usage.warnings import Survey, Warning, banners, warnings

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
State, Cause, Way = Instance.State, CollectionGap.Cause, Instance.Way
ROOMY = Disk(total=100 * 10**9, used=10 * 10**9, free=90 * 10**9)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk of the machine under test."""
    set_disk(monkeypatch, ROOMY)


def set_disk(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    monkeypatch.setattr(storage, "disk", lambda: disk)


@pytest.fixture
def server(instance: Instance) -> Instance:
    """A server that is read without a fault, by a collector that lives."""
    change(
        state=State.OK, state_since=NOW - timedelta(hours=1), synced_at=NOW - timedelta(seconds=5), version="7.2.140"
    )
    change(source="queue", way=Way.HTTP_QUEUE, retention_seconds=60, statistics_enabled=True)
    lead(NOW, standby=False)
    return instance


def change(**facts: Any) -> None:
    Instance.objects.update(**facts)


def found(number: str) -> list[Warning]:
    return [warning for warning in warnings(NOW) if warning.id == number]


def only(number: str) -> Warning:
    warning, *others = found(number)
    assert not others
    return warning


def add_gap(instance: Instance, cause: str, minutes_ago: int = 60, **fields: Any) -> CollectionGap:
    since = NOW - timedelta(minutes=minutes_ago)
    return CollectionGap.objects.create(
        instance=instance, cause=cause, since=since, until=since + timedelta(minutes=14), **fields
    )


def test_where_all_is_well_nothing_is_said(server: Instance) -> None:
    assert warnings(NOW) == []


def test_without_a_server_nothing_is_wrong(db: None) -> None:
    assert warnings(NOW) == []


def test_a_disabled_server_is_not_complained_of(server: Instance) -> None:
    change(state=State.UNREACHABLE, enabled=False)
    assert warnings(NOW) == []


# W01


def test_a_collector_without_heartbeat_has_stopped(server: Instance) -> None:
    CollectorProcess.objects.update(seen_at=NOW - timedelta(seconds=61))
    assert only("W01").text == "Collector stopped at 11-23 10:28. New usage is not being recorded."
    assert (only("W01").level, only("W01").line) == ("fail", "python manage.py collect")


def test_one_that_stands_by_does_not_collect(server: Instance) -> None:
    CollectorProcess.objects.update(role=CollectorProcess.Role.STANDBY, started_at=NOW - timedelta(minutes=3))
    assert "11-23 10:27" in only("W01").text


@pytest.mark.parametrize("seconds", [1, 59])
def test_a_late_heartbeat_is_no_stop(server: Instance, seconds: int) -> None:
    CollectorProcess.objects.update(seen_at=NOW - timedelta(seconds=seconds))
    assert found("W01") == []


def test_a_longer_interval_gives_a_longer_patience(server: Instance, settings: Any) -> None:
    settings.POLL_SECONDS = 60.0
    CollectorProcess.objects.update(seen_at=NOW - timedelta(seconds=179))
    assert found("W01") == []
    CollectorProcess.objects.update(seen_at=NOW - timedelta(seconds=181))
    assert found("W01")


def test_before_the_first_collector_it_says_so_without_alarm(instance: Instance) -> None:
    assert only("W01").text.startswith("No collector has run yet.")
    assert only("W01").level == "warn"


def test_polls_by_command_are_a_sign_of_life_too(server: Instance) -> None:
    CollectorProcess.objects.all().delete()
    assert found("W01") == []
    change(synced_at=NOW - timedelta(minutes=6))
    assert only("W01").level == "fail"


# W16


def test_data_that_are_stale_although_a_collector_lives(server: Instance) -> None:
    change(synced_at=NOW - timedelta(seconds=30))
    assert banners(Survey(NOW)) == []
    change(synced_at=NOW - timedelta(minutes=5))
    assert found("W16") == []
    assert (only("W17").level, only("W17").text) == (
        "info",
        "Data is coming late. These figures are as of 11-23 10:25.",
    )
    assert [warning.id for warning in banners(Survey(NOW))] == ["W17"]
    change(synced_at=NOW - timedelta(minutes=5, seconds=1))
    assert (only("W16").level, only("W16").text) == ("fail", "Showing data up to 11-23 10:24.")
    assert [warning.id for warning in banners(Survey(NOW))] == ["W16"]


@pytest.mark.parametrize("state", [State.UNREACHABLE, State.KEY_REJECTED, State.STATISTICS_OFF, State.NEW])
def test_what_has_a_reason_is_not_called_stale_too(server: Instance, state: str) -> None:
    change(synced_at=NOW - timedelta(hours=1), state=state)
    assert found("W16") == []
    change(state=State.OK)
    CollectorProcess.objects.update(seen_at=NOW - timedelta(minutes=2))
    assert found("W16") == [] and found("W01")


# W02-W04


@pytest.mark.parametrize("state", [State.UNREACHABLE, State.FAULTY])
def test_a_server_that_does_not_answer(server: Instance, state: str) -> None:
    change(state=state, reason="the connection broke (%(reason)s)", reason_params={"reason": "EOF"})
    assert only("W02").text == "Can't reach CPA at 127.0.0.1:9: the connection broke (EOF)"
    assert only("W02").level == "fail"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.KEY_REJECTED, "CPA rejected the management key; collection is stopped until it is changed."),
        (State.BANNED, "CPA banned this address until 11-23 10:50."),
        (State.REMOTE_OFF, "Remote management is off in CPA."),
        (State.MANAGEMENT_OFF, "Management is off"),
        (State.UNSUPPORTED, "No way to collect"),
    ],
)
def test_a_server_that_does_not_let_us_in(server: Instance, state: str, text: str) -> None:
    change(state=state, retry_at=NOW + timedelta(minutes=20))
    assert (only("W03").text, only("W03").level) == (text, "fail")


def test_statistics_that_are_off_show_the_line_that_turns_them_on(server: Instance) -> None:
    change(state=State.STATISTICS_OFF)
    warning = only("W04")
    assert warning.text == "Usage statistics are off in CPA. Nothing can be collected."
    assert warning.line == "usage-statistics-enabled: true"
    assert warning.action and warning.action.url == f"/collector/{server.pk}/statistics/" and warning.action.for_staff


# W05


def test_a_gap_is_told_with_its_times(server: Instance) -> None:
    add_gap(server, Cause.AWAY)
    assert only("W05").text == (
        "Usage between 11-23 09:30 and 11-23 09:44 may be lost: "
        "the collector was away longer than CPA keeps records (60 s)."
    )
    assert only("W05").level == "warn"


def test_of_several_gaps_the_latest_is_told_and_the_others_counted(server: Instance) -> None:
    for minutes, cause in ((60, Cause.RESTARTED), (200, Cause.AWAY), (300, Cause.AWAY)):
        add_gap(server, cause, minutes)
    assert only("W05").text == "Usage between 11-23 09:30 and 11-23 09:44 may be lost."
    assert only("W05").details == ("CPA was restarted and forgot what it held", "2 more gaps")


@pytest.mark.parametrize(("days", "acknowledged_at"), [(8, None), (0, NOW)])
def test_an_old_or_acknowledged_gap_is_history(server: Instance, days: int, acknowledged_at: datetime | None) -> None:
    add_gap(server, Cause.SECOND_READER, 60 + days * 1440, acknowledged_at=acknowledged_at)
    assert warnings(NOW) == []


# W06-W08


@pytest.mark.parametrize(("seconds", "way", "is_told"), [
    (29, Way.HTTP_QUEUE, True), (29, Way.RESP_QUEUE, True), (30, Way.HTTP_QUEUE, False), (None, Way.HTTP_QUEUE, False),
    (29, Way.SUBSCRIPTION, False), (29, Way.SNAPSHOT, False),
])  # fmt: skip
def test_a_retention_under_three_intervals(server: Instance, seconds: int | None, way: str, is_told: bool) -> None:
    change(retention_seconds=seconds, way=way)
    assert bool(found("W06")) == is_told
    if is_told:
        assert only("W06").text == "CPA keeps records only 29 s. Set `redis-usage-queue-retention-seconds: 3600`."
        assert only("W06").line == "redis-usage-queue-retention-seconds: 3600"


@pytest.mark.parametrize(("polls", "is_told"), [(4, False), (5, True)])
def test_five_full_polls_in_a_row(server: Instance, polls: int, is_told: bool) -> None:
    change(full_polls=polls)
    assert [warning.text for warning in found("W07")] == ["Backlog: CPA produces faster than we read."] * is_told


def add_account(instance: Instance, *, missing: int, unrecorded: int = 0) -> None:
    make_sample_usage(instance, NOW) if not Account.objects.exists() else None
    account = Account.objects.filter(reconciliation=None).first()
    assert account
    Reconciliation.objects.create(
        account=account, since=NOW, checked_at=NOW, counted=100, booked=100 - missing - unrecorded, missing=missing,
        unrecorded=unrecorded, counter=100, sum_booked=0, day=NOW, ceiling=0,
    )  # fmt: skip


@pytest.mark.parametrize(("missing", "unrecorded", "is_told"), [(2, 0, False), (3, 0, True), (0, 50, False)])
def test_less_than_98_percent_complete(server: Instance, missing: int, unrecorded: int, is_told: bool) -> None:
    add_account(server, missing=missing, unrecorded=unrecorded)
    assert bool(found("W08")) == is_told


def test_completeness_is_that_of_all_accounts_of_a_server(server: Instance) -> None:
    add_account(server, missing=3)
    add_account(server, missing=0)
    assert found("W08") == []
    assert {pk: whole.share for pk, whole in Survey(NOW).completeness.items()} == {server.pk: 1 - 3 / 200}


@pytest.mark.parametrize(("cause", "is_told"), [
    (Cause.DROPPED, True), (Cause.SECOND_READER, True), (Cause.AWAY, False), (Cause.RESTARTED, False),
])  # fmt: skip
def test_who_else_reads_the_queue(server: Instance, cause: str, is_told: bool) -> None:
    add_gap(server, cause)
    assert bool(found("W08")) == is_told


# W09-W15


def test_sources_that_match_nothing(server: Instance) -> None:
    make_sample_usage(server, NOW)
    assert only("W09").text == "12 requests come from 1 unknown source."
    Source.objects.filter(account=None).update(channel=Source.objects.exclude(channel=None)[0].channel)
    assert found("W09") == []


def test_models_without_a_price(server: Instance) -> None:
    make_sample_usage(server, NOW)
    assert only("W10").text == "2 models have no price; cost covers 82.8% of tokens."  # 144 of 174 requests
    UsageDailyByModel.objects.exclude(model__name__startswith="claude").delete()
    assert found("W10") == []


def test_what_was_long_ago_is_no_news(server: Instance) -> None:
    make_sample_usage(server, NOW - timedelta(days=9))
    assert found("W09") == found("W10") == []


def test_payloads_in_quarantine(server: Instance) -> None:
    make_sample_collection(server, NOW)
    assert only("W11").text == "3 records could not be read."
    QuarantinedPayload.objects.all().delete()
    assert found("W11") == []


@pytest.mark.parametrize(("offset", "text"), [(-31, "Clocks differ by 31 s."), (4000, "Clocks differ by 4,000 s.")])
def test_clocks_that_differ(server: Instance, offset: int, text: str) -> None:
    change(clock_offset_seconds=offset)
    assert only("W12").text == text


@pytest.mark.parametrize(("seconds", "is_told"), [(119, False), (121, True)])
def test_a_record_of_the_future(server: Instance, seconds: int, is_told: bool) -> None:
    change(clock_offset_seconds=30)
    CollectionState.objects.create(instance=server, last_requested_at=NOW + timedelta(seconds=seconds))
    assert [warning.text for warning in found("W12")] == ["Clocks differ by 121 s."] * is_told


@pytest.mark.parametrize(("total", "free", "is_told"), [
    (20 * 10**9, 19 * 10**8, True), (20 * 10**9, 21 * 10**8, False), (2 * 10**9, 499 * 10**6, True),
    (2000 * 10**9, 20 * 10**9, False), (2000 * 10**9, 9 * 10**9, True),
])  # fmt: skip
def test_little_room(server: Instance, monkeypatch: pytest.MonkeyPatch, total: int, free: int, is_told: bool) -> None:
    set_disk(monkeypatch, Disk(total, total - free, free))
    assert [(warning.level, warning.text) for warning in found("W13")] == [("warn", "Low disk space.")] * is_told


def test_a_full_disk_is_a_failure(server: Instance) -> None:
    change(state=State.DISK_FULL, reason="the disk is full; nothing is taken from CPA until there is room")
    assert only("W13").text == "The disk is full; nothing is taken from CPA until there is room"
    assert only("W13").level == "fail"


@pytest.mark.parametrize(("minutes", "is_told"), [(4, False), (7, True)])
def test_a_spool_that_waits_to_be_booked(server: Instance, settings: Any, minutes: int, is_told: bool) -> None:
    folder = settings.SPOOL_DIR / str(server.pk)
    folder.mkdir(parents=True)
    at = time.time_ns() - minutes * 60 * 10**9
    (folder / f"{at}-17.queue").write_bytes(b"[]")
    (folder / f"{at - 10**12}-16.queue").write_bytes(b"")  # opened, and nothing came
    (folder / ".presence").write_bytes(b"at rest")
    assert [warning.text for warning in found("W14")] == ["Charts are 7 min behind records."] * is_told


@pytest.mark.parametrize(("version", "source", "is_told"), [
    ("7.0.3", "queue", False), ("7.0.2", "queue", True), ("v6.9.45-0", "legacy", True), ("", "legacy", True),
    ("dev", "queue", False), ("7.2.140", "queue", False),
])  # fmt: skip
def test_versions_that_tell_too_little(server: Instance, version: str, source: str, is_told: bool) -> None:
    change(version=version, source=source)
    expected = f"Token details may be incomplete for CPA {version or '< 6.3.36'}."
    assert [warning.text for warning in found("W15")] == [expected] * is_told


# All of it


def test_the_worst_comes_first_and_banners_are_the_urgent_ones(server: Instance) -> None:
    make_sample_usage(server, NOW)
    make_sample_collection(server, NOW)
    change(state=State.UNREACHABLE)
    ids = [(warning.level, warning.id) for warning in warnings(NOW)]
    assert [number for _level, number in ids] == ["W02", "W05", "W11", "W09", "W10"]
    assert [warning.id for warning in banners(Survey(NOW))] == ["W02", "W05"]


def test_banners_need_few_queries(server: Instance, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):
        banners(Survey(NOW))


def test_in_chinese_each_has_its_own_words(server: Instance, chinese: None) -> None:  # noqa: F811
    add_gap(server, Cause.AWAY)
    change(state=State.UNREACHABLE, reason="the connection broke (%(reason)s)", reason_params={"reason": "EOF"})
    CollectorProcess.objects.update(seen_at=NOW - timedelta(minutes=2))
    with translation.override("zh-hans"):
        assert only("W01").text == "采集器自 11-23 10:28 起停止，新用量未被记录。"
        assert only("W02").text == "无法连接 CPA 127.0.0.1:9：连接中断（EOF）"
        assert only("W05").text.startswith("11-23 09:30–11-23 09:44 的用量可能丢失")
        change(state=State.KEY_REJECTED)
        assert only("W03").text == "管理密钥被拒绝，更换前已停止采集。"
        change(state=State.STATISTICS_OFF)
        assert only("W04").text == "CPA 未开启用量统计，无法采集。"
