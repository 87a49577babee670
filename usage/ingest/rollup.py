"""Keeps the hourly sums equal to the records: additive upserts, and the commands that prove and restore it."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction

from usage.models import UsageHourly, UsageRecord

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
HOURLY = UsageHourly._meta.db_table
_KEY = ("bucket", "source_id", "model_id")
_COLUMNS = (*_KEY, *SUMS)
# SQLite takes 32,766 parameters a statement.
_ROWS_PER_STATEMENT = 32_000 // len(_COLUMNS)


def bucket_of(requested_at: int) -> int:
    return requested_at - requested_at % HOUR


def add(sums: dict[Key, list[int]]) -> None:
    """Add `sums` (in the order of SUMS) to the hourly rows. In the transaction that booked the records.

    Keys go in order, so that two writers wait for each other and never in a circle.
    """
    keys = sorted(sums)
    for start in range(0, len(keys), _ROWS_PER_STATEMENT):
        chunk = keys[start : start + _ROWS_PER_STATEMENT]
        values = [value for key in chunk for value in (*key, *sums[key])]
        row = f"({', '.join(['%s'] * len(_COLUMNS))})"
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {HOURLY} ({', '.join(_COLUMNS)}) VALUES {', '.join([row] * len(chunk))} "
                f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
                + ", ".join(f"{name} = {HOURLY}.{name} + excluded.{name}" for name in SUMS),
                values,
            )


def rebuild() -> int:
    """Make all hourly rows anew from the records; return how many there are."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Those who have booked but not committed are waited for; those who come later add to our rows.
            cursor.execute(f"LOCK TABLE {HOURLY} IN EXCLUSIVE MODE")
        cursor.execute(f"DELETE FROM {HOURLY}")
        cursor.execute(f"INSERT INTO {HOURLY} ({', '.join(_COLUMNS)}) {_records_by_hour()}")
        return int(cursor.rowcount)


def differences(limit: int = 10) -> list[Key]:
    """Return keys whose hourly row and records differ, `limit` at most; none is the invariant."""
    hourly = f"SELECT {', '.join(_COLUMNS)} FROM {HOURLY}"
    records = _records_by_hour()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT {', '.join(_KEY)} FROM ("
            f"SELECT * FROM ({hourly} EXCEPT {records}) AS extra UNION ALL "
            f"SELECT * FROM ({records} EXCEPT {hourly}) AS missing) AS differing LIMIT %s",
            [limit],
        )
        return [tuple(row) for row in cursor.fetchall()]


def _records_by_hour() -> str:
    bucket = f"requested_at / {HOUR} * {HOUR}"  # of integers, and none is before 1970
    sums = ", ".join(f"CAST({expression} AS BIGINT)" for expression in SUM_OF_RECORDS.values())
    return f"SELECT {bucket}, source_id, model_id, {sums} FROM {RECORDS} GROUP BY {bucket}, source_id, model_id"
