"""The in-memory queue of records: oldest out first, and gone when older than the retention window (contract C)."""

from __future__ import annotations

from collections import deque
from threading import Lock

from tests.fake_cpa.bookkeeping import Bookkeeping
from tests.fake_cpa.clock import NANOSECONDS, Clock
from tests.fake_cpa.versions import Profile

DEFAULT_RETENTION_SECONDS = 60
MAX_RETENTION_SECONDS = 3600


class UsageQueue:
    def __init__(self, clock: Clock, retention_seconds: int, books: Bookkeeping) -> None:
        self._clock = clock
        self._retention_ns = retention_seconds * NANOSECONDS
        self._items: deque[tuple[int, bytes]] = deque()
        self._books = books
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._items)

    def enqueue(self, record: bytes) -> None:
        with self._lock:
            now = self._clock.now_ns()
            self._drop_expired(now)
            self._items.append((now, record))

    def pop(self, count: int) -> list[bytes]:
        with self._lock:
            self._drop_expired(self._clock.now_ns())
            return [self._items.popleft()[1] for _ in range(min(count, len(self._items)))]

    def clear(self) -> None:
        with self._lock:
            self._books.note_lost([record for _, record in self._items])
            self._items.clear()

    def _drop_expired(self, now: int) -> None:
        while self._items and self._items[0][0] < now - self._retention_ns:
            self._books.note_lost([self._items.popleft()[1]])


def effective_retention(seconds: int, profile: Profile) -> int:
    """The window in force for a configured value."""
    if not profile.does("retention setting") or seconds <= 0:
        return DEFAULT_RETENTION_SECONDS
    return min(seconds, MAX_RETENTION_SECONDS)
