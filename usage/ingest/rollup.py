"""Keeps the sums (usage/ingest/grains.py) equal to the records: additive upserts, and what proves and restores them
(invariant 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.backends.utils import CursorWrapper

from usage.ingest import space
from usage.ingest.grains import (
    DAILY,
    DAY,
    FOREVER,
    GRAINS,
    GRAINS_OF,
    HOUR,
    HOURLY_BY_SOURCE,
    OF_RECORDS,
    OF_RECORDS_ALONE,
    OF_SOURCES,
    PLACED,
    QUARTER_HOUR,
    QUARTER_HOURS,
    RECORDS,
    SUM_OF_RECORDS,
    SUMS,
    VERSION,
    VERSION_OF_ALL,
    WEEK,
    WEEKLY,
    Grain,
    bucket_of,
)
from usage.ingest.placing import WITH_PLACES, displaced, hold_places, lock_places, place_anew
from usage.models import RollupState, StaleHour
from usage.models.fields import to_micros

# Tables of this session: by quarter of an hour; by hour, which of many records are half as many; and these by channel in
# place of sources, which again are less than half. An hour may have a part in two days of the report time zone, and is two.
_STAGE, _STAGE_OF_HOURS, _STAGE_OF_CHANNELS = "changed_sums", "changed_hours", "changed_channels"
# What the bucket of a grain is made of in each.
_INTERVALS = {QUARTER_HOUR: "quarter_hour", HOUR: "hour", DAY: "day", WEEK: "day"}
_OF_STAGE = ("is_failed", *OF_RECORDS)
_BETWEEN = "requested_at >= %s AND requested_at < %s"
_STALE = StaleHour._meta.db_table

# In a rebuild of all: the tables get a tenth larger at most, and each time their whole indexes are read.
_TIMES_SPACE_IS_GIVEN_BACK = 10

# Bucket (microseconds since 1970 UTC) and dimensions.
Key = tuple[int, ...]


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
    with connection.cursor() as cursor:
        hold_places(cursor)
        _stage(
            cursor, _STAGE, f"SELECT {bucket_of(QUARTER_HOUR)} AS quarter_hour, failed AS is_failed, {dimensions}, {figures} FROM {RECORDS}",
            where, parameters, 1 + len(_OF_STAGE),
        )  # fmt: skip
        intervals = [f"{bucket_of(width, 'quarter_hour')} AS {_INTERVALS[width]}" for width in (HOUR, DAY)]
        _stage_again(cursor, _STAGE_OF_HOURS, [*intervals, *_OF_STAGE], _STAGE)
        channels = (f"{PLACED['channel_id']} AS channel_id" if name == "source_id" else name for name in _OF_STAGE)
        _stage_again(cursor, _STAGE_OF_CHANNELS, ["hour", "day", *channels], f"{_STAGE_OF_HOURS} {WITH_PLACES}")
        rows = 0
        for grain in grains:
            cursor.execute(_from_stage(grain))
            rows += int(cursor.rowcount)
        return rows


def _stage_again(cursor: CursorWrapper, table: str, key: Sequence[str], other: str) -> None:
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in SUMS)
    _stage(cursor, table, f"SELECT {', '.join(key)}, {sums} FROM {other}", "1 = 1", (), len(key))


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
    bucket = bucket_of(grain.width, _INTERVALS[grain.width])
    which = "is_failed" if grain.only_failed else "1 = 1"
    if grain.width < HOUR:
        return _addition(grain, bucket, _STAGE, which, sign=sign)
    if "source_id" in grain.dimensions:
        return _addition(grain, bucket, _STAGE_OF_HOURS, which, sign=sign)
    return _addition(grain, bucket, _STAGE_OF_CHANNELS, which, sign=sign, are_placed=True)


def _addition(grain: Grain, bucket: str, table: str, where: str, *, sign: int = 1, are_placed: bool = False) -> str:
    """Return the statement that adds the sums of `table`, or takes them off; its sources may be placed already."""
    dimensions = grain.dimensions if are_placed else [PLACED.get(name, name) for name in grain.dimensions]
    sums = ", ".join(f"CAST({sign} * SUM({name}) AS BIGINT)" for name in SUMS)
    key, places = ", ".join(grain.key), ", ".join(str(place) for place in range(1, len(grain.key) + 1))
    additions = ", ".join(f"{name} = {grain.table}.{name} + excluded.{name}" for name in SUMS)
    return (
        f"{_into(grain)} SELECT {', '.join((bucket, *dimensions))}, {sums} "
        f"FROM {table} {'' if are_placed else _with_places(grain)} "
        f"WHERE {where} GROUP BY {places} ORDER BY {places} ON CONFLICT ({key}) DO UPDATE SET {additions}"
    )


def _with_places(grain: Grain) -> str:
    return WITH_PLACES if any(name in PLACED for name in grain.dimensions) else ""


def follow_names() -> int:
    """Move the sums of sources that mean another channel by now; return how many sources."""
    if not displaced(DEFAULT_DB_ALIAS):
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        lock_places(cursor)
        sources = displaced(DEFAULT_DB_ALIAS)
        some = ", ".join(map(str, sources)) or "NULL"
        for grain, by_source in OF_SOURCES.items():
            cursor.execute(
                _addition(grain, bucket_of(grain.width, "bucket"), by_source.table, f"source_id IN ({some})", sign=-1)
            )
        _add(*_records_of(cursor, some), sign=-1, grains=OF_RECORDS_ALONE)
        place_anew(cursor, f"id IN ({some})")
        for grain, by_source in OF_SOURCES.items():
            cursor.execute(
                _addition(grain, bucket_of(grain.width, "bucket"), by_source.table, f"source_id IN ({some})")
            )
        for grain in OF_RECORDS_ALONE:
            cursor.execute(_from_stage(grain, sign=-1))  # where they are as they were taken off
        for grain in (*OF_SOURCES, *OF_RECORDS_ALONE):
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
        for grain in QUARTER_HOURS:
            cursor.execute(f"DELETE FROM {grain.table} WHERE bucket < %s", [until])


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
    if state is None or not VERSION_OF_ALL <= state.version <= VERSION:
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
    offset, of_hour = DAILY.offset, bucket_of(HOUR)
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


def _sums_of_records(grain: Grain, where: str) -> str:
    dimensions = ", ".join(f"{(OF_RECORDS | PLACED)[name]} AS {name}" for name in grain.dimensions)
    sums = ", ".join(f"CAST({expression} AS BIGINT)" for expression in SUM_OF_RECORDS.values())
    failed = "AND failed" if grain.only_failed else ""
    return (
        f"SELECT {bucket_of(grain.width)} AS bucket, {dimensions}, {sums} FROM {RECORDS} {_with_places(grain)} "
        f"WHERE {where} {failed} "
        f"GROUP BY {', '.join(map(str, range(1, len(grain.key) + 1)))}"
    )
