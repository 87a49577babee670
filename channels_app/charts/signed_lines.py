"""Lines of what may be less than 0."""

from __future__ import annotations

from dataclasses import dataclass

from channels_app.charts.lines import Lines
from channels_app.charts.time_chart import Layer, Tick, line_layers


@dataclass(kw_only=True)
class SignedLines(Lines):
    """The axis goes from a round number to a round number, with 0 between them or at an end."""

    @property
    def _step(self) -> int:
        return self.unit.ticks(max(self.most, -self._least))[1]

    @property
    def _least(self) -> int:
        return min([0, *(value for one in self.shown for value in one.values if value is not None)])

    @property
    def _ends(self) -> tuple[int, int]:
        step = self._step
        return self._least // step * step, -(-self.most // step) * step

    @property
    def ticks(self) -> list[Tick]:
        bottom, top = self._ends
        marks = range(bottom, top + 1, self._step)
        return [Tick(100 - 100 * (mark - bottom) / (top - bottom), self.unit.tick(mark)) for mark in marks]

    @property
    def layers(self) -> list[Layer]:
        bottom, top = self._ends
        return [
            layer
            for one in self.shown
            for layer in line_layers(
                [None if value is None else value - bottom for value in one.values], top - bottom, one.look.fill
            )
        ]
