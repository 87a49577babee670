"""The databases: SQLite or PostgreSQL, by an address in the environment."""

from __future__ import annotations

import warnings
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_OPTIONS: dict[str, dict[str, Any]] = {
    "django.db.backends.sqlite3": {
        "OPTIONS": {
            "timeout": 30,
            # A transaction that starts as a reader and then writes fails at once when another writer is busy
            # ("database is locked", whatever the timeout): so each takes the write lock when it starts.
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY"
            ),
        }
    },
    "django.db.backends.postgresql": {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True},
}


def read_database(variable: str, url: str) -> dict[str, Any]:
    """Return Django's settings of the database at `url`, which `variable` holds.

    Raises ImproperlyConfigured, without the address: there is a password in it.
    """
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # it repeats the address
        database: dict[str, Any] = environ.Env.db_url_config(url)
    engine = database.get("ENGINE")
    if engine not in _OPTIONS:
        raise ImproperlyConfigured(
            f"{variable} names no database that we know: write sqlite:////path/to/file or "
            "postgres://user:password@host:5432/name, or leave it out for a file in DATA_DIR"
        )
    return database | _OPTIONS[engine]
