"""Of all collectors of a database exactly one leads: a lock says who, and ends with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError, connection

# Any number will do, if nothing else of ours takes an advisory lock by it.
_LOCK = 0x43504120
# A leader whose machine is gone without a word gives way after so many seconds: 3 + 2 x 2.
_KEEPALIVE = "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2"


class Leadership(Protocol):
    def hold(self) -> bool:
        """Take the lead if nobody has it; return whether we have it. Raises DatabaseError while nobody can know."""

    def release(self) -> None:
        """Let another lead."""


def leadership() -> Leadership:
    return _Advisory() if connection.vendor == "postgresql" else _FileLock(_lock_file())


class _Advisory:
    """An advisory lock of PostgreSQL on a connection of its own: the server drops it when that ends."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._leads = False

    def hold(self) -> bool:
        try:
            return self._hold()
        except (DatabaseError, InterfaceError):
            self._forget()
            raise

    def _hold(self) -> bool:
        if self._connection is None:
            self._connection = connection.copy()
            with self._connection.cursor() as cursor:
                cursor.execute(_KEEPALIVE)
        with self._connection.cursor() as cursor:
            if self._leads:
                cursor.execute("SELECT 1")  # whether the connection, and with it the lock, is still there
            else:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
                self._leads = cursor.fetchone()[0]
        return self._leads

    def release(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._leads = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _FileLock:
    """A lock of the file beside an SQLite database: the kernel drops it when its process ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._leads = False

    def hold(self) -> bool:
        if not self._leads:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._leads = True
        return True

    def release(self) -> None:
        os.close(self._descriptor)


def _lock_file() -> Path:
    return Path(f"{connection.settings_dict['NAME']}.collector")
