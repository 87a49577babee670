"""Reads many rows in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

_ROWS = 2_000


def streamed(sql: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query as they are asked for: a plain cursor of PostgreSQL takes all of them at once."""
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(_ROWS):
            yield from rows
