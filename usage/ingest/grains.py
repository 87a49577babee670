"""What is added up of records, in which tables (invariant 2): usage/ingest/rollup.py keeps them.

Which sums there are follows from what is asked. Who asks for keys and accounts at once needs all dimensions; most ask for
one of the two, and over whole days, of which there are few. Failures are few, so that whatever is asked of them is cheap,
and what succeeded is all less the failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings

from usage.models import (
    UsageDaily,
    UsageDailyByChannel,
    UsageDailyByChannelKey,
    UsageDailyByChannelModel,
    UsageDailyByKey,
    UsageDailyByKeyChannelModel,
    UsageDailyByModel,
    UsageDailyBySource,
    UsageDailyBySourceKeyModel,
    UsageDailyFailureKinds,
    UsageDailyFailures,
    UsageDailyFailuresByChannelModel,
    UsageDailyFailuresByKey,
    UsageDailyFailuresByKeyChannelModel,
    UsageDailyFailuresBySourceKeyModel,
    UsageFailures,
    UsageFailuresByChannel,
    UsageHourly,
    UsageHourlyByChannel,
    UsageHourlyByChannelModel,
    UsageHourlyByKey,
    UsageHourlyByModel,
    UsageHourlyBySource,
    UsageQuarterHourly,
    UsageQuarterHourlyByKey,
    UsageRecord,
    UsageWeekly,
    UsageWeeklyByKeyChannelModel,
    UsageWeeklyBySource,
)

# Counts up with each change of what is summed here; what is of an older one is made anew (usage/apps.py).
VERSION = 8
# The last one that changed all sums. Of those since, GRAINS_OF tells what they brought.
VERSION_OF_ALL = 6

HOUR = timedelta(hours=1) // timedelta(microseconds=1)
QUARTER_HOUR = HOUR // 4
DAY = 24 * HOUR
WEEK = 7 * DAY
FOREVER = 2**63 - 1
TOKENS = ("uncached_input", "cache_read", "cache_write", "output", "reasoning", "unclassified")
RECORDS = UsageRecord._meta.db_table

# Each count fits into four bytes, but not their sum.
TOTAL = f"CAST({TOKENS[0]} AS BIGINT) + {' + '.join(TOKENS[1:])}"
_SUCCEEDED = "NOT failed AND generate"
# A speed needs a first token, and a while after it (ui.md M24).
_TIMED = f"{_SUCCEEDED} AND ttft_ms > 0 AND latency_ms - ttft_ms >= 100 AND output + reasoning > 0"
# Of one record, in tenths of tokens a second; null where it has none.
SPEED = f"CASE WHEN {_TIMED} THEN (CAST(output AS BIGINT) + reasoning) * 10000 / (latency_ms - ttft_ms) END"
_ESTIMATED, _UNCLASSIFIED, _INCONSISTENT = (
    int(quality) for quality in (UsageRecord.Quality.ESTIMATED, UsageRecord.Quality.UNCLASSIFIED,
                                 UsageRecord.Quality.INCONSISTENT)
)  # fmt: skip


def _count(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _sum(value: str, condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN {value} ELSE 0 END)"


# What each sum is in terms of records; the same text on SQLite and PostgreSQL.
SUM_OF_RECORDS = {
    "requests": "COUNT(*)",
    "failed": _count("failed"),
    **{name: f"SUM({name})" for name in TOKENS},
    "priced_requests": "COUNT(cost_nanousd)",
    "priced_succeeded": _count("NOT failed AND cost_nanousd IS NOT NULL"),
    "priced_tokens": _sum(TOTAL, "cost_nanousd IS NOT NULL"),
    "cost_nanousd": "COALESCE(SUM(cost_nanousd), 0)",
    "saved_nanousd": "COALESCE(SUM(saved_nanousd), 0)",
    "timed_output": _sum("output + reasoning", _TIMED),
    "timed_ms": _sum("latency_ms - ttft_ms", _TIMED),
    "without_usage": _count(f"{_SUCCEEDED} AND {TOTAL} = 0"),
    "unused_failures": _count(f"failed AND {TOTAL} = 0"),
    "estimated_requests": _count(f"quality = {_ESTIMATED}"),
    "unclassified_requests": _count(f"quality = {_UNCLASSIFIED}"),
    "inconsistent_requests": _count(f"quality = {_INCONSISTENT}"),
    "without_request_id": _count("request_id = ''"),
}
SUMS = tuple(SUM_OF_RECORDS)
# A sum of several, which no table keeps: to add up one figure takes a third less than six.
TOTALS = {"total_tokens": TOTAL}
# What each dimension is in terms of records.
OF_RECORDS = {
    "source_id": "source_id",
    "model_id": "model_id",
    "api_key_id": "COALESCE(api_key_id, 0)",
    "status_code": "COALESCE(status_code, 0)",
    "message_id": "COALESCE(message_id, 0)",
}
# And of what has a source.
PLACED = {"channel_id": "sources.sums_channel_id"}


@lru_cache
def standard_offset(zone: str) -> int:
    """Return how much later than UTC the clocks of `zone` are without summer time, in microseconds."""
    months = (datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7))
    return min(offset for offset in months if offset is not None) // timedelta(microseconds=1)


def _offset(width: int) -> int:
    return 0 if width <= HOUR else standard_offset(settings.TIME_ZONE)


@dataclass(frozen=True, slots=True)
class Grain:
    """A table of sums: a row for each interval of `width` microseconds and value of `dimensions`.

    Hours, and their quarters, are those of UTC. Days are those of the report time zone, of which most questions are, but for
    the hour that its summer time adds: for that, as for the days of any other zone, hours make up at both ends.
    """

    table: str
    width: int
    dimensions: tuple[str, ...]
    only_failed: bool = False

    @property
    def offset(self) -> int:
        """How much later than UTC its intervals' clock is, in microseconds."""
        return _offset(self.width)

    def start_of(self, moment: int) -> int:
        return moment - (moment + self.offset) % self.width

    def end_of(self, moment: int) -> int:
        """Return the first start at `moment` or after it."""
        return self.start_of(moment + self.width - 1)

    @property
    def key(self) -> tuple[str, ...]:
        return ("bucket", *self.dimensions)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *SUMS)


