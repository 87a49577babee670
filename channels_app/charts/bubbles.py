"""Models by how fast they write and what they cost: a bubble for each, as large as its traffic (`ui.md` 10.2, C9)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

from channels_app.charts.unit import NANOUSD
from usage import formats

# In pixels; the area is as the square root of the tokens.
_LARGEST, _SMALLEST = 22.0, 4.0
_LABELS, _TICKS = 8, 5
# So far from its bubble a name may be.
_MOST_LINES = 8
_LEAST_WRITTEN = formats.NANO // 10_000
# Of a plot as wide as this: what labels are likely to take, to keep them apart.
_WIDTH, _HEIGHT, _LETTER, _LINE = 800, 260, 7.0, 16
# Of the plot, on each side: where the middle of a bubble may not be, so that it and its label stay inside.
_MARGIN_X, _MARGIN_Y = 5.0, 12.0


class Bubble(NamedTuple):
    """`speed` in tokens a second; `price` in nano-USD for a million tokens. Without one of these it cannot be drawn."""

    name: str
    fill: str
    tokens: int
    speed: float | None
    price: float | None


class Drawn(NamedTuple):
    """`x` and `y` in per cent of the plot from its upper left corner, `radius` in pixels."""

    bubble: Bubble
    x: float
    y: float
    radius: float
    title: str


class Label(NamedTuple):
    """A word at a place of the plot (per cent); `shift` in pixels, `anchor` is where in the word that is. A line from `stem`
    leads to what is not beside its bubble.
    """

    x: float
    y: float
    text: str
    shift: float = 0
    anchor: str = "middle"
    stem: float | None = None


@dataclass
class Bubbles:
    bubbles: Sequence[Bubble]

    @cached_property
    def known(self) -> list[Bubble]:
        """The largest first, so that smaller ones lie above."""
        known = [one for one in self.bubbles if one.speed and one.price]
        return sorted(known, key=lambda one: (-one.tokens, one.name))

    @property
    def unpriced(self) -> list[Bubble]:
        """What cannot be drawn because its price is not known."""
        return [one for one in self.bubbles if one.price is None and one.tokens]

    @property
    def untimed(self) -> list[Bubble]:
        """What cannot be drawn because no answer told its speed."""
        return [one for one in self.bubbles if one.price is not None and not (one.speed and one.price)]

    @cached_property
    def drawn(self) -> list[Drawn]:
        most = math.sqrt(max((one.tokens for one in self.known), default=1) or 1)
        return [
            Drawn(
                one, round(self._x(one.speed or 0), 2), round(self._y(one.price or 1), 2),
                round(max(_SMALLEST, _LARGEST * math.sqrt(math.sqrt(one.tokens) / most)), 1), _title(one),
            )
            for one in self.known
        ]  # fmt: skip

    @cached_property
    def _speeds(self) -> list[float]:
        """The marks of the axis: round numbers, from below the slowest to above the fastest."""
        speeds = [one.speed or 0 for one in self.known] or [0.0]
        low, high = min(speeds), max(speeds)
        step = _round_up(max(high - low, high / 10, 1) / _TICKS)
        first, last = math.floor(low / step), math.floor(high / step) + 1
        return [step * number for number in range(first, last + 1)]

    @cached_property
    def _decades(self) -> tuple[float, float]:
        """The logarithms of the least and the most price, a little apart where they are the same."""
        logs = [math.log10(one.price or 1) for one in self.known] or [0.0]
        low, high = min(logs), max(logs)
        return (low, high) if high - low > 0.3 else (low - 0.3, high + 0.3)

    def _x(self, speed: float) -> float:
        first, last = self._speeds[0], self._speeds[-1]
        return _MARGIN_X + (100 - 2 * _MARGIN_X) * (speed - first) / (last - first)

    def _y(self, price: float) -> float:
        low, high = self._decades
        return 100 - _MARGIN_Y - (100 - 2 * _MARGIN_Y) * (math.log10(price) - low) / (high - low)

    @property
    def speeds(self) -> list[Label]:
        return [Label(round(self._x(mark), 2), 100, f"{mark:g}") for mark in self._speeds]

    @property
    def prices(self) -> list[Label]:
        """Powers of ten, and two and five times these where there are few."""
        low, high = self._decades
        powers = range(math.floor(low), math.ceil(high) + 1)
        inside = [[factor * 10.0**power for power in powers for factor in some] for some in ((1,), (1, 2, 5))]
        found = [[mark for mark in marks if low - 1e-9 <= math.log10(mark) <= high + 1e-9] for marks in inside]
        marks = found[0] if len(found[0]) > 2 else found[1]
        # What is less than can be written has no mark.
        return [
            Label(0, round(self._y(mark), 2), NANOUSD.tick(round(mark))) for mark in marks if mark >= _LEAST_WRITTEN
        ]

    @property
    def labels(self) -> Iterator[Label]:
        """The names of the largest, to the right of each, else to its left, above or beneath; none where it would lie on
        another, or on another's bubble.
        """
        taken: list[_Box] = []
        for one in self.drawn[:_LABELS]:
            others = [other for other in self.drawn if other is not one]
            for label, box in _places(one):
                is_free = not any(map(box.touches, taken)) and not any(map(box.covers, others))
                if box.left >= 0 and box.right <= _WIDTH and is_free:
                    taken.append(box)
                    yield label
                    break


class _Box(NamedTuple):
    left: float
    right: float
    middle: float

    def touches(self, other: _Box) -> bool:
        return self.left < other.right and other.left < self.right and abs(self.middle - other.middle) < _LINE

    def covers(self, bubble: Drawn) -> bool:
        x, y, reach = bubble.x / 100 * _WIDTH, bubble.y / 100 * _HEIGHT, bubble.radius
        return self.left < x + reach and x - reach < self.right and abs(self.middle - y) < reach + _LINE / 2


def _places(one: Drawn) -> Iterator[tuple[Label, _Box]]:
    x, y, gap, length = one.x / 100 * _WIDTH, one.y / 100 * _HEIGHT, one.radius + 4, _LETTER * len(one.bubble.name)
    yield Label(one.x, one.y, one.bubble.name, gap, "start"), _Box(x + gap, x + gap + length, y)
    yield Label(one.x, one.y, one.bubble.name, -gap, "end"), _Box(x - gap - length, x - gap, y)
    anchors = {"middle": x - length / 2, "start": x, "end": x - length}
    for lines, side, (anchor, left) in product(range(1, _MOST_LINES), (-1, 1), anchors.items()):
        middle = y + side * (one.radius + lines * _LINE)
        if _LINE / 2 <= middle <= _HEIGHT - _LINE / 2:
            label = Label(one.x, round(100 * middle / _HEIGHT, 2), one.bubble.name, 0, anchor, one.y)
            yield label, _Box(left, left + length, middle)


def _round_up(value: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _title(one: Bubble) -> str:
    speed, price = f"{one.speed or 0:,.1f} tok/s", formats.money(round(one.price or 0))
    return f"{one.name} · {formats.compact(one.tokens)} · {speed} · {price} / 1M"
