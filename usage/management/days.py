"""Days as the arguments of commands give them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandError

from usage.ingest.grains import FOREVER
from usage.models.fields import to_micros


def span_of_days(first: str | None, last: str | None) -> tuple[int, int]:
    """Return when `first` begins and `last` ends, in microseconds since 1970 UTC; without one it is all before, after."""
    since, until = start_of(first) if first else 0, start_of(last, days=1) if last else FOREVER
    if since >= until:
        raise CommandError(f"--from {first} is after --to {last}")
    return since, until


def start_of(day: str, days: int = 0) -> int:
    """Return when `day`, or so many days after it, begins in the report time zone, in microseconds since 1970 UTC."""
    try:
        start = datetime.combine(date.fromisoformat(day) + timedelta(days), time(), ZoneInfo(settings.TIME_ZONE))
    except (ValueError, OverflowError):
        raise CommandError(f"{day!r} is no day; write it as YYYY-MM-DD") from None
    return to_micros(start)
