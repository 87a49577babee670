"""The fake's idea of now: real time unless a test moves or stops it."""

from __future__ import annotations

import time
from datetime import datetime

NANOSECONDS = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self._ahead = 0
        self._frozen: int | None = None

    def now_ns(self) -> int:
        return self._frozen if self._frozen is not None else time.time_ns() + self._ahead

    def now(self) -> float:
        return self.now_ns() / NANOSECONDS

    def set(self, moment: datetime) -> None:
        """Stop at this moment; only `advance` moves on from there."""
        self._frozen = nanoseconds(moment)

    def advance(self, seconds: float) -> None:
        step = round(seconds * NANOSECONDS)
        if self._frozen is None:
            self._ahead += step
        else:
            self._frozen += step


def nanoseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give an aware datetime")
    return int(moment.replace(microsecond=0).timestamp()) * NANOSECONDS + moment.microsecond * 1000
