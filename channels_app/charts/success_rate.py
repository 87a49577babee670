"""The success rate over time: a line that may begin far above 0, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from channels_app.charts.lines import Lines
from channels_app.charts.time_chart import Layer, Tick, line_layers

WHOLE = 10_000
_USUAL, _TICKS = 9_000, 5


@dataclass(kw_only=True)
class SuccessRate(Lines):
    """Values are in hundredths of a per cent; what is below 90 % makes the axis begin there, at a multiple of 10 %."""

    def __post_init__(self) -> None:
        if self.bottom:
            self.notes.append(_("The axis begins at %(rate)s") % {"rate": self.unit.tick(self.bottom)})

    @property
    def bottom(self) -> int:
        least = min((value for one in self.series for value in one.values if value is not None), default=WHOLE)
        return min(_USUAL, least // 1_000 * 1_000)

    @property
    def ticks(self) -> list[Tick]:
        step = (WHOLE - self.bottom) // _TICKS
        marks = range(self.bottom, WHOLE + 1, step)
        return [Tick(100 - 100 * (mark - self.bottom) / (WHOLE - self.bottom), self.unit.tick(mark)) for mark in marks]

    @property
    def layers(self) -> list[Layer]:
        top, bottom = WHOLE - self.bottom, self.bottom
        return [
            layer
            for one in self.shown
            for layer in line_layers(
                [None if value is None else value - bottom for value in one.values], top, one.look.fill
            )
        ]


def rate(requests: int, failed: int) -> int | None:
    """Return the success rate in hundredths of a per cent, rounded down: only a whole one is 100 %."""
    return WHOLE * (requests - failed) // requests if requests else None
