"""What each connection to PostgreSQL asks of it: not everybody who runs us may change the settings of the server."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

_SETTINGS = {
    # Thousands of groups of twenty sums each: with 4 MB the server sorts all rows on disk first.
    "work_mem": "32MB",
    # The sums of a span lie together, and mostly in memory: for disks that turn the server would read whole tables.
    "random_page_cost": "1.1",
    # To compile a question takes longer than to answer it.
    "jit": "off",
}


def set_up(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Set what the operator left as PostgreSQL comes."""
    if connection.vendor != "postgresql":
        return
    values = " ".join(["WHEN name = %s THEN %s"] * len(_SETTINGS))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT set_config(name, CASE {values} END, false) FROM pg_settings "
            f"WHERE source = 'default' AND name IN ({', '.join(['%s'] * len(_SETTINGS))})",
            [*(word for setting in _SETTINGS.items() for word in setting), *_SETTINGS],
        )
