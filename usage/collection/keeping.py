"""Keeps house beside the collection where no cron does it: in a thread of its own, so that heartbeats go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connection

from usage.collection.booking import DATABASE_AWAY
from usage.collection.rhythm import Timer

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0
_LAST_SECONDS = 10.0

# Does what is due; is told how to find out that it should stop.
KeepHouse = Callable[[Callable[[], bool]], object]


class Keeping:
    """`go_on` looks now and then for what is due, unless something still runs."""

    def __init__(self, keep_house: KeepHouse) -> None:
        self._keep_house = keep_house
        self._finishing = threading.Event()
        self._look = Timer(_LOOK_SECONDS)
        self._look.restart()  # first what waited for the collector's start is booked
        self._thread: threading.Thread | None = None

    def go_on(self) -> None:
        if self._look.is_due and not (self._thread and self._thread.is_alive()):
            self._look.restart()
            self._thread = threading.Thread(target=self._run, name="keep-house", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait a little for what still runs; a run that is cut off here is recorded as such by the next."""
        self._finishing.set()
        if self._thread:
            self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        try:
            close_old_connections()
            _use_little_memory()
            self._keep_house(self._finishing.is_set)
        except DATABASE_AWAY as error:
            logger.warning("the housekeeping waits for the database: %s", error)
        finally:
            connection.close()


def _use_little_memory() -> None:
    """The proof of the sums sorts a day of records: on disk, not in what a small machine has left."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA temp_store = FILE")
            cursor.execute("PRAGMA cache_size = -4000")
