"""A bar for each interval, stacked of what adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from django.utils.translation import gettext as _

from channels_app.charts.time_chart import Layer, Tick, TimeChart, height, line
from usage import formats

# Of its interval.
_BAR, _MARGIN = 0.86, 0.07
_WHOLE = 100


@dataclass(kw_only=True)
class StackedBars(TimeChart):
    """The first series is at the bottom; as shares, each bar is as high as all."""

    is_share: bool = False

    @property
    def has_totals(self) -> bool:
        return True

    @property
    def sums(self) -> list[int]:
        return [sum(values) for values in zip(*(_numbers(one.values) for one in self.shown), strict=True)]

    @property
    def total(self) -> int:
        return sum(one.total or 0 for one in self.shown)

    @property
    def most(self) -> int:
        compared = _numbers(self.compared.values) if self.compared else []
        return max([1, *self.sums, *compared])

    @property
    def ticks(self) -> list[Tick]:
        if not self.is_share:
            return super().ticks
        return [Tick(_WHOLE - share, f"{share}%") for share in range(0, _WHOLE + 1, 25)]

    @property
    def scale(self) -> int:
        """As shares, each bar is as high as the plot."""
        return 0 if self.is_share else self.top

    @property
    def layers(self) -> list[Layer]:
        ups = [list(one) for one in zip(*(_numbers(one.values) for one in self.shown), strict=True)]
        stacks = [[0, *accumulate(values)] for values in ups]
        tops = [(stack[-1] or 1) if self.is_share else self.top for stack in stacks]
        layers = [
            Layer(
                "".join(_bar(at, stack[place], stack[place + 1], tops[at]) for at, stack in enumerate(stacks)),
                one.look.fill,
            )
            for place, one in enumerate(self.shown)
        ]
        if self.compared and not self.is_share:
            layers.append(Layer(line(self.compared.values, self.top), "line compared"))
        return layers

    @property
    def summary(self) -> str:
        busiest = max(range(self.timeline.begun), key=self.sums.__getitem__, default=0) if self.shown else 0
        facts = {
            "title": self.title,
            "per": self.timeline.per,
            "total": self.unit.write(self.total),
            "peak": self.unit.write(self.sums[busiest] if self.shown else 0),
            "time": self.timeline.labels[busiest],
        }
        told = _("%(title)s, %(per)s: %(total)s in total, at most %(peak)s, at %(time)s.") % facts
        shares = [
            f"{one.name} {formats.percent((one.total or 0) / self.total)}" for one in self.shown[:3] if self.total
        ]
        return f"{told} {', '.join(shares)}" if shares else told


def _bar(at: int, below: int, above: int, top: int) -> str:
    """Return the part of a bar between two values, drawn from its lower left corner."""
    if above == below:
        return ""
    low, high = height(below, top), height(above, top)
    return f"M{at + _MARGIN:.2f} {low}V{min(high, low - 1)}h{_BAR}V{low}z"  # what is not nothing can be seen


def _numbers(values: Sequence[int | None]) -> list[int]:
    return [value or 0 for value in values]
