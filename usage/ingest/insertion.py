"""Puts rows into the table of records, once each, as fast as either engine can."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from django.db import IntegrityError, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import ForeignKey

from usage.ingest import grains, rollup
from usage.models import UsageRecord

# Of ints alone where they can be: sqlite3 binds a bool ten times slower, and both engines take 1 for true.
Row = tuple[int | str | bytes | None, ...]

COLUMNS = (
    "requested_at", "dedup_key", "received_at", "source_id", "model_id", "alias_id", "api_key_id", "traits_id",
    "request_id", "failed", "status_code", "generate", "latency_ms", "ttft_ms", "quality", *grains.TOKENS,
    "cost_nanousd", "saved_nanousd", "price_id", "message_id", "client_id",
)  # fmt: skip
_NAMES = ", ".join(COLUMNS)
_INTO = f"INSERT INTO {grains.RECORDS} ({_NAMES})"
_ONCE = "ON CONFLICT (requested_at, dedup_key) DO NOTHING"
_ROWS_PER_STATEMENT = 100
_STAGE = "arriving_records"
_REFERENCES = [
    (COLUMNS.index(field.attname), field.related_model._meta.db_table)
    for field in UsageRecord._meta.concrete_fields
    if isinstance(field, ForeignKey) and not field.db_constraint  # type: ignore[attr-defined]
]
# Of those who book at once, one after the other: what comes after the last id is then ours alone. SQLite has one writer.
_BOOKING_LOCK = 0x43504142


# First and last. PostgreSQL, which does not know its newest rows yet, would read all for an open end.
Ids = tuple[int, int]


class Inserted(NamedTuple):
    """How many rows were `new`, and between which ids all of theirs are."""

    new: int
    ids: Ids


def lock_booking() -> None:
    """Wait for those who book; they wait until the end of our transaction."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BOOKING_LOCK])


def insert(rows: Sequence[Row]) -> Inserted:
    """Insert those `rows` (values in the order of COLUMNS) that are not there yet. In a transaction.

    Those of days whose records were pruned may have been there: none of them comes again.
    Raises IntegrityError where one of them points to a row that is not there any more.
    """
    rows = sorted(rows, key=itemgetter(0, 1))  # neighbours in the index, and the same order for every writer
    lock_booking()
    if rows and rows[0][0] < (kept_since := rollup.records_since()):  # type: ignore[operator]
        rows = [row for row in rows if row[0] >= kept_since]  # type: ignore[operator]
    with connection.cursor() as cursor:
        _check_references(cursor, rows)
        before = last_id(cursor)
        new = _copy(cursor, rows) if connection.vendor == "postgresql" else _insert_values(cursor, rows)
        return Inserted(new, (before + 1, last_id(cursor)))


def last_id(cursor: CursorWrapper) -> int:
    """Return the id of the newest record; 0 where there is none."""
    cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {grains.RECORDS}")
    return int(cursor.fetchone()[0])


def _check_references(cursor: CursorWrapper, rows: Sequence[Row]) -> None:
    """A batch points to some hundred rows in all: looked up together, that is much cheaper than each for itself."""
    for at, table in _REFERENCES:
        ids = set(map(itemgetter(at), rows)) - {None}
        if ids:
            cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE id IN ({', '.join(['%s'] * len(ids))})", list(ids))
            if cursor.fetchone() != (len(ids),):
                raise IntegrityError(f"a record points to a row that {table} does not have")


def _insert_values(cursor: CursorWrapper, rows: Sequence[Row]) -> int:
    """Many rows a statement: starting one takes SQLite longer than a row does. The rest go one by one."""
    whole = len(rows) - len(rows) % _ROWS_PER_STATEMENT
    return _insert_by(cursor, rows[:whole], _ROWS_PER_STATEMENT) + _insert_by(cursor, rows[whole:], 1)


def _insert_by(cursor: CursorWrapper, rows: Sequence[Row], size: int) -> int:
    if not rows:
        return 0
    row = f"({', '.join(['%s'] * len(COLUMNS))})"
    statements = [tuple(chain.from_iterable(rows[at : at + size])) for at in range(0, len(rows), size)]
    cursor.executemany(f"{_INTO} VALUES {', '.join([row] * size)} {_ONCE}", statements)
    return int(cursor.rowcount)


def _copy(cursor: CursorWrapper, rows: Sequence[Row]) -> int:
    """COPY takes no ON CONFLICT, so it goes by a table of this session; that is seven times faster than VALUES."""
    cursor.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_STAGE} ON COMMIT DELETE ROWS "
        f"AS SELECT {_NAMES} FROM {grains.RECORDS} LIMIT 0"
    )
    cursor.execute(f"DELETE FROM {_STAGE}")  # of an earlier batch in the same transaction
    with connection.wrap_database_errors, cursor.copy(f"COPY {_STAGE} ({_NAMES}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    cursor.execute(f"{_INTO} SELECT {_NAMES} FROM {_STAGE} ORDER BY requested_at, dedup_key {_ONCE}")
    return int(cursor.rowcount)
