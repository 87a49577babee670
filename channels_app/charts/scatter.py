"""Single things as points: a path for each group, and a cross for each that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import NamedTuple

from channels_app.charts.look import Look
from channels_app.charts.time_chart import HEIGHT
from channels_app.charts.unit import Unit

WIDTH = 1000
_MOST_TICKS = 5
# Of the histogram.
BINS = 32


class Mark(NamedTuple):
    """A line of the grid: its place in per cent from the left or the bottom."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` to `high`, both included. What is logarithmic is larger than 0."""

    low: int
    high: int
    is_log: bool = False

    @classmethod
    def of(
        cls, values: Sequence[int], unit: Unit, *, is_log: bool, ends: tuple[int | None, int | None] = (None, None)
    ) -> Scale:
        """Return a scale on which all values have a place: from a round number to a round number, but where it `ends`."""
        if not is_log:
            found = cls(0, unit.ticks(max([1, *values]))[-1])
        else:
            known = [value for value in values if value > 0] or [1]
            low = 10 ** (len(str(min(known))) - 1)
            high = 10 ** len(str(max(known) - 1)) if max(known) > 1 else 10
            found = cls(low, max(high, 10 * low), is_log=True)
        least, most = ends
        low = found.low if least is None or (is_log and not least) else least
        high = most or found.high
        return cls(low, high, is_log) if low < high else found

    def place(self, value: int) -> float | None:
        """Return where a value lies, from 0 to 1; None where it has no place."""
        if self.is_log:
            return log10(value / self.low) / log10(self.high / self.low) if value > 0 else None
        return (value - self.low) / (self.high - self.low)

    def marks(self, unit: Unit) -> list[Mark]:
        return [Mark(100 * (self.place(mark) or 0), unit.tick(mark)) for mark in self._marked(unit)]

    def _marked(self, unit: Unit) -> Sequence[int]:
        """Return round numbers; of less than a power of ten, those by which a linear scale goes."""
        powers = [10**power for power in range(len(str(self.high))) if self.low <= 10**power <= self.high]
        if self.is_log and len(powers) > 1:
            return powers[:: -(-(len(powers) - 1) // _MOST_TICKS)]
        step = unit.ticks(self.high - self.low)[1]
        return range(-(-self.low // step) * step, self.high + 1, step)


class Dot(NamedTuple):
    x: int
    y: int
    failed: bool
    group: str
    id: int = 0


class Dots(NamedTuple):
    """The points of a group: a class, a path, and the id of each point in the order of the path."""

    fill: str
    path: str
    ids: str


class Cross(NamedTuple):
    """In per cent from the left and the top."""

    x: float
    y: float
    id: int


class Bar(NamedTuple):
    """Of the histogram: from `y` downwards, in per cent of the height, and how wide, in per cent of the widest."""

    y: float
    width: float


@dataclass
class ScatterPlot:
    """`looks` are those of the groups, in the order in which they are drawn."""

    dots: Sequence[Dot]
    looks: dict[str, Look]
    x: Scale
    y: Scale

    @property
    def layers(self) -> list[Dots]:
        """Of each group what is drawn: every point is a line of no length with round ends."""
        points: dict[str, list[tuple[str, int]]] = {group: [] for group in self.looks}
        for dot in self.dots:
            at = self._place(dot)
            if at and not dot.failed:
                points[dot.group].append((f"M{round(WIDTH * at[0])} {HEIGHT - round(HEIGHT * at[1])}h0", dot.id))
        return [
            Dots(self.looks[group].fill, "".join(path for path, _id in some), " ".join(str(pk) for _path, pk in some))
            for group, some in points.items()
            if some
        ]

    @property
    def crosses(self) -> list[Cross]:
        places = [(self._place(dot), dot.id) for dot in self.dots if dot.failed]
        return [Cross(round(100 * at[0], 1), round(100 - 100 * at[1], 1), pk) for at, pk in places if at]

    @property
    def histogram(self) -> list[Bar]:
        """How many points there are at each height, from the top."""
        counts = [0] * BINS
        for at in filter(None, map(self._place, self.dots)):
            counts[min(int((1 - at[1]) * BINS), BINS - 1)] += 1
        most = max(counts) or 1
        return [Bar(round(100 * number / BINS, 2), round(100 * count / most, 1)) for number, count in enumerate(counts)]

    def _place(self, dot: Dot) -> tuple[float, float] | None:
        x, y = self.x.place(dot.x), self.y.place(dot.y)
        return None if x is None or y is None else (x, y)
