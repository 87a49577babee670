"""Databases that have all tables and nothing in them: copies of one that each run of the tests makes, which takes seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from tests.environment import SHARED_DIR

_PROJECT = Path(__file__).parents[1]
_FILE = SHARED_DIR / "migrated.sqlite3"
_TEMPLATE = "migrated"


def make_file(path: Path) -> str:
    """Make a file of SQLite; return its address."""
    with _only_one_of_us():
        if not _FILE.exists():
            making = _FILE.with_suffix(".new")
            _migrate(f"sqlite:///{making}")
            making.rename(_FILE)
    shutil.copyfile(_FILE, path)
    return f"sqlite:///{path}"


def make_database(name: str) -> None:
    """Make a database on the server of PostgreSQL that the tests run on."""
    with _only_one_of_us(), connection._nodb_cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE])
        if not cursor.fetchone():
            cursor.execute(f"CREATE DATABASE {_TEMPLATE}_new")
            _migrate(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{_TEMPLATE}_new").geturl())
            cursor.execute(f"ALTER DATABASE {_TEMPLATE}_new RENAME TO {_TEMPLATE}")
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(name)} TEMPLATE {_TEMPLATE}")


@contextmanager
def _only_one_of_us() -> Iterator[None]:
    with (SHARED_DIR / "migrating").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _migrate(url: str) -> None:
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"], env=environment, cwd=_PROJECT, check=True
    )
