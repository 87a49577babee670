"""Which channel the sums of each source are in: the one that it meant when its first record came, until the sums follow.

Names that come later change what a source means at once, by changing one row; sums by channel are moved after that
(`rollup.follow_names`), and until then whoever asks for channels adds up sources.
"""

from __future__ import annotations

from django.db import connection, connections
from django.db.backends.utils import CursorWrapper

from usage.models import Account, Source
from usage.models.rollup import NO_CHANNEL

_SOURCES, _ACCOUNTS = Source._meta.db_table, Account._meta.db_table
# What it means now (Source.known_channel).
_KNOWN = f"COALESCE((SELECT channel_id FROM {_ACCOUNTS} WHERE id = account_id), channel_id, {NO_CHANNEL})"
# What is added up by one transaction must not be moved by another; SQLite has one writer.
_PLACES_LOCK = 0x43504143

# For who adds up what has a `source_id`: `sources.sums_channel_id` is its channel.
WITH_PLACES = f"JOIN {_SOURCES} AS sources ON sources.id = source_id"


def hold_places(cursor: CursorWrapper) -> None:
    """Have every source stay where it is until the end of the transaction; those that are new get their place."""
    _lock(cursor, "pg_advisory_xact_lock_shared")
    cursor.execute(f"UPDATE {_SOURCES} SET sums_channel_id = {_KNOWN} WHERE sums_channel_id IS NULL")


def lock_places(cursor: CursorWrapper) -> None:
    """Wait for those who add up; they wait until the end of our transaction."""
    _lock(cursor, "pg_advisory_xact_lock")


def _lock(cursor: CursorWrapper, function: str) -> None:
    if connection.vendor == "postgresql":
        cursor.execute(f"SELECT {function}(%s)", [_PLACES_LOCK])


def displaced(using: str) -> list[int]:
    """Return the sources that mean another channel than the one in which their sums are."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT id FROM {_SOURCES} WHERE sums_channel_id <> {_KNOWN}")
        return [source for (source,) in cursor.fetchall()]


def place_anew(cursor: CursorWrapper, where: str) -> None:
    """Give sources the place of what they mean now."""
    cursor.execute(f"UPDATE {_SOURCES} SET sums_channel_id = {_KNOWN} WHERE {where}")
