"""A database and a data folder of their own, gone when the measurement ends; the operator's are not touched."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection

Environment = dict[str, str]


@contextmanager
def scratch(kept_url: str = "") -> Iterator[Environment]:
    """Yield the environment in which processes work on an empty database of the configured engine.

    It lies where the operator's data lies: another disk would measure another machine. With `kept_url` it is that
    database as it is, which stays. Raises DatabaseError where PostgreSQL does not let us create one; a schema would not
    do, since advisory locks are of the database.
    """
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-", dir=settings.DATA_DIR) as folder,
        nullcontext(kept_url) if kept_url else _database(folder) as url,
    ):
        (Path(folder) / "static").mkdir()  # its absence would be warned of
        yield os.environ | {
            "DATABASE_URL": url,
            "DATA_DIR": folder,
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SECRET_KEY_FALLBACKS": "",
            "CPA_BASE_URL": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "HTTPS": "false",
            "LOG_LEVEL": "WARNING",
        }


@contextmanager
def _database(folder: str) -> Iterator[str]:
    if connection.vendor != "postgresql":
        yield f"sqlite:///{folder}/benchmark.sqlite3"
        return
    # Named after ours, so that whoever finds one on the server knows whose it is.
    name = f"{connection.settings_dict['NAME'][:40]}_benchmark_{secrets.token_hex(4)}"
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
    try:
        yield _url(connection.settings_dict, name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def _url(database: dict[str, Any], name: str) -> str:
    """Return the address of the database `name` on the server of `database`."""
    user, password = quote(database["USER"], safe=""), quote(database["PASSWORD"], safe="")
    where = {"host": database["HOST"], "port": str(database["PORT"])}  # in the query, where a socket's path may stand
    options = {name: value for name, value in where.items() if value} | database.get("OPTIONS", {})
    return f"postgres://{user}:{password}@/{quote(name, safe='')}?{urlencode(options)}"
