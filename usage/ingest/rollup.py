"""Keeps the hourly and daily sums equal to the records: additive upserts, and what proves and restores it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from usage.models import UsageDaily, UsageHourly, UsageRecord

HOUR = timedelta(hours=1) // timedelta(microseconds=1)
TOKENS = ("uncached_input", "cache_read", "cache_write", "output", "reasoning", "unclassified")
SUMS = ("requests", "failed", *TOKENS, "priced_requests", "priced_tokens", "cost_nanousd")

Key = tuple[int, int, int]  # bucket (microseconds since 1970 UTC), source, model

_TOTAL = " + ".join(TOKENS)
# What each sum is in terms of records; the same text on SQLite and PostgreSQL.
SUM_OF_RECORDS = {
    "requests": "COUNT(*)",
    "failed": "SUM(CASE WHEN failed THEN 1 ELSE 0 END)",
    **{name: f"SUM({name})" for name in TOKENS},
    "priced_requests": "COUNT(cost_nanousd)",
    "priced_tokens": f"SUM(CASE WHEN cost_nanousd IS NULL THEN 0 ELSE {_TOTAL} END)",
    "cost_nanousd": "COALESCE(SUM(cost_nanousd), 0)",
}
RECORDS = UsageRecord._meta.db_table


@dataclass(frozen=True, slots=True)
class Grain:
    """A table of sums, one row for each interval of `width` microseconds (cut in UTC), source and model."""

    table: str
    width: int

    def start_of(self, moment: int) -> int:
        return moment - moment % self.width


HOURLY = Grain(UsageHourly._meta.db_table, HOUR)
DAILY = Grain(UsageDaily._meta.db_table, 24 * HOUR)
# Coarse before fine. Each is made of the one behind it, so its width is a multiple of that one's.
GRAINS = (DAILY, HOURLY)

_KEY = ("bucket", "source_id", "model_id")
_COLUMNS = (*_KEY, *SUMS)
# SQLite takes 32,766 parameters a statement.
_ROWS_PER_STATEMENT = 32_000 // len(_COLUMNS)


def add(sums: dict[Key, list[int]]) -> None:
    """Add hourly `sums` (in the order of SUMS) to every grain. In the transaction that booked the records.

    Keys go in order, so that two writers wait for each other and never in a circle.
    """
    for grain in reversed(GRAINS):
        sums = _fold(sums, grain)
        keys = sorted(sums)
        for start in range(0, len(keys), _ROWS_PER_STATEMENT):
            chunk = keys[start : start + _ROWS_PER_STATEMENT]
            with connection.cursor() as cursor:
                cursor.execute(_upsert(grain, len(chunk)), [value for key in chunk for value in (*key, *sums[key])])


def add_records(first: int, last: int) -> None:
    """Add all records from one id to another to every grain. In the transaction that booked them."""
    for grain in reversed(GRAINS):
        with connection.cursor() as cursor:
            cursor.execute(
                f"{_into(grain)} {_sums_of_records(grain, 'WHERE id BETWEEN %s AND %s')} ORDER BY {', '.join(_KEY)} {_adding(grain)}",
                [first, last],
            )


def _fold(sums: dict[Key, list[int]], grain: Grain) -> dict[Key, list[int]]:
    """Add up the sums of a finer grain."""
    folded: dict[Key, list[int]] = {}
    for (bucket, source, model), row in sums.items():
        key = (grain.start_of(bucket), source, model)
        folded[key] = [old + new for old, new in zip(folded[key], row, strict=True)] if key in folded else row
    return folded


def _upsert(grain: Grain, rows: int) -> str:
    row = f"({', '.join(['%s'] * len(_COLUMNS))})"
    return f"{_into(grain)} VALUES {', '.join([row] * rows)} {_adding(grain)}"


def _into(grain: Grain) -> str:
    return f"INSERT INTO {grain.table} ({', '.join(_COLUMNS)})"


def _adding(grain: Grain) -> str:
    additions = ", ".join(f"{name} = {grain.table}.{name} + excluded.{name}" for name in SUMS)
    return f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {additions}"


def rebuild() -> int:
    """Make all sums anew from the records; return how many rows there are."""
    rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Those who have booked but not committed are waited for; those who come later add to our rows. Tables are
            # locked in the order in which writers come to them.
            for grain in reversed(GRAINS):
                cursor.execute(f"LOCK TABLE {grain.table} IN EXCLUSIVE MODE")
        for grain in GRAINS:
            cursor.execute(f"DELETE FROM {grain.table}")
            cursor.execute(f"{_into(grain)} {_sums_of_records(grain)}")
            rows += int(cursor.rowcount)
    return rows


def differences(limit: int = 10) -> list[tuple[str, Key]]:
    """Return table and key of sums that differ from the records, `limit` a table at most; none is the invariant."""
    found = []
    for grain in GRAINS:
        sums, records = f"SELECT {', '.join(_COLUMNS)} FROM {grain.table}", _sums_of_records(grain)
        # One statement sees one moment. A transaction would keep all writers of SQLite out while it reads every record.
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT DISTINCT {', '.join(_KEY)} FROM ("
                f"SELECT * FROM ({sums} EXCEPT {records}) AS extra UNION ALL "
                f"SELECT * FROM ({records} EXCEPT {sums}) AS missing) AS differing LIMIT %s",
                [limit],
            )
            found += [(grain.table, (bucket, source, model)) for bucket, source, model in cursor.fetchall()]
    return found


def _sums_of_records(grain: Grain, where: str = "") -> str:
    bucket = f"requested_at / {grain.width} * {grain.width}"  # of integers, and none is before 1970
    sums = ", ".join(f"CAST({expression} AS BIGINT)" for expression in SUM_OF_RECORDS.values())
    return (
        f"SELECT {bucket} AS bucket, source_id, model_id, {sums} FROM {RECORDS} {where} "
        f"GROUP BY {bucket}, source_id, model_id"
    )
