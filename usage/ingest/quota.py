"""Keeps the newest reading of each quota window, in the transaction that books the records that told it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from django.db import connection

from usage.accounting.payload import Payload
from usage.accounting.quota import Reading, readings
from usage.models import QuotaWindow

# Source and name of the window.
Key = tuple[int, str]

_TABLE = QuotaWindow._meta.db_table
_COLUMNS = ("source_id", "name", "seen_at", "used_percent", "resets_at", "minutes")


def _rank(row: str) -> str:
    return f"({row}.seen_at, {row}.used_percent, COALESCE({row}.resets_at, 0), {row}.minutes)"


_INTO = f"INSERT INTO {_TABLE} ({', '.join(_COLUMNS)}) VALUES "
_PLACES = f"({', '.join(['%s'] * len(_COLUMNS))})"
# A greater one alone counts, whatever order they come in and however often (usage/accounting/quota.py, Reading).
_KEEP = (
    " ON CONFLICT (source_id, name) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
    + f" WHERE {_rank('excluded')} > {_rank(_TABLE)}"
)
_ROWS_PER_STATEMENT = 500


def newest(payloads: Iterable[Payload], source_of: Callable[[Payload], int]) -> dict[Key, Reading]:
    """Return the newest reading of each window in `payloads`; `source_of` tells the id of the source of one."""
    found: dict[Key, Reading] = {}
    for payload in payloads:
        for name, reading in readings(payload):
            key = (source_of(payload), name)
            found[key] = max(found.get(key, reading), reading)
    return found


def keep(found: Mapping[Key, Reading]) -> None:
    """Take in what was found. In a transaction; in the order of the keys, so that two writers never wait in a circle."""
    rows = [
        (*key, reading.seen_at, reading.used, reading.resets_at or None, reading.minutes)
        for key, reading in sorted(found.items())
    ]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _ROWS_PER_STATEMENT):
            some = rows[start : start + _ROWS_PER_STATEMENT]
            cursor.execute(_INTO + ", ".join([_PLACES] * len(some)) + _KEEP, list(chain.from_iterable(some)))
