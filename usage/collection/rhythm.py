"""How often a server is asked, and how long it is left alone after failures."""

from __future__ import annotations

import time

from django.conf import settings

from usage.models import Instance

# States that a person must mend: asked again now and then.
_SETTLED = {Instance.State.REMOTE_OFF, Instance.State.MANAGEMENT_OFF, Instance.State.UNSUPPORTED}
_SETTLED_SECONDS = 120.0
_LONGEST_BACKOFF = 30.0
_LISTENING_SECONDS = 1.0

Way = Instance.Way


def pause_seconds(instance: Instance, failures: int) -> float:
    """Return how long to wait before the next turn of `instance`, after `failures` failed ones in a row."""
    if instance.state in _SETTLED:
        return _SETTLED_SECONDS
    return min(2.0 ** min(failures - 1, 10), _LONGEST_BACKOFF) if failures else _usual_seconds(instance)


def poll_seconds(instance: Instance) -> float:
    """Return the time between two polls: a queue is read three times at least before CPA drops a record (contract C)."""
    if instance.source == Instance.Source.LEGACY:
        return float(settings.LEGACY_POLL_SECONDS)
    kept = instance.retention_seconds
    return min(settings.POLL_SECONDS, kept / 3) if kept else float(settings.POLL_SECONDS)


def _usual_seconds(instance: Instance) -> float:
    return _LISTENING_SECONDS if instance.way == Way.SUBSCRIPTION else poll_seconds(instance)


class Timer:
    """Says when something is due again, at once at first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    def restart(self) -> None:
        self._next = time.monotonic() + self._seconds

    def hurry(self, seconds: float = 0.0) -> None:
        """Be due in `seconds`, unless it is so before."""
        self._next = min(self._next, time.monotonic() + seconds)