_ALL = ("source_id", "model_id", "api_key_id")
HOURLY = Grain(UsageHourly._meta.db_table, HOUR, _ALL)
DAILY = Grain(UsageDaily._meta.db_table, DAY, ("source_id", "model_id"))
WEEKLY = Grain(UsageWeekly._meta.db_table, WEEK, ("source_id", "model_id"))
DAILY_BY_SOURCE = Grain(UsageDailyBySource._meta.db_table, DAY, ("source_id",))
HOURLY_BY_SOURCE = Grain(UsageHourlyBySource._meta.db_table, HOUR, ("source_id",))
HOURLY_BY_KEY = Grain(UsageHourlyByKey._meta.db_table, HOUR, ("api_key_id",))
HOURLY_BY_MODEL = Grain(UsageHourlyByModel._meta.db_table, HOUR, ("model_id",))
DAILY_BY_MODEL = Grain(UsageDailyByModel._meta.db_table, DAY, ("model_id",))
DAILY_BY_KEY = Grain(UsageDailyByKey._meta.db_table, DAY, ("api_key_id",))
DAILY_BY_KEY_CHANNEL_MODEL = Grain(
    UsageDailyByKeyChannelModel._meta.db_table, DAY, ("api_key_id", "channel_id", "model_id")
)
DAILY_BY_SOURCE_KEY_MODEL = Grain(
    UsageDailyBySourceKeyModel._meta.db_table, DAY, ("source_id", "api_key_id", "model_id")
)
QUARTER_HOURLY = Grain(UsageQuarterHourly._meta.db_table, QUARTER_HOUR, ("channel_id", "model_id"))
QUARTER_HOURLY_BY_KEY = Grain(UsageQuarterHourlyByKey._meta.db_table, QUARTER_HOUR, ("api_key_id",))
HOURLY_BY_CHANNEL_MODEL = Grain(UsageHourlyByChannelModel._meta.db_table, HOUR, ("channel_id", "model_id"))
DAILY_BY_CHANNEL_MODEL = Grain(UsageDailyByChannelModel._meta.db_table, DAY, ("channel_id", "model_id"))
HOURLY_BY_CHANNEL = Grain(UsageHourlyByChannel._meta.db_table, HOUR, ("channel_id",))
DAILY_BY_CHANNEL = Grain(UsageDailyByChannel._meta.db_table, DAY, ("channel_id",))
DAILY_BY_CHANNEL_KEY = Grain(UsageDailyByChannelKey._meta.db_table, DAY, ("channel_id", "api_key_id"))
WEEKLY_BY_KEY_CHANNEL_MODEL = Grain(
    UsageWeeklyByKeyChannelModel._meta.db_table, WEEK, ("api_key_id", "channel_id", "model_id")
)
WEEKLY_BY_SOURCE = Grain(UsageWeeklyBySource._meta.db_table, WEEK, ("source_id",))
FAILURES = Grain(UsageFailures._meta.db_table, HOUR, (*_ALL, "status_code", "message_id"), only_failed=True)
DAILY_FAILURES = Grain(
    UsageDailyFailures._meta.db_table, DAY, ("source_id", "model_id", "status_code"), only_failed=True
)
DAILY_FAILURES_BY_KEY = Grain(
    UsageDailyFailuresByKey._meta.db_table, DAY, ("api_key_id", "status_code"), only_failed=True
)
DAILY_FAILURES_BY_CHANNEL_MODEL = Grain(
    UsageDailyFailuresByChannelModel._meta.db_table, DAY, ("channel_id", "model_id", "status_code"), only_failed=True
)
DAILY_FAILURES_BY_SOURCE_KEY_MODEL = Grain(
    UsageDailyFailuresBySourceKeyModel._meta.db_table, DAY, (*_ALL, "status_code"), only_failed=True
)
DAILY_FAILURES_BY_KEY_CHANNEL_MODEL = Grain(
    UsageDailyFailuresByKeyChannelModel._meta.db_table, DAY,
    ("api_key_id", "channel_id", "model_id", "status_code"), only_failed=True,
)  # fmt: skip
FAILURES_BY_CHANNEL = Grain(
    UsageFailuresByChannel._meta.db_table, HOUR, ("channel_id", "status_code"), only_failed=True
)
DAILY_FAILURE_KINDS = Grain(UsageDailyFailureKinds._meta.db_table, DAY, ("status_code", "message_id"), only_failed=True)
# In the order in which writers come to them.
GRAINS = (
    HOURLY, HOURLY_BY_SOURCE, HOURLY_BY_MODEL,
    DAILY, DAILY_BY_SOURCE, DAILY_BY_MODEL, DAILY_BY_KEY_CHANNEL_MODEL, DAILY_BY_KEY, DAILY_BY_SOURCE_KEY_MODEL,
    WEEKLY, WEEKLY_BY_SOURCE, WEEKLY_BY_KEY_CHANNEL_MODEL, FAILURES, DAILY_FAILURES, DAILY_FAILURE_KINDS,
    HOURLY_BY_CHANNEL, DAILY_BY_CHANNEL, DAILY_BY_CHANNEL_KEY, DAILY_FAILURES_BY_KEY, FAILURES_BY_CHANNEL,
    QUARTER_HOURLY, HOURLY_BY_CHANNEL_MODEL, DAILY_BY_CHANNEL_MODEL, HOURLY_BY_KEY, DAILY_FAILURES_BY_CHANNEL_MODEL,
    QUARTER_HOURLY_BY_KEY, DAILY_FAILURES_BY_SOURCE_KEY_MODEL, DAILY_FAILURES_BY_KEY_CHANNEL_MODEL,
)  # fmt: skip
GRAINS_OF = {
    7: (QUARTER_HOURLY, HOURLY_BY_CHANNEL_MODEL, DAILY_BY_CHANNEL_MODEL),
    8: (QUARTER_HOURLY_BY_KEY, DAILY_FAILURES_BY_SOURCE_KEY_MODEL, DAILY_FAILURES_BY_KEY_CHANNEL_MODEL),
}
# Of records that are kept: hours answer for the others.
QUARTER_HOURS = (QUARTER_HOURLY, QUARTER_HOURLY_BY_KEY)
# What those by channel are made of when a source goes to another one: a week of its days.
OF_SOURCES = {
    HOURLY_BY_CHANNEL: HOURLY_BY_SOURCE,
    DAILY_BY_CHANNEL: DAILY_BY_SOURCE,
    DAILY_BY_CHANNEL_KEY: DAILY_BY_SOURCE_KEY_MODEL,
    FAILURES_BY_CHANNEL: FAILURES,
    HOURLY_BY_CHANNEL_MODEL: HOURLY,
    DAILY_BY_CHANNEL_MODEL: DAILY,
    DAILY_FAILURES_BY_CHANNEL_MODEL: DAILY_FAILURES,
    DAILY_FAILURES_BY_KEY_CHANNEL_MODEL: DAILY_FAILURES_BY_SOURCE_KEY_MODEL,
    DAILY_BY_KEY_CHANNEL_MODEL: DAILY_BY_SOURCE_KEY_MODEL,
    WEEKLY_BY_KEY_CHANNEL_MODEL: DAILY_BY_SOURCE_KEY_MODEL,
}
# By source there would be nearly as many of these as records, so that those are read.
OF_RECORDS_ALONE = (QUARTER_HOURLY,)


def bucket_of(width: int, moment: str = "requested_at") -> str:
    """Of integers, and none is before 1970."""
    offset = _offset(width)
    return f"({moment} + {offset}) / {width} * {width} - {offset}"
