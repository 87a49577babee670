"""Lines through the middles of the intervals, for what does not add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from channels_app.charts.time_chart import Layer, TimeChart, height, line_layers


@dataclass(kw_only=True)
class Lines(TimeChart):
    """The space between two of them, by their keys, may be tinted: `band`."""

    band: tuple[str, str] | None = None

    @property
    def most(self) -> int:
        return max([1, *(value for one in self.shown for value in one.values if value is not None)])

    @property
    def layers(self) -> list[Layer]:
        by_key = {one.key: one for one in self.shown}
        layers = [layer for one in self.shown for layer in line_layers(one.values, self.top, one.look.fill)]
        if self.band and set(self.band) <= by_key.keys():
            upper, lower = (by_key[key].values for key in self.band)
            layers.insert(0, Layer(_between(upper, lower, self.top), "band"))
        return layers

    @property
    def summary(self) -> str:
        told = _("%(title)s, %(per)s.") % {"title": self.title, "per": self.timeline.per}
        known = [one for one in self.shown if one.total is not None]
        return " ".join((told, ", ".join(f"{one.name} {self.unit.write(one.total or 0)}" for one in known)))


def _between(upper: Sequence[int | None], lower: Sequence[int | None], top: int) -> str:
    """Return the space between two lines, wherever both have values in a row."""
    runs: list[list[int]] = [[]]
    for at, both in enumerate(zip(upper, lower, strict=True)):
        if None in both:
            runs.append([])
        else:
            runs[-1].append(at)
    return "".join(_polygon(run, upper, lower, top) for run in runs if len(run) > 1)


def _polygon(run: Sequence[int], upper: Sequence[int | None], lower: Sequence[int | None], top: int) -> str:
    there = [f"{at}.5 {height(upper[at] or 0, top)}" for at in run]
    back = [f"{at}.5 {height(lower[at] or 0, top)}" for at in reversed(run)]
    return f"M{'L'.join([*there, *back])}z"
