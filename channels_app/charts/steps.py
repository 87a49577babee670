"""Shades for numbers: as many of them in one shade as in another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from channels_app.charts.unit import Unit

_STEPS = 6


class Steps:
    """Shades 1 to 6 of the values that are not 0; 0 is what is."""

    def __init__(self, values: Iterable[int]) -> None:
        known = sorted(value for value in values if value)
        self._least = known[0] if known else 0
        # The most of each step but the last, which is not empty.
        bounds = {known[len(known) * step // _STEPS] for step in range(1, _STEPS)} if known else set[int]()
        self.bounds = sorted(bounds - {*known[-1:]})

    def of(self, value: int) -> int:
        return bisect_left(self.bounds, value) + 1 if value else 0

    def legend(self, unit: Unit) -> list[tuple[int, str]]:
        """Return each step with the least value in it."""
        lows = [self._least, *(bound + 1 for bound in self.bounds)]
        return [(step, unit.write(low)) for step, low in enumerate(lows, 1)] if self._least else []
