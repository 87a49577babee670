"""The resident collector beside a test, in its process or in one that can be killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection

from usage.collection.collector import Collector

# New servers are noticed, and facts about servers written down, so soon; one in a process of its own takes its time.
_TICK_SECONDS = 0.2
# Whether a server ends with us, few tests ask.
_FAREWELL_SECONDS = 0.02


@contextmanager
def collecting(farewell_seconds: float = _FAREWELL_SECONDS) -> Iterator[Collector]:
    """Run a collector while the block lasts."""
    stopping = threading.Event()
    collector = Collector(stopping)

    def run() -> None:
        try:
            collector.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with (
        patch("usage.collection.collector._TICK_SECONDS", _TICK_SECONDS),
        patch("usage.collection.intake._FAREWELL_SECONDS", farewell_seconds),
    ):
        thread.start()
        try:
            yield collector
        finally:
            stopping.set()
            thread.join(timeout=60)
            assert not thread.is_alive()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `holds`, which reads what another thread or process writes."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
