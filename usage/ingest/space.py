"""Room for new rows where old versions of rows were."""

from __future__ import annotations

from django.db import connection


def give_back(*tables: str) -> None:
    """Free what earlier transactions deleted or wrote anew, in a work of many of these: PostgreSQL would come to it by
    itself once a minute, and meanwhile a table gets twice as large or more, for good. SQLite does it at once.
    """
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM {', '.join(tables)}")
