"""Lets others write between the transactions of a long work."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import connection

# Who waits for SQLite looks again after 100 ms at the latest; without a pause it would find the next transaction begun.
_PAUSE_SECONDS = 0.12

Courtesy = Callable[[], None]


def none() -> None:
    """Nobody else writes, or it does not matter."""


def let_others_write() -> None:
    """Pause where who waits is not next in a queue, which those of PostgreSQL are."""
    if connection.vendor == "sqlite":
        time.sleep(_PAUSE_SECONDS)
