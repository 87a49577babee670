"""Lets the housekeeping run beside the collection, in a thread of its own, where no cron does it."""

from __future__ import annotations

import threading


class Housekeeping:
    """`go_on` starts what is due, unless something still runs."""

    def __init__(self) -> None:
        self._finishing = threading.Event()
        self._thread: threading.Thread | None = None

    def go_on(self) -> None:
        pass

    def finish(self) -> None:
        self._finishing.set()
        if self._thread:
            self._thread.join()
