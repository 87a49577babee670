"""Lines through the middles of the intervals, for what does not add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from channels_app.charts.time_chart import End, Layer, TimeChart, height, line_layers

# Of the height: what two labels need.
_APART = 7.0


@dataclass(kw_only=True)
class Lines(TimeChart):
    """The space between two of them, by their keys, may be tinted: `band`. With `is_labelled` each says at its end what it is."""

    band: tuple[str, str] | None = None
    is_labelled: bool = False

    @property
    def most(self) -> int:
        return max([1, *(value for one in self.shown for value in one.values if value is not None)])

    @property
    def layers(self) -> list[Layer]:
        placed = {one.key: self._placed(one.values) for one in self.shown}
        layers = [layer for one in self.shown for layer in line_layers(placed[one.key], self._full, one.look.fill)]
        if self.band and set(self.band) <= placed.keys():
            upper, lower = (placed[key] for key in self.band)
            layers.insert(0, Layer(_between(upper, lower, self._full), "band"))
        return layers

    @property
    def _full(self) -> int:
        """What reaches to the top."""
        return self.top

    def _placed(self, values: Sequence[int | None]) -> Sequence[int | None]:
        """Return where values are, of `_full`; None where they have no place."""
        return values

    @property
    def ends(self) -> list[End]:
        """From top to bottom, as far apart as they have to be."""
        if not self.is_labelled:
            return []
        lasts = [(one, _last(self._placed(one.values))) for one in self.shown]
        found = [
            End(100 * (at + 0.5) / self.timeline.count, 100 - 100 * value / self._full, str(one.name))
            for one, (at, value) in ((one, last) for one, last in lasts if last)
        ]
        return _apart(sorted(found, key=lambda end: end.y))

    @property
    def summary(self) -> str:
        told = _("%(title)s, %(per)s.") % {"title": self.title, "per": self.timeline.per}
        known = [one for one in self.shown if one.total is not None]
        return " ".join((told, ", ".join(f"{one.name} {self.unit.write(one.total or 0)}" for one in known)))


def _last(values: Sequence[int | None]) -> tuple[int, int] | None:
    """Return the last value, and its place."""
    return next(((at, value) for at, value in reversed([*enumerate(values)]) if value is not None), None)


def _apart(ends: Sequence[End]) -> list[End]:
    """Push each below the one before it, and what leaves the plot back up."""
    found: list[End] = []
    for end in ends:
        least = found[-1].y + _APART if found else _APART
        found.append(end._replace(y=max(end.y, least)))
    most = 100.0
    for place in reversed(range(len(found))):
        found[place] = found[place]._replace(y=min(found[place].y, most))
        most = found[place].y - _APART
    return found


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
