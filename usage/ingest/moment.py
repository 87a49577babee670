"""Lets a long work read while others book: it takes the moment, reads, waits for those who book, and writes only where
nothing that it read has changed since.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection

from usage.ingest import grains, rollup
from usage.ingest.insertion import last_id


class Moment(NamedTuple):
    """The newest record, and since when records are kept (microseconds since 1970 UTC)."""

    last_id: int
    kept_since: int

    @classmethod
    def now(cls) -> Moment:
        """Whoever sees the newest record sees all before it: those who book do so one after the other."""
        with connection.cursor() as cursor:
            return cls(last_id(cursor), rollup.records_since())

    def is_current(self, since: int, until: int) -> bool:
        """Return whether `[since, until)` has the records that it had. Of those who hold the booking lock."""
        if rollup.records_since() != self.kept_since:
            return False
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT 1 FROM {grains.RECORDS} WHERE id BETWEEN %s AND %s "
                f"AND requested_at >= {since} AND requested_at < {until} LIMIT 1",
                [self.last_id + 1, last_id(cursor)],
            )
            return cursor.fetchone() is None
