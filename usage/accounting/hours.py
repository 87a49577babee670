"""Times of day: from one to another, in UTC, also over midnight."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DAY = 86_400_000_000


class Hours(NamedTuple):
    """From `since` on and before `until`, microseconds after midnight UTC; where both are the same, all day."""

    since: int
    until: int

    def __str__(self) -> str:
        """As people write it, empty for all day."""
        return "" if self.since == self.until else f"{_clock(self.since)}–{_clock(self.until)} UTC"

    def hold(self, at: int) -> bool:
        """Whether `at` (microseconds since 1970 UTC) is at such a time of day."""
        now = at % DAY
        if self.since < self.until:
            return self.since <= now < self.until
        return now >= self.since or now < self.until

    @property
    def length(self) -> int:
        return (self.until - self.since) % DAY or DAY

    def next(self, at: int) -> int:
        """Return the first moment from `at` on at which they hold."""
        return at if self.hold(at) else at + (self.since - at) % DAY


ALL_DAY = Hours(0, 0)


def parts(many: Iterable[Hours]) -> list[Hours]:
    """Cut the day wherever any of them begins or ends. All day, or without any, there is nothing to cut."""
    cuts = sorted({moment for hours in many if hours.length < DAY for moment in hours})
    return [Hours(*pair) for pair in zip(cuts, [*cuts[1:], *cuts[:1]], strict=True)]


def _clock(micros: int) -> str:
    """Seconds only where there are any."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    return moment.time().isoformat("auto" if micros % 60_000_000 else "minutes")
