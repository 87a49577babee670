"""Keeps the sums equal to the records: additive upserts, and what proves and restores them (invariant 2).

Which sums there are follows from what is asked. Who asks for keys and accounts at once needs all dimensions; most ask for
one of the two, and over whole days, of which there are few. Failures are few, so that whatever is asked of them is cheap,
and what succeeded is all less the failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.backends.utils import CursorWrapper

from usage.ingest import space
from usage.ingest.placing import WITH_PLACES, displaced, hold_places, lock_places, place_anew
from usage.models import (
    RollupState,
    StaleHour,
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
    UsageFailures,
    UsageFailuresByChannel,
    UsageHourly,
    UsageHourlyByChannel,
    UsageHourlyByChannelModel,
    UsageHourlyByKey,
    UsageHourlyByModel,
    UsageHourlyBySource,
    UsageQuarterHourly,
    UsageRecord,
    UsageWeekly,
    UsageWeeklyByKeyChannelModel,
    UsageWeeklyBySource,
)
from usage.models.fields import to_micros

# Counts up with each change of what is summed here; what is of an older one is made anew (usage/apps.py).
VERSION = 7
# The last one that changed all sums. Of those since, GRAINS_OF tells what they brought.
_VERSION_OF_ALL = 6

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
# What each dimension is in terms of records.
OF_RECORDS = {
    "source_id": "source_id",
    "model_id": "model_id",
    "api_key_id": "COALESCE(api_key_id, 0)",
    "status_code": "COALESCE(status_code, 0)",
    "message_id": "COALESCE(message_id, 0)",
}
# And of what has a source.
_PLACED = {"channel_id": "sources.sums_channel_id"}

# Tables of this session: by quarter of an hour, and by hour, which of many records are half as many.
_STAGE, _STAGE_OF_HOURS = "changed_sums", "changed_hours"
_INTERVALS = {QUARTER_HOUR: "quarter_hour", HOUR: "hour", DAY: "day", WEEK: "week"}
_BETWEEN = "requested_at >= %s AND requested_at < %s"
_STALE = StaleHour._meta.db_table

# In a rebuild of all: the tables get a tenth larger at most, and each time their whole indexes are read.
_TIMES_SPACE_IS_GIVEN_BACK = 10

# Bucket (microseconds since 1970 UTC) and dimensions.
Key = tuple[int, ...]


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
)  # fmt: skip
GRAINS_OF = {7: (QUARTER_HOURLY, HOURLY_BY_CHANNEL_MODEL, DAILY_BY_CHANNEL_MODEL)}
# What those by channel are made of when a source goes to another one: a week of its days.
_OF_SOURCES = {
    HOURLY_BY_CHANNEL: HOURLY_BY_SOURCE,
    DAILY_BY_CHANNEL: DAILY_BY_SOURCE,
    DAILY_BY_CHANNEL_KEY: DAILY_BY_SOURCE_KEY_MODEL,
    FAILURES_BY_CHANNEL: FAILURES,
    HOURLY_BY_CHANNEL_MODEL: HOURLY,
    DAILY_BY_CHANNEL_MODEL: DAILY,
    DAILY_FAILURES_BY_CHANNEL_MODEL: DAILY_FAILURES,
    DAILY_BY_KEY_CHANNEL_MODEL: DAILY_BY_SOURCE_KEY_MODEL,
    WEEKLY_BY_KEY_CHANNEL_MODEL: DAILY_BY_SOURCE_KEY_MODEL,
}
# By source there would be nearly as many of these as records, so that those are read.
_OF_RECORDS_ALONE = (QUARTER_HOURLY,)


def add_records(first: int, last: int) -> None:
    """Add all records from one id to another to every grain. In the transaction that booked them."""
    _add("id BETWEEN %s AND %s", (first, last))
    with connection.cursor() as cursor:
        # Whose attempts are to be derived anew (usage/ingest/attempts.py).
        cursor.execute(
            f"INSERT INTO {_STALE} SELECT DISTINCT hour FROM {_STAGE_OF_HOURS} ORDER BY 1 ON CONFLICT DO NOTHING"
        )


@contextmanager
def changing(ids: Sequence[int]) -> Iterator[None]:
    """Keep the sums equal while the block changes what these records say. In a transaction that locked them."""
    if not ids:
        yield
        return
    where = f"id IN ({', '.join(['%s'] * len(ids))})"
    _add(where, ids, sign=-1)
    yield
    _add(where, ids)


def _add(where: str, parameters: Sequence[int], *, sign: int = 1, grains: Sequence[Grain] = GRAINS) -> int:
    """Records are added up once, into a table of this session; every grain is made of that. Return the rows changed.

    Keys go in order, so that two writers wait for each other and never in a circle.
    """
    figures = ", ".join(
        f"CAST({sign} * {expression} AS BIGINT) AS {name}" for name, expression in SUM_OF_RECORDS.items()
    )
    dimensions = ", ".join(f"{expression} AS {name}" for name, expression in OF_RECORDS.items())
    intervals = ", ".join(f"{_bucket(width)} AS {name}" for width, name in _INTERVALS.items())
    with connection.cursor() as cursor:
        hold_places(cursor)
        _stage(
            cursor, _STAGE, f"SELECT {intervals}, failed AS is_failed, {dimensions}, {figures} FROM {RECORDS}",
            where, parameters, len(_INTERVALS) + 1 + len(OF_RECORDS),
        )  # fmt: skip
        key = [name for width, name in _INTERVALS.items() if width >= HOUR] + ["is_failed", *OF_RECORDS]
        sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in SUMS)
        _stage(cursor, _STAGE_OF_HOURS, f"SELECT {', '.join(key)}, {sums} FROM {_STAGE}", "1 = 1", (), len(key))
        rows = 0
        for grain in grains:
            cursor.execute(_from_stage(grain))
            rows += int(cursor.rowcount)
        return rows


def _stage(
    cursor: CursorWrapper, table: str, query: str, where: str, parameters: Sequence[int], dimensions: int
) -> None:
    """Make a table of this session of what `query` finds, grouped by its first columns."""
    temporary = "ON COMMIT DELETE ROWS" if connection.vendor == "postgresql" else ""
    groups = f"GROUP BY {', '.join(str(place) for place in range(1, dimensions + 1))}"
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} {temporary} AS {query} WHERE 1 = 0 {groups}")
    cursor.execute(f"DELETE FROM {table}")
    cursor.execute(f"INSERT INTO {table} {query} WHERE {where} {groups}", parameters)


def _from_stage(grain: Grain, *, sign: int = 1) -> str:
    bucket, which = _INTERVALS[grain.width], "is_failed" if grain.only_failed else "1 = 1"
    table = _STAGE_OF_HOURS if grain.width >= HOUR else _STAGE
    return _addition(grain, bucket, table, which, sign=sign)


def _addition(grain: Grain, bucket: str, table: str, where: str, *, sign: int = 1) -> str:
    """Return the statement that adds the sums of `table`, or takes them off."""
    dimensions = (_PLACED.get(name, name) for name in grain.dimensions)
    sums = ", ".join(f"CAST({sign} * SUM({name}) AS BIGINT)" for name in SUMS)
    key, places = ", ".join(grain.key), ", ".join(str(place) for place in range(1, len(grain.key) + 1))
    additions = ", ".join(f"{name} = {grain.table}.{name} + excluded.{name}" for name in SUMS)
    return (
        f"{_into(grain)} SELECT {', '.join((bucket, *dimensions))}, {sums} FROM {table} {_with_places(grain)} "
        f"WHERE {where} GROUP BY {places} ORDER BY {places} ON CONFLICT ({key}) DO UPDATE SET {additions}"
    )


def _with_places(grain: Grain) -> str:
    return WITH_PLACES if any(name in _PLACED for name in grain.dimensions) else ""


def follow_names() -> int:
    """Move the sums of sources that mean another channel by now; return how many sources."""
    if not displaced(DEFAULT_DB_ALIAS):
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        lock_places(cursor)
        sources = displaced(DEFAULT_DB_ALIAS)
        some = ", ".join(map(str, sources)) or "NULL"
        for grain, by_source in _OF_SOURCES.items():
            cursor.execute(
                _addition(grain, _bucket(grain.width, "bucket"), by_source.table, f"source_id IN ({some})", sign=-1)
            )
        _add(*_records_of(cursor, some), sign=-1, grains=_OF_RECORDS_ALONE)
        place_anew(cursor, f"id IN ({some})")
        for grain, by_source in _OF_SOURCES.items():
            cursor.execute(_addition(grain, _bucket(grain.width, "bucket"), by_source.table, f"source_id IN ({some})"))
        for grain in _OF_RECORDS_ALONE:
            cursor.execute(_from_stage(grain, sign=-1))  # where they are as they were taken off
        for grain in (*_OF_SOURCES, *_OF_RECORDS_ALONE):
            cursor.execute(f"DELETE FROM {grain.table} WHERE requests = 0")
    return len(sources)


def _records_of(cursor: CursorWrapper, sources: str) -> tuple[str, list[int]]:
    """Return what the records of sources fulfil: the hours first, because there is no index of sources."""
    cursor.execute(f"SELECT MIN(bucket), MAX(bucket) FROM {HOURLY_BY_SOURCE.table} WHERE source_id IN ({sources})")
    first, last = (bucket or 0 for bucket in cursor.fetchone())
    return f"{_BETWEEN} AND source_id IN ({sources})", [max(first, records_since()), last + HOUR]


def forget_quarter_hours(until: int) -> None:
    """Delete those of pruned records (microseconds since 1970 UTC): hours answer for them, and only records could move them
    to another channel.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {QUARTER_HOURLY.table} WHERE bucket < %s", [until])


