"""What the data takes, what waits in the spool, and what room is left."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from usage.models.fields import from_micros

_LEAST_FREE = 500 * 10**6
# A tenth of a large disk is plenty.
_PLENTY = 10 * 10**9


class Disk(NamedTuple):
    """Bytes of the disk that holds our data."""

    total: int
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the spool holds: files, bytes, and when the oldest began to arrive (None when it is empty)."""

    files: int = 0
    size: int = 0
    oldest: datetime | None = None


def disk() -> Disk:
    return Disk(*shutil.disk_usage(settings.DATA_DIR))


def has_room() -> bool:
    """Whether the collector finds room to take more; below that it leaves the records with CPA."""
    return disk().free >= int(settings.SPOOL_FREE_BYTES)


def is_low(disk: Disk) -> bool:
    return disk.free < _LEAST_FREE or disk.free < min(disk.total / 10, _PLENTY)


def database_bytes() -> int:
    """What the database takes on disk; with SQLite its write-ahead log too."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    path = Path(str(connection.settings_dict["NAME"]))
    return sum(_size(file) for file in (path, path.with_name(path.name + "-wal")))


def spool_backlog() -> Backlog:
    """Look at the names and sizes of the spool's files; names begin with nanoseconds since 1970."""
    sizes = {path.name: size for path in settings.SPOOL_DIR.glob("*/[0-9]*") if (size := _size(path))}
    oldest = min((int(name.partition("-")[0]) for name in sizes), default=0)
    return Backlog(len(sizes), sum(sizes.values()), from_micros(oldest // 1_000) if sizes else None)


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it is gone: the booker removes what is booked."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
