"""The busiest minutes: of several groups together they do not follow from those of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from channels_app.explore_page.metrics import PeakRate
from channels_app.explore_page.narrowing import narrowed_to
from channels_app.explore_page.outcomes import by_status
from channels_app.explore_page.question import Line, Question, known
from channels_app.stats import Conditions, Span
from channels_app.stats.peaks import peaks
from channels_app.stats.peaks_by_time import Highest, PeakLines, PeakQuestion
from channels_app.stats.questions import Group


class OfPeaks:
    def __init__(self, question: Question, metric: PeakRate) -> None:
        self._asked, self._metric = question, metric

    def weights(self) -> dict[Group, int]:
        """Their own peaks."""
        return {group: self._highest(line) or 0 for group, line in self._lines.items()}

    def line(self, groups: Sequence[Group]) -> Line:
        """Nothing of several, where stored peaks do not tell."""
        if len(groups) == 1:
            found = self._lines.get(groups[0])
        else:
            conditions = narrowed_to(groups, self._asked.dimensions, self._asked.conditions)
            found = _peaks(self._asked.edges, conditions, ()).get(())
        if found is None:
            return Line([None] * self._asked.timeline.begun, None)
        values = [None if one is None else self._metric.of(one) for one in found]
        return Line(known(self._asked.timeline, values, adds_up=False), self._highest(found))

    def whole(self) -> int | None:
        """Return None where another minute than those found may have more."""
        if not self._lines:
            return None
        if len(self._lines) == 1:
            return self._highest(next(iter(self._lines.values())))
        peak = self._metric.peak_of(peaks(self._asked.span, self._asked.conditions))
        return peak.value if peak.is_exact else None

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        found = self._ask((span.since, span.until), by)
        return {group: self._highest(line) for group, line in found.items()}

    def _highest(self, line: Sequence[Highest | None]) -> int | None:
        known_ones = [one for one in line if one is not None]
        return max(map(self._metric.of, known_ones)) if len(known_ones) == len(line) else None

    @cached_property
    def _lines(self) -> PeakLines:
        return self._ask(self._asked.edges, self._asked.dimensions)

    def _ask(self, edges: Sequence[int], by: Sequence[str]) -> PeakLines:
        if self._asked.by == "status":
            parts = enumerate(by_status(self._asked.conditions))
            return {(place,): line for place, part in parts for line in _peaks(edges, part, ()).values()}
        return _peaks(edges, self._asked.conditions, by)


def _peaks(edges: Sequence[int], conditions: Conditions, by: Sequence[str]) -> PeakLines:
    """Return nothing where it cannot be told: of others together, or of the period before."""
    question = PeakQuestion(edges, conditions, by)
    return question.ask() if question.can_be_told else {}
