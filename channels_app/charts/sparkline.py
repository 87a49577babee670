"""A line as high as a word: how a figure went, without numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from channels_app.charts.time_chart import HEIGHT, line
from channels_app.charts.unit import Unit

# More would not be seen.
_MOST_POINTS = 28
Value = TypeVar("Value")


class Sparkline(NamedTuple):
    """A path that is HEIGHT high and `width` wide; `peak` is its highest value in words, where it has a unit."""

    path: str
    width: int
    peak: str = ""


def sparkline(values: Sequence[float | None], unit: Unit | None = None) -> Sparkline | None:
    """Return a line from 0, or what is less, to the most; None where fewer than two values are known. In a `unit` values are
    whole numbers of it.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    bottom = min(0, *known)
    reach = max(0, *known) - bottom or 1
    heights = [None if value is None else round(HEIGHT * (value - bottom) / reach) for value in values]
    return Sparkline(line(heights, HEIGHT), len(values), unit.write(int(max(known))) if unit else "")


def thinned(values: Sequence[Value], together: Callable[[Sequence[Value]], Value]) -> list[Value]:
    """Put neighbours `together` until there are few enough."""
    width = -(-len(values) // _MOST_POINTS) or 1
    return [together(values[at : at + width]) for at in range(0, len(values), width)]