def rebuild(since: int = 0, until: int = FOREVER, grains: Sequence[Grain] = GRAINS) -> int:
    """Make the sums of all days and weeks that have a part in [since, until) (microseconds since 1970 UTC) anew from the
    records; return how many rows those are.

    Day by day: records that come meanwhile wait for one day at most. Sums of pruned records stay.
    """
    rows, kept_since = 0, records_since()
    days = [day for day in _days() if day < until and since < day + (WEEK if day == WEEKLY.start_of(day) else DAY)]
    for number, day in enumerate(days, 1):
        rows += _rebuild_day(day, kept_since, grains)
        if number % max(len(days) // _TIMES_SPACE_IS_GIVEN_BACK, 1) == 0:
            space.give_back(*(grain.table for grain in grains))
    if (since, until) == (0, FOREVER) and {*outdated()} <= {*grains}:
        RollupState.objects.update_or_create(pk=1, defaults={"version": VERSION, "day_offset": DAILY.offset})
    return rows


def _rebuild_day(day: int, kept_since: int, grains: Sequence[Grain]) -> int:
    rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        hold_places(cursor)
        if connection.vendor == "postgresql":
            # Those who have booked but not committed are waited for; those who come later add to our rows.
            for grain in grains:
                cursor.execute(f"LOCK TABLE {grain.table} IN EXCLUSIVE MODE")
        for width in _INTERVALS:  # some zones cut days within an hour
            some = [grain for grain in grains if grain.width == width]
            if not some:
                continue
            first, end = max(some[0].end_of(day), some[0].end_of(kept_since)), some[0].end_of(day + DAY)
            if first >= end:
                continue
            for grain in some:
                cursor.execute(f"DELETE FROM {grain.table} WHERE bucket >= %s AND bucket < %s", [first, end])
            rows += _add(_BETWEEN, (first, end), grains=some)
    return rows


def outdated() -> tuple[Grain, ...]:
    """Return whose sums are of an older definition than this one: all, if they are of the days of another time zone.

    The others stay as they are, since to make all anew takes minutes of a large ledger.
    """
    state = RollupState.objects.filter(day_offset=DAILY.offset).first()
    if state is None or not _VERSION_OF_ALL <= state.version <= VERSION:
        return GRAINS
    newer = {grain for version, grains in GRAINS_OF.items() if version > state.version for grain in grains}
    return tuple(grain for grain in GRAINS if grain in newer)


def records_since(database: str = DEFAULT_DB_ALIAS) -> int:
    """Return the first microsecond (since 1970 UTC) of the days that records are kept of; 0 where none were pruned."""
    state = RollupState.objects.using(database).filter(records_since__isnull=False).first()
    return to_micros(state.records_since) if state and state.records_since else 0


def differences(limit: int = 10) -> list[tuple[str, Key]]:
    """Return table and key of sums that differ from the records, `limit` a table at most; none is the invariant.

    Day by day: all at once would take as much memory as there are sums. One statement sees one moment; a transaction
    would keep all writers of SQLite out while it reads every record.
    """
    found, kept_since, days = [], records_since(), _days()
    for grain in GRAINS:
        differing: list[tuple[str, Key]] = []
        for day in days:
            first = max(grain.end_of(day), grain.end_of(kept_since))
            differing += _differences_between(grain, first, grain.end_of(day + DAY), limit - len(differing))
            if len(differing) >= limit:
                break
        found += differing
    return found


def _days() -> list[int]:
    """Return the beginning of each day that has records or sums, or with which a week begins that has."""
    offset, of_hour = DAILY.offset, _bucket(HOUR)
    queries = [("requested_at", RECORDS), (of_hour, RECORDS), *(("bucket", grain.table) for grain in GRAINS)]
    union = " UNION ".join(
        f"SELECT DISTINCT ({moment} + {offset}) / {DAY} * {DAY} - {offset} FROM {table}" for moment, table in queries
    )
    with connection.cursor() as cursor:
        cursor.execute(union)
        days = {day for (day,) in cursor.fetchall()}
    # A week is looked at on its first day.
    return sorted(days | {WEEKLY.start_of(day) for day in days})


def _differences_between(grain: Grain, first: int, end: int, limit: int) -> list[tuple[str, Key]]:
    sums = f"SELECT {', '.join(grain.columns)} FROM {grain.table} WHERE bucket >= %s AND bucket < %s"
    records = _sums_of_records(grain, _BETWEEN)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT {', '.join(grain.key)} FROM ({sums} UNION ALL {records}) AS both_sides "
            f"GROUP BY {', '.join(grain.columns)} HAVING count(*) = 1 LIMIT %s",
            [*[first, end] * 2, limit],
        )
        return [(grain.table, tuple(key)) for key in cursor.fetchall()]


def _into(grain: Grain) -> str:
    return f"INSERT INTO {grain.table} ({', '.join(grain.columns)})"


def _bucket(width: int, moment: str = "requested_at") -> str:
    """Of integers, and none is before 1970."""
    offset = _offset(width)
    return f"({moment} + {offset}) / {width} * {width} - {offset}"


def _sums_of_records(grain: Grain, where: str) -> str:
    dimensions = ", ".join(f"{(OF_RECORDS | _PLACED)[name]} AS {name}" for name in grain.dimensions)
    sums = ", ".join(f"CAST({expression} AS BIGINT)" for expression in SUM_OF_RECORDS.values())
    failed = "AND failed" if grain.only_failed else ""
    return (
        f"SELECT {_bucket(grain.width)} AS bucket, {dimensions}, {sums} FROM {RECORDS} {_with_places(grain)} "
        f"WHERE {where} {failed} "
        f"GROUP BY {', '.join(map(str, range(1, len(grain.key) + 1)))}"
    )
