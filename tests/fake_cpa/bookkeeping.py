"""What became of every record: a test compares it with what a client booked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Bookkeeping:
    """`keep` bounds every list (a demo runs for weeks); None keeps all."""

    def __init__(self, keep: int | None) -> None:
        self.handed_out, self.lost, self.undelivered = (deque[bytes](maxlen=keep) for _ in range(3))

    def note_emitted(self, record: bytes) -> None:
        """A record is there; nobody can have it yet."""

    def note_handed_out(self, records: Iterable[bytes]) -> None:
        """They left by a pop, or were published while somebody subscribed."""
        self.handed_out.extend(records)

    def note_written(self, records: Iterable[bytes]) -> None:
        """The kernel has the whole answer or message; whether the client read it is not known."""

    def note_undelivered(self, records: Iterable[bytes]) -> None:
        """They were handed out, and no socket got all of their answer or message."""
        self.undelivered.extend(records)

    def note_lost(self, records: Iterable[bytes]) -> None:
        """They left the queue without a pop: too old, a restart, the secret removed."""
        self.lost.extend(records)
