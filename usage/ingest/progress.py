"""Keeps the sums of what was booked of each instance, in the transaction that books."""

from __future__ import annotations

from django.db import connection

from usage.models import CollectionState, Instance

_TABLE = CollectionState._meta.db_table
_SUMS, _LATEST = ("booked", "duplicates", "quarantined"), ("last_received_at", "last_requested_at")
_ADD = (
    f"INSERT INTO {_TABLE} (instance_id, {', '.join(_SUMS + _LATEST)}, snapshot_details) "
    "VALUES (%s, %s, %s, %s, %s, %s, 0) ON CONFLICT (instance_id) DO UPDATE SET "
    + ", ".join(f"{name} = {_TABLE}.{name} + excluded.{name}" for name in _SUMS)
    # The greater of two, of which either may be null; that function has another name on each engine.
    + "".join(
        f", {name} = CASE WHEN {_TABLE}.{name} > excluded.{name} THEN {_TABLE}.{name} "
        f"ELSE COALESCE(excluded.{name}, {_TABLE}.{name}) END"
        for name in _LATEST
    )
)


def add(
    instance: Instance, *, booked: int, duplicates: int, quarantined: int, received_at: int, requested_at: int | None
) -> None:
    """Add a batch, and its latest times (microseconds since 1970 UTC; None without a record).

    It comes last in the transaction, so that writers of one instance wait in a line.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [instance.pk, booked, duplicates, quarantined, received_at, requested_at])
