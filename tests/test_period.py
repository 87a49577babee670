"""Ranges are days of the report zone, exact over changes of its clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels_app.period import DEFAULT_RANGE, MAX_DAYS, RANGES, Period, PeriodError, read_period
from usage.models.fields import to_micros

SHANGHAI, KOLKATA, NEW_YORK = (ZoneInfo(name) for name in ("Asia/Shanghai", "Asia/Kolkata", "America/New_York"))
# Saturday; in New York clocks go back on Sunday, 1 November 2026, and went forward on 8 March.
NOW = datetime(2026, 10, 31, 20, 30, tzinfo=UTC)
zones = st.sampled_from([ZoneInfo("UTC"), SHANGHAI, KOLKATA, NEW_YORK, ZoneInfo("Africa/Cairo"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")])  # fmt: skip
moments = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001

calendar = st.datetimes().map(datetime.isoformat)


def utc(period: Period) -> tuple[str, str]:
    return tuple(edge.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") for edge in (period.since, period.until))  # type: ignore[return-value]


def hours(period: Period) -> float:
    return (to_micros(period.until) - to_micros(period.since)) / 3_600_000_000


@pytest.mark.parametrize(
    ("zone", "name", "since", "until"),
    [
        # In Shanghai it is 04:30 on 1 November already.
        (SHANGHAI, "today", "2026-10-31T16:00", "2026-11-01T16:00"),
        (SHANGHAI, "yesterday", "2026-10-30T16:00", "2026-10-31T16:00"),
        (SHANGHAI, "7d", "2026-10-25T16:00", "2026-11-01T16:00"),
        (SHANGHAI, "mtd", "2026-10-31T16:00", "2026-11-01T16:00"),
        (SHANGHAI, "lastmonth", "2026-09-30T16:00", "2026-10-31T16:00"),
        (SHANGHAI, "1h", "2026-10-31T19:30", "2026-10-31T21:00"),
        (KOLKATA, "today", "2026-10-31T18:30", "2026-11-01T18:30"),
        (KOLKATA, "30d", "2026-10-02T18:30", "2026-11-01T18:30"),
        (KOLKATA, "24h", "2026-10-30T20:30", "2026-10-31T21:00"),
        (NEW_YORK, "today", "2026-10-31T04:00", "2026-11-01T04:00"),
        (NEW_YORK, "mtd", "2026-10-01T04:00", "2026-11-01T04:00"),
        (NEW_YORK, "lastmonth", "2026-09-01T04:00", "2026-10-01T04:00"),
        (NEW_YORK, "90d", "2026-08-03T04:00", "2026-11-01T04:00"),
        (NEW_YORK, "all", "1970-01-01T00:00", "2100-01-01T05:00"),
    ],
)
def test_named_range_is_of_the_zone(zone: ZoneInfo, name: str, since: str, until: str) -> None:
    assert utc(read_period({"range": name}, zone, NOW)) == (since, until)


@pytest.mark.parametrize(
    ("now", "length"),
    [(datetime(2026, 11, 1, 20, tzinfo=UTC), 25), (datetime(2026, 3, 8, 20, tzinfo=UTC), 23), (NOW, 24)],
)
def test_day_on_which_clocks_change_has_all_its_hours(now: datetime, length: int) -> None:
    assert hours(read_period({"range": "today"}, NEW_YORK, now)) == length
    day = now.astimezone(NEW_YORK).date().isoformat()
    assert hours(read_period({"from": day, "to": day}, NEW_YORK, now)) == length
    last_24_hours = read_period({"range": "24h"}, NEW_YORK, now)
    assert last_24_hours.since.astimezone(UTC) == now - timedelta(hours=24)


def test_week_across_a_change_begins_and_ends_at_midnight() -> None:
    week = read_period({"range": "7d"}, NEW_YORK, NOW + timedelta(days=3))
    assert utc(week) == ("2026-10-28T04:00", "2026-11-04T05:00")


def test_without_a_question_it_is_the_default_range() -> None:
    assert read_period({}, SHANGHAI, NOW) == read_period({"range": DEFAULT_RANGE}, SHANGHAI, NOW)


def test_empty_field_of_a_form_asks_nothing() -> None:
    empty = {"range": "", "days": "", "from": "", "to": ""}
    assert read_period(empty, SHANGHAI, NOW) == read_period({}, SHANGHAI, NOW)
    assert read_period(empty | {"days": "3"}, SHANGHAI, NOW) == read_period({"days": "3"}, SHANGHAI, NOW)


@given(zones, moments, st.sampled_from(sorted(RANGES)))
def test_named_range_is_a_span_that_holds_now_or_ends_before_it(zone: ZoneInfo, now: datetime, name: str) -> None:
    period = read_period({"range": name}, zone, now)
    assert period.name == name
    assert to_micros(period.since) < to_micros(period.until)
    assert period.last_moment <= now
    if name in ("yesterday", "lastmonth"):
        assert to_micros(period.until) <= to_micros(now)
    elif name not in ("1h", "6h", "24h"):
        assert to_micros(period.since) <= to_micros(now) < to_micros(period.until)


@given(zones, st.dates(date(2005, 1, 1), date(2035, 1, 1)), st.integers(1, 400))
def test_days_follow_each_other_without_gap_or_overlap(zone: ZoneInfo, first: date, days: int) -> None:
    now = datetime.combine(first, time(12), UTC)
    dates = [first + timedelta(days=number) for number in range(0, days + 1, max(1, days // 20))]
    spans = [read_period({"from": str(a), "to": str(b - timedelta(days=1))}, zone, now) for a, b in pairwise(dates)]
    for before, after in pairwise(spans):
        assert to_micros(before.until) == to_micros(after.since)


@given(zones, moments, st.integers(1, 1000))
def test_number_of_days_counts_today(zone: ZoneInfo, now: datetime, days: int) -> None:
    period = read_period({"days": str(days)}, zone, now)
    today = now.astimezone(zone).date()
    first = period.since.astimezone(zone).date()
    assert (today - first).days == days - 1
    assert to_micros(period.since) <= to_micros(now) < to_micros(period.until)


def test_days_that_have_a_name_bear_it() -> None:
    assert read_period({"days": "30"}, SHANGHAI, NOW) == read_period({"range": "30d"}, SHANGHAI, NOW)
    assert read_period({"days": "31"}, SHANGHAI, NOW).name == ""


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({"from": "2026-10-01", "to": "2026-10-01"}, "2026-09-30T16:00", "2026-10-01T16:00"),
        ({"from": "2026-10-01T08:00", "to": "2026-10-01T09:30"}, "2026-10-01T00:00", "2026-10-01T01:30"),
        ({"from": "2026-10-01T08:00Z", "to": "2026-10-01T08:00:00-05:00"}, "2026-10-01T08:00", "2026-10-01T13:00"),
        ({"from": "2026-10-01"}, "2026-09-30T16:00", "2026-10-31T20:30"),
        ({"from": "2026-10-01", "to": ""}, "2026-09-30T16:00", "2026-10-31T20:30"),
        ({"to": "2026-10-01"}, "1970-01-01T00:00", "2026-10-01T16:00"),
        ({"from": "2026-10-01", "range": "today", "days": "3"}, "2026-09-30T16:00", "2026-10-31T20:30"),
    ],
)  # fmt: skip
def test_from_and_to(query: dict[str, str], since: str, until: str) -> None:
    period = read_period(query, SHANGHAI, NOW)
    assert utc(period) == (since, until)
    assert period.name == ""


def test_hour_that_clocks_repeat_can_be_asked_for_by_its_offset() -> None:
    first = read_period({"from": "2026-11-01T01:30-04:00", "to": "2026-11-01T01:30-05:00"}, NEW_YORK, NOW)
    assert hours(first) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"range": "8d"}, {"range": "TODAY"}, {"days": "0"}, {"days": "-1"}, {"days": "1.5"},
        {"days": "٣"}, {"days": "²"}, {"days": str(MAX_DAYS + 1)}, {"days": "9" * 5_000}, {"from": "yesterday"}, {"from": "2026-13-01"},
        {"from": "2026-10-02", "to": "2026-10-01"}, {"from": "2026-10-01T08:00", "to": "2026-10-01T08:00"},
        {"to": "9999-12-31"}, {"from": "99999-01-01"}, {"from": "2026-10-01T25:00"}, {"from": "\0"}, {"from": "2027-01-01"},
        {"from": "0001-01-01T00:00+14:00", "to": "0001-01-01T00:01+14:00"}, {"to": "9999-12-31T23:59-12:00"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words(query: dict[str, str]) -> None:
    with pytest.raises(PeriodError) as refused:
        read_period(query, SHANGHAI, NOW)
    assert str(refused.value)


def test_span_that_the_leap_of_the_clock_turns_around_is_refused() -> None:
    """02:30 does not exist on that day and means 03:30."""
    with pytest.raises(PeriodError):
        read_period({"from": "2026-03-08T02:30", "to": "2026-03-08T03:15"}, NEW_YORK, NOW)


def test_refusal_names_the_value_and_what_would_do() -> None:
    with pytest.raises(PeriodError, match=r"range=8d .*7d"):
        read_period({"range": "8d"}, SHANGHAI, NOW)
    with pytest.raises(PeriodError, match=r"to=soon .*2026-11-23"):
        read_period({"to": "soon"}, SHANGHAI, NOW)


@given(st.text(max_size=30), st.text(max_size=30), zones)
def test_no_text_makes_it_fail(since: str, until: str, zone: ZoneInfo) -> None:
    try:
        period = read_period({"from": since, "to": until}, zone, NOW)
    except PeriodError:
        return
    assert to_micros(period.since) < to_micros(period.until)


@example("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "", NEW_YORK)
@example("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "", SHANGHAI)
@example("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "Z", NEW_YORK)
@example("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "+14:00", SHANGHAI)
@given(calendar, calendar, st.sampled_from(["", "Z", "+14:00", "-12:00"]), zones)
def test_any_span_of_the_calendar_is_refused_or_can_be_written(
    since: str, until: str, offset: str, zone: ZoneInfo
) -> None:
    try:
        period = read_period({"from": since + offset, "to": until + offset}, zone, NOW)
    except PeriodError:
        return
    for edge in (period.since, period.until, period.last_moment):
        assert edge.astimezone(UTC).isoformat()
        assert edge.astimezone(zone).isoformat()
    assert to_micros(period.since) < to_micros(period.until)
