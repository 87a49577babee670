"""Deletes old records and leaves their sums by hour and day, which go on answering (engineering 4.5)."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from usage.ingest import attempts, distribution, grains, rollup
from usage.ingest.courtesy import let_others_write
from usage.ingest.insertion import last_id, lock_booking
from usage.models import ClientTraits, FailureText, RollupState, UsageRecord
from usage.models.fields import from_micros, to_micros

# A transaction of some 50 ms: bookings and pages that write wait no longer.
_CHUNK = 5_000


def prunable(until: datetime) -> int:
    """Count the records of the days that ended by `until`."""
    return UsageRecord.objects.filter(requested_at__lt=edge_of(until)).count()


def prune(until: datetime) -> int:
    """Delete the records of the days (of the report time zone) that ended by `until`; return how many.

    The line is drawn before the first is deleted: from then on an old record that comes again is not booked again, and
    a death in the middle leaves records that no sum is compared with, which the next call deletes. Client requests that
    reach across it are put together before, since without their first records nobody could.
    """
    edge = edge_of(until)
    across = to_micros(edge) + attempts.FAR
    attempts.derive(across, between=let_others_write)
    with transaction.atomic():
        lock_booking()
        attempts.derive(across)  # what was booked meanwhile
        if to_micros(edge) > rollup.records_since():
            RollupState.objects.update_or_create(pk=1, defaults={"records_since": edge})  # type: ignore[misc]
    distribution.fold(1, between=let_others_write)
    deleted = 0
    while chunk := _delete_chunk(from_micros(rollup.records_since())):
        deleted += chunk
        let_others_write()
    rollup.forget_quarter_hours(rollup.records_since())
    if deleted:
        forget_clients()
    return deleted


def forget_clients() -> int:
    """Delete where clients called from of whom no record is left; return how many.

    All records are read for that before anybody has to wait, and after that only those that came meanwhile. Who knows
    one of the deleted, learns it anew when a record points to it (usage/ingest/ledger.py).
    """
    with connection.cursor() as cursor:
        last = last_id(cursor)
        used = _clients(cursor, f"id <= {last}")
        with transaction.atomic():
            lock_booking()
            used |= _clients(cursor, f"id > {last}")
            unused = sorted(set(ClientTraits.objects.values_list("pk", flat=True)) - used)
            chunks = [unused[at : at + _CHUNK] for at in range(0, len(unused), _CHUNK)]
            rows = (ClientTraits.objects.filter(pk__in=chunk) for chunk in chunks)
            return sum(int(chunk._raw_delete(using=connection.alias)) for chunk in rows)


def _clients(cursor: CursorWrapper, where: str) -> set[int]:
    cursor.execute(f"SELECT DISTINCT client_id FROM {grains.RECORDS} WHERE client_id IS NOT NULL AND {where}")
    return {client for (client,) in cursor.fetchall()}


def edge_of(until: datetime) -> datetime:
    """Return when the first day begins (in the report time zone) that had not ended by `until`."""
    return from_micros(grains.DAILY.start_of(to_micros(until)))


def _delete_chunk(edge: datetime) -> int:
    with transaction.atomic():
        old = UsageRecord.objects.filter(requested_at__lt=edge).order_by("requested_at")
        ids = list(old.values_list("pk", flat=True)[:_CHUNK])
        if not ids:
            return 0
        FailureText.objects.filter(record__in=ids)._raw_delete(using=connection.alias)
        return int(UsageRecord.objects.filter(pk__in=ids)._raw_delete(using=connection.alias))
