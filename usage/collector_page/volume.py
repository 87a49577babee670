"""How many records came lately, and how good they are: small queries that stay small beside millions of records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Sum

from usage.ingest.grains import HOUR, HOURLY, RECORDS, TOKENS
from usage.models import UsageHourlyBySource, UsageRecord
from usage.models.fields import to_micros

_MINUTE = HOUR // 60
_HOURS = 24
# The quality of more would take longer to add up and say nothing else.
SAMPLE = 10_000
_AHEAD = timedelta(minutes=2) // timedelta(microseconds=1)


@dataclass(slots=True)
class Volume:
    """Records of one server by the time of their request; `hours` are the last 24 clock hours, oldest first."""

    minute: int
    hour: int
    day: int
    hours: list[int]

    @property
    def peak(self) -> int:
        """The most of an hour."""
        return max(self.hours)

    @classmethod
    def none(cls) -> Volume:
        return cls(0, 0, 0, [0] * _HOURS)


def volumes(now: datetime) -> dict[int, Volume]:
    """Return the records of the last minute, hour and 24 hours by server: whole hours from the rollup."""
    instant = to_micros(now)
    this_hour = HOURLY.start_of(instant)
    first = this_hour - (_HOURS - 1) * HOUR
    minute = _records(instant - _MINUTE, instant + HOUR)
    of_hour = _records(instant - HOUR, this_hour)
    of_day = _records(instant - _HOURS * HOUR, first)
    hours = _hours(first)
    return {
        pk: Volume(minute[pk], of_hour[pk] + hours[pk][-1], of_day[pk] + sum(hours[pk]), hours[pk])
        for pk in {*minute, *of_hour, *of_day, *hours}
    }


def _records(since: int, until: int) -> defaultdict[int, int]:
    """Count the records of each server in `[since, until)`, less than an hour."""
    rows = UsageRecord.objects.filter(requested_at__gte=since, requested_at__lt=until).values("source__instance")
    return defaultdict(int, {row["source__instance"]: row["records"] for row in rows.annotate(records=Count("pk"))})


def _hours(first: int) -> defaultdict[int, list[int]]:
    """Return the records of each hour from `first` on, by server."""
    found: defaultdict[int, list[int]] = defaultdict(lambda: [0] * _HOURS)
    rows = UsageHourlyBySource.objects.filter(bucket__gte=first, bucket__lt=first + _HOURS * HOUR).order_by()
    for pk, bucket, requests in rows.values_list("source__instance", "bucket").annotate(Sum("requests")):
        found[pk][(to_micros(bucket) - first) // HOUR] = requests
    return found


@dataclass(frozen=True, slots=True)
class Quality:
    """What the last records lack; each number counts records among `looked_at`."""

    looked_at: int
    complete: int
    estimated: int
    unclassified: int
    inconsistent: int
    without_usage: int
    without_request_id: int
    without_ttft: int
    ahead_of_clock: int

    @property
    def is_sample(self) -> bool:
        return self.looked_at == SAMPLE


# A record that answers for itself: only of one that succeeded and generated is more to be expected.
_ANSWERED = "NOT failed AND generate"
_TESTS = {
    "looked_at": "1 = 1",
    **{
        name: f"quality = {UsageRecord.Quality[name.upper()].value}"
        for name in ("complete", "estimated", "unclassified", "inconsistent")
    },
    "without_usage": f"{_ANSWERED} AND {' + '.join(TOKENS)} = 0",
    "without_request_id": "request_id = ''",
    "without_ttft": f"{_ANSWERED} AND ttft_ms IS NULL",
    "ahead_of_clock": f"requested_at > received_at + {_AHEAD}",
}


def quality(now: datetime) -> Quality:
    """Look at the records of the last 24 hours, the newest SAMPLE of them."""
    sums = ", ".join(f"COALESCE(SUM(CASE WHEN {_TESTS[field.name]} THEN 1 ELSE 0 END), 0)" for field in fields(Quality))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sums} FROM (SELECT * FROM {RECORDS} WHERE requested_at >= %s "
            f"ORDER BY requested_at DESC LIMIT {SAMPLE}) AS latest",
            [to_micros(now) - _HOURS * HOUR],
        )
        return Quality(*cursor.fetchone())
