"""Intervals of charts: those of the zone, whatever its clock does, and no more than can be answered at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.http import QueryDict
from django.test import Client

from channels_app import interval
from channels_app.buckets import AUTO, edges, micros
from channels_app.charts.timeline import Timeline
from channels_app.filter_bar.scope import read_scope
from channels_app.interval import interval_of, of_percentiles, offered, read_interval
from channels_app.period import Period, read_period
from channels_app.stats import EVERYTHING, Conditions, series
from tests.factories import book, payload
from usage.models import Instance, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
# The day on which its clock goes back or forward, and the day before.
CHANGES = {
    "Europe/Berlin": ("2026-10-24", "2026-10-25"),
    "America/New_York": ("2026-03-07", "2026-03-08"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-04-05"),  # by half an hour
    "Asia/Kolkata": ("2026-04-04", "2026-04-05"),  # never, but its hours begin at half past
    "Asia/Shanghai": ("2026-10-24", "2026-10-25"),
}


def period(zone: str = "UTC", **asked: str) -> Period:
    return read_period(asked, ZoneInfo(zone), NOW)


@pytest.fixture
def records(instance: Instance) -> list[datetime]:
    """When 400 requests came, of the days on which clocks change: many at the edges themselves."""
    random, found = Random(5), list[datetime]()
    for zone, (first, last) in CHANGES.items():
        asked = period(zone, **{"from": first, "to": last})
        start, length = asked.since.astimezone(UTC), (asked.until.astimezone(UTC) - asked.since.astimezone(UTC))
        for _number in range(80):
            moment = start + random.random() * length
            if random.random() < 0.3:
                moment = datetime.fromtimestamp(moment.timestamp() // 900 * 900, UTC)
            found.append(moment)
    book(instance, *(payload(moment, request_id=str(number)) for number, moment in enumerate(found)))
    return found


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("bucket", ["15m", "1h", "6h", "1d"])
def test_sums_are_what_a_clock_on_the_wall_says(records: list[datetime], zone: str, bucket: str) -> None:
    """Each record by itself, by what the clock of the zone shows."""
    first, last = CHANGES[zone]
    asked = period(zone, **{"from": first, "to": last})
    found = edges(asked, bucket)
    sums = [requests for (requests,) in series(micros(found), EVERYTHING, (), ("requests",)).groups[()]]
    inside = [moment for moment in records if asked.since.timestamp() <= moment.timestamp() < asked.until.timestamp()]
    expected = Counter(_shown(moment, asked.zone, bucket) for moment in inside)
    told = Counter[Any]()
    for start, count in zip(found, sums, strict=False):
        told[_shown(start, asked.zone, bucket)] += count
    assert told == expected and sum(sums) == len(inside) >= 80
    midnights = [edge for edge in found if _clock(edge, asked.zone) == (0, 0)]
    if (zone, bucket) != ("Asia/Kolkata", "1h"):
        assert len(midnights) == 3  # both days begin at one, whatever is between


def _clock(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = moment.astimezone(zone)
    return local.hour, local.minute


def _shown(moment: datetime, zone: ZoneInfo, bucket: str) -> tuple[Any, ...]:
    """To which interval a moment belongs: by day and hour as the clock shows them; hours are those of UTC."""
    local = moment.astimezone(zone)
    if bucket == "1d":
        return (local.date(),)
    if bucket == "6h":
        # In whole hours of UTC: where a zone is off by half an hour, up to that much before its own six o'clock.
        six = max(hour for hour in (0, 6, 12, 18) if _six(local, hour, zone) <= moment)
        return (local.date(), six)
    start = moment.astimezone(UTC)
    if bucket == "15m":
        return (local.date(), datetime.fromtimestamp(start.timestamp() // 900 * 900, UTC))
    return (start.replace(minute=0, second=0, microsecond=0),)


def _six(local: datetime, hour: int, zone: ZoneInfo) -> datetime:
    at = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    return at if hour == 0 else at.replace(minute=0)


def test_a_quarter_of_an_hour_that_comes_twice_is_told_by_its_offset() -> None:
    day = read_period({"range": "today"}, ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 20, tzinfo=UTC))
    labels = Timeline(day, "15m", datetime(2026, 10, 25, 20, tzinfo=UTC)).labels
    assert [label for label in labels if " 02:15" in label] == [
        "10-25 02:15–02:30 (UTC+2)",
        "10-25 02:15–02:30 (UTC+1)",
    ]
    assert "10-25 03:15–03:30" in labels
    six = Timeline(day, "6h", datetime(2026, 10, 25, 23, tzinfo=UTC))
    assert six.labels == ["10-25 00:00–06:00", "10-25 06:00–12:00", "10-25 12:00–18:00", "10-25 18:00–00:00"]
    assert six.edges[1] - six.edges[0] == timedelta(hours=7)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"range": "1h"}, "1m"),
        ({"range": "6h"}, "5m"),
        ({"range": "24h"}, "15m"),
        ({"range": "today"}, "15m"),
        ({"range": "7d"}, "1h"),
        ({"range": "30d"}, "6h"),
        ({"range": "90d"}, "1d"),
        ({"days": "400"}, "1w"),
        ({"days": "1000"}, "1M"),
    ],
)
def test_intervals_are_easy_to_read(records: list[datetime], asked: dict[str, str], expected: str) -> None:
    for conditions in (EVERYTHING, Conditions(failed=True), Conditions(models=frozenset({1}))):
        assert interval_of(period(**asked), AUTO, conditions, ["channel"]) == expected


def test_where_records_are_many_what_is_not_asked_for_is_told_by_sums(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(instance, *(payload(NOW - number * timedelta(minutes=3), request_id=str(number)) for number in range(30)))
    monkeypatch.setattr(interval, "_FEW_READ", 20)
    failed = Conditions(failed=True)
    for asked in ({"range": "24h"}, {"range": "6h"}):
        by_quarters = ([], ["channel"], ["model"], ["key"])
        assert {interval_of(period(**asked), AUTO, EVERYTHING, by) for by in by_quarters} == {"15m"}
        assert {interval_of(period(**asked), AUTO, EVERYTHING, by) for by in (["account"], ["code"])} == {"1h"}
        assert interval_of(period(**asked), AUTO, failed) == "1h"
        # Percentiles are read from the records, whatever sums know.
        assert of_percentiles(Timeline(period(**asked), "15m", NOW)).bucket == "1h"
    assert of_percentiles(Timeline(period(range="1h"), "1m", NOW)).bucket == "1m"
    monkeypatch.setattr(interval, "_FEW", 20)
    assert interval_of(period(range="24h"), AUTO, EVERYTHING) == "1h"
    assert interval_of(period(range="1h"), AUTO, EVERYTHING) == "1m"  # minutes of an hour are few in any case
    assert interval_of(period(range="30d"), AUTO, EVERYTHING, ["model"]) == "6h"
    assert interval_of(period(range="30d"), AUTO, EVERYTHING, ["key"]) == "1d"
    assert interval_of(period(range="30d"), AUTO, Conditions(sources=frozenset({1}))) == "1d"
    assert interval_of(period(range="24h"), "5m", EVERYTHING) == "5m"
    assert "15m" in offered(period(range="7d"))
    monkeypatch.setattr(interval, "MOST_READ", 20)
    assert next(iter([*offered(period(range="7d"))][1:])) == "1h"
    warnings = list[str]()
    scope = read_scope(QueryDict("range=7d"), NOW)
    assert read_interval(QueryDict("bucket=15m"), scope, warnings) == AUTO and "15 minutes" in warnings[0]


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("7d", "15m", "1M"), ("30d", "1h", "1M"), ("1h", "1m", "1M"), ("90d", "6h", "1M")]
)
def test_one_step_finer_and_all_that_are_coarser_can_be_asked_for(db: None, asked: str, first: str, last: str) -> None:
    names = [*offered(period(range=asked))]
    assert (names[0], names[1], names[-1]) == (AUTO, first, last)


@pytest.mark.parametrize("address", ["/", "/channels/", "/errors/", "/records/", "/explore/", "/keys/0/"])
def test_the_bar_offers_them(reader: Client, records: list[datetime], address: str) -> None:
    with time_machine.travel(NOW, tick=False):
        UsageRecord.objects.filter(pk__lte=20).update(failed=True)
        html = reader.get(f"{address}?range=30d&bucket=1d").content.decode()
        assert "bucket=1w" in html or 'value="1w"' in html
        assert 'class="banner warn"' in reader.get(f"{address}?range=30d&bucket=1m").content.decode()
        assert 'class="banner warn"' in reader.get(f"{address}?range=30d&bucket=nonsense").content.decode()
