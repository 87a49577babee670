"""The intervals of a time series: cut by the clock of the report time zone (`ui.md` 5).

Within a day they are of whole hours of UTC, which a zone's hours are too but for some: in India half past six would be
known by reading every record alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from channels_app.period import Period
from channels_app.site import site
from usage.models.fields import to_micros

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AUTO = "auto"
# Up to which span each is chosen, where nobody says which.
BUCKETS = {
    "1m": 2 * _HOUR,
    "5m": 12 * _HOUR,
    "15m": 36 * _HOUR,
    "1h": 8 * _DAY,
    "6h": 32 * _DAY,
    "1d": 180 * _DAY,
    "1w": 731 * _DAY,
    "1M": timedelta.max,
}
_STEPS = {"1m": _MINUTE, "5m": 5 * _MINUTE, "15m": 15 * _MINUTE, "1h": _HOUR}
# Shorter than an hour, of which there are no sums.
MINUTES = ("1m", "5m", "15m")
# A finer one of a long span is more than anybody can see.
MOST = 1_500


def choose(period: Period) -> str:
    """Return the bucket in which a period is easy to read."""
    length = _last(period) - period.since
    return next(name for name, longest in BUCKETS.items() if length <= longest)


def edges(period: Period, bucket: str) -> list[datetime]:
    """Return where the buckets of `period` begin, and its end: the first and the last may be cut short.

    Raises ValueError where there would be more than MOST.
    """
    since, until = period.since.astimezone(UTC), _last(period).astimezone(UTC)
    found = [since]
    for start in takewhile(lambda start: start < until, _starts(since, period.zone, bucket)):
        if start > since:
            found.append(start)
        if len(found) > MOST:
            raise ValueError(bucket)
    return [*found, until]


def _last(period: Period) -> datetime:
    """Time without end has a last record, but no last bucket."""
    tomorrow = _midnight(period.asked_at.astimezone(period.zone).date() + _DAY, period.zone)
    return min(period.until, max(tomorrow, period.since + _MINUTE)) if period.name == "all" else period.until


def _starts(since: datetime, zone: ZoneInfo, bucket: str) -> Iterator[datetime]:
    """Yield the beginnings of buckets (UTC), from the one that holds `since` on, for ever."""
    day = since.astimezone(zone).date()
    if bucket in _STEPS:
        yield from _steps(since, _STEPS[bucket])
    elif bucket == "1M":
        month = day.replace(day=1)
        while True:
            yield _midnight(month, zone)
            month = (month + 32 * _DAY).replace(day=1)
    first = day - timedelta(days=(day.weekday() - site().week_start) % 7) if bucket == "1w" else day
    while True:
        yield _midnight(first, zone)
        if bucket == "6h":
            yield from (_at(first, hour, zone).replace(minute=0) for hour in (6, 12, 18))
        first += 7 * _DAY if bucket == "1w" else _DAY


def _steps(since: datetime, step: timedelta) -> Iterator[datetime]:
    start = since - timedelta(minutes=since.minute, seconds=since.second, microseconds=since.microsecond) % step
    while True:
        yield start
        start += step


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _at(day, 0, zone)


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)


def micros(moments: list[datetime]) -> list[int]:
    return [to_micros(moment) for moment in moments]
