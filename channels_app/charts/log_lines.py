"""Lines on a logarithmic axis: for what differs by powers of ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from channels_app.charts.lines import Lines
from channels_app.charts.time_chart import HEIGHT, Tick

_MOST_TICKS = 6


@dataclass(kw_only=True)
class LogLines(Lines):
    """From a power of ten to a power of ten. What is 0 or less has no place, and breaks its line."""

    @property
    def _powers(self) -> range:
        values = [value for one in self.shown for value in one.values if value is not None and value > 0] or [1]
        least, most = floor(log10(min(values))), floor(log10(max(values)))
        return range(least, most + 2)

    @property
    def ticks(self) -> list[Tick]:
        powers = self._powers
        step = -(-len(powers) // _MOST_TICKS)
        return [
            Tick(100 - 100 * (power - powers[0]) / (powers[-1] - powers[0]), self.unit.tick(10**power))
            for power in powers[::step]
        ]

    @property
    def _full(self) -> int:
        return HEIGHT

    def _placed(self, values: Sequence[int | None]) -> Sequence[int | None]:
        return [self._place(value) for value in values]

    def _place(self, value: int | None) -> int | None:
        if value is None or value <= 0:
            return None
        powers = self._powers
        return round(HEIGHT * (log10(value) - powers[0]) / (powers[-1] - powers[0]))
