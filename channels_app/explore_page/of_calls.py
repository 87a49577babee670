"""How many client requests succeeded: each whole, whatever part of it is asked for, so that groups do not add up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from channels_app.explore_page.metrics import CallRate
from channels_app.explore_page.narrowing import narrowed_to
from channels_app.explore_page.question import Line, Question, known
from channels_app.stats import Span
from channels_app.stats.calls_by_time import CallsBy, calls_by
from channels_app.stats.client_requests import Calls, calls
from channels_app.stats.questions import Group


class OfCalls:
    def __init__(self, question: Question, metric: CallRate) -> None:
        self._asked, self._metric = question, metric

    def weights(self) -> dict[Group, int]:
        return {group: one.asked for group, one in self._found.whole.items()}

    def line(self, groups: Sequence[Group]) -> Line:
        if len(groups) == 1:
            return self._line(self._found, groups[0])
        conditions = narrowed_to(groups, self._asked.dimensions, self._asked.conditions)
        return self._line(calls_by(self._asked.edges, conditions), ())

    def whole(self) -> int | None:
        return _rate(calls(self._asked.span, self._asked.conditions))

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        found = calls_by((span.since, span.until), self._asked.conditions, by).whole
        return {group: _rate(one) for group, one in found.items()}

    def _line(self, found: CallsBy, group: Group) -> Line:
        values = [_rate(one) for one in found.lines.get(group, [])]
        whole = found.whole.get(group)
        return Line(known(self._asked.timeline, values, adds_up=False), _rate(whole) if whole else None)

    @cached_property
    def _found(self) -> CallsBy:
        return calls_by(self._asked.edges, self._asked.conditions, self._asked.dimensions)


def _rate(found: Calls) -> int | None:
    """Return the success rate in hundredths of a per cent; None where too few records tell their call."""
    return None if found.success_rate is None else int(10_000 * found.success_rate)
