"""The period that one is compared with: like with like (`ui.md` 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from channels_app.period import Period

PREVIOUS, WEEK, OFF = "prev", "week", "off"
COMPARISONS = (PREVIOUS, WEEK, OFF)
_DAY = timedelta(days=1)
_MONTHS = ("mtd", "lastmonth")
_ROLLING = ("1h", "6h", "24h", "")


def compared_with(period: Period, comparison: str) -> Period | None:
    """Return the period that `comparison` means; None where there is none.

    A period that has not ended is compared with the same elapsed part of the one before.
    """
    if comparison == OFF or period.name == "all":
        return None
    elapsed = replace(period, until=min(period.until, max(period.asked_at, period.since)))
    if comparison == WEEK:
        length = (elapsed.until - elapsed.since).total_seconds()
        weeks = max(1, -int(-length // (7 * _DAY.total_seconds())))
        return _shifted(elapsed, weeks * 7)
    if period.name in _MONTHS:
        return _month_before(elapsed)
    if period.name in _ROLLING:
        length_of_all = elapsed.until.astimezone(UTC) - elapsed.since.astimezone(UTC)
        return replace(elapsed, since=elapsed.since.astimezone(UTC) - length_of_all, until=elapsed.since, name="")
    return _shifted(elapsed, _days(period))


def _days(period: Period) -> int:
    """Whole days of the zone, some of which have 23 or 25 hours."""
    zone = period.zone
    return (period.until.astimezone(zone).date() - period.since.astimezone(zone).date()).days


def _shifted(period: Period, days: int) -> Period:
    """The same times of the clock, so many days before."""
    zone = period.zone
    since, until = (
        datetime.combine(moment.date() - days * _DAY, moment.timetz())
        for moment in (period.since.astimezone(zone), period.until.astimezone(zone))
    )
    return replace(period, since=since, until=until, name="")


def _month_before(period: Period) -> Period:
    """As far into the month as we are in this one, or to its end."""
    zone = period.zone
    first = period.since.astimezone(zone).date()
    before = (first - _DAY).replace(day=1)
    since = datetime.combine(before, time.min, zone)
    elapsed = period.until.astimezone(UTC) - period.since.astimezone(UTC)
    if period.name == "lastmonth":
        return replace(period, since=since, until=period.since, name="")
    until = min(since.astimezone(UTC) + elapsed, period.since.astimezone(UTC))
    return replace(period, since=since, until=until, name="")
