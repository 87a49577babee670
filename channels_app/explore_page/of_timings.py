"""How long answers took: percentiles of groups, which those of several are not made of, but of their times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from channels_app.explore_page.metrics import Percentile
from channels_app.explore_page.question import Line, Question, known
from channels_app.stats import Span, Timing, merged, timing_by, timing_series
from channels_app.stats.questions import Group


class OfTimings:
    def __init__(self, question: Question, metric: Percentile) -> None:
        self._asked, self._metric = question, metric

    def weights(self) -> dict[Group, int]:
        return {group: timing.latency.samples for group, timing in self._whole.items()}

    def line(self, groups: Sequence[Group]) -> Line:
        by_time = zip(*(self._lines[group] for group in groups), strict=True)
        values = [self._metric.of(merged(some)) for some in by_time]
        return Line(known(self._asked.timeline, values, adds_up=False), self._of(groups))

    def whole(self) -> int | None:
        return self._of([*self._whole])

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        found = timing_by(span, self._asked.conditions, by)
        return {group: self._metric.of(one) for group, one in found.items()}

    def _of(self, groups: Sequence[Group]) -> int | None:
        return self._metric.of(merged(self._whole[group] for group in groups))

    @cached_property
    def _lines(self) -> dict[Group, list[Timing]]:
        return timing_series(self._asked.edges, self._asked.conditions, self._asked.dimensions)

    @cached_property
    def _whole(self) -> dict[Group, Timing]:
        return timing_by(self._asked.span, self._asked.conditions, self._asked.dimensions)
