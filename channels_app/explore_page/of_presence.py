"""How many channels, accounts, models or keys were active: who is in several groups counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from channels_app.explore_page.metrics import Presence
from channels_app.explore_page.outcomes import by_status
from channels_app.explore_page.question import Line, Question, known
from channels_app.stats import Span
from channels_app.stats.active import Present, present
from channels_app.stats.questions import Group


class OfPresence:
    def __init__(self, question: Question, metric: Presence) -> None:
        self._asked, self._metric = question, metric

    def weights(self) -> dict[Group, int]:
        return {group: one.requests for group, one in self._found.items()}

    def line(self, groups: Sequence[Group]) -> Line:
        lines = [self._found[group].ids for group in groups]
        each = [set[int]().union(*some) for some in zip(*lines, strict=True)]
        values = [len(ids) for ids in each]
        return Line(known(self._asked.timeline, values, adds_up=False), _count(each))

    def whole(self) -> int | None:
        return self.line([*self._found]).total if self._found else None

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        return {group: _count(one.ids) for group, one in self._ask((span.since, span.until), by).items()}

    @cached_property
    def _found(self) -> dict[Group, Present]:
        return self._ask(self._asked.edges, self._asked.dimensions)

    def _ask(self, edges: Sequence[int], by: Sequence[str]) -> dict[Group, Present]:
        asked, counted = self._asked, self._metric.counted
        if asked.by != "status":
            return present(edges, asked.conditions, by, counted)
        parts = enumerate(by_status(asked.conditions))
        return {(place,): one for place, part in parts for one in present(edges, part, (), counted).values()}


def _count(each: Iterable[set[int]]) -> int:
    return len(set[int]().union(*each))
