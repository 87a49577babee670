"""What follows from sums: most metrics, and rates per minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from channels_app.charts.mix import KINDS
from channels_app.explore_page.metrics import Metric
from channels_app.explore_page.outcomes import by_status
from channels_app.explore_page.question import Line, Question, known
from channels_app.stats import Span, Usage, breakdown, series
from channels_app.stats.elapsed import recorded_minutes
from channels_app.stats.questions import Group
from channels_app.stats.traits import TRAITS, series_by_trait
from usage.ingest.grains import TOKENS
from usage.models.fields import to_micros


class OfSums:
    def __init__(self, question: Question, metric: Metric) -> None:
        self._asked, self._metric = question, metric
        self._known_minutes: dict[tuple[object, ...], list[float]] = {}

    def weights(self) -> dict[Group, int]:
        found = {}
        for group, intervals in self._sums.items():
            usage = self._usage([sum(column) for column in zip(*intervals, strict=True)])
            found[group] = (self._metric.of(usage) or 0) if self._metric.adds_up else usage.requests
        return found

    def line(self, groups: Sequence[Group]) -> Line:
        each = [
            [sum(column) for column in zip(*some, strict=True)]
            for some in zip(*(self._sums[group] for group in groups), strict=True)
        ]
        values = [
            self._value(self._usage(sums), minutes)
            for sums, minutes in zip(each, self._minutes(self._asked.edges, groups), strict=True)
        ]
        whole = self._usage([sum(column) for column in zip(*each, strict=True)])
        (minutes,) = self._minutes((self._asked.edges[0], self._asked.edges[-1]), groups)
        return Line(known(self._asked.timeline, values, adds_up=self._metric.adds_up), self._value(whole, minutes))

    def whole(self) -> int | None:
        return self.line([*self._sums]).total if self._sums else None

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        return {
            group: self._value(usage, self._minutes((span.since, span.until), [group])[0])
            for group, usage in self._usage_of(span, by).items()
        }

    def _value(self, usage: Usage, minutes: float) -> int | None:
        value = self._metric.of(usage)
        if value is None or not self._metric.is_per_minute:
            return value
        return round(value / minutes) if minutes else None

    def _minutes(self, edges: Sequence[int], groups: Sequence[Group]) -> list[float]:
        """Return how long each interval was recorded; servers have gaps of their own."""
        if not self._metric.is_per_minute:
            return [0.0] * (len(edges) - 1)
        servers = self._asked.servers
        if self._asked.by == "server" and groups:
            servers = frozenset(group[0] for group in groups if group[0] is not None)
        key = (*edges, servers)
        if key not in self._known_minutes:
            self._known_minutes[key] = recorded_minutes(edges, servers, to_micros(self._asked.timeline.now))
        return self._known_minutes[key]

    def _usage(self, sums: Sequence[int]) -> Usage:
        return Usage(**dict(zip(self._metric.sums, sums, strict=True)))

    @cached_property
    def _sums(self) -> Mapping[Group, Sequence[Sequence[int]]]:
        """Of each group in each interval."""
        asked, by, names = self._asked, self._asked.by, self._metric.sums
        if by == "status":
            return {
                (place,): line
                for place, part in enumerate(by_status(asked.conditions))
                for line in series(asked.edges, part, (), names, asked.basis).groups.values()
            }
        if by in TRAITS:
            return series_by_trait(asked.edges, asked.conditions, by, names).groups
        found = series(asked.edges, asked.conditions, asked.dimensions, names, asked.basis).groups
        if by != "type":
            return found
        return {
            (place,): [_only(TOKENS.index(kind), sums) for sums in found.get((), [])]
            for place, kind in enumerate(KINDS)
            if found
        }

    def _usage_of(self, span: Span, by: Sequence[str]) -> dict[Group, Usage]:
        asked = self._asked
        if asked.by in TRAITS:
            lines = series_by_trait((span.since, span.until), asked.conditions, asked.by, self._metric.sums).groups
            return {group: self._usage(sums) for group, (sums,) in lines.items()}
        if asked.by == "status":
            return {
                (place,): usage
                for place, part in enumerate(by_status(asked.conditions))
                for usage in breakdown(span, part, (), asked.basis).values()
            }
        found = breakdown(span, asked.conditions, by, asked.basis)
        if asked.by != "type":
            return found
        return {
            (place,): Usage(**{kind: sum(getattr(usage, kind) for usage in found.values())})
            for place, kind in enumerate(KINDS)
        }


def _only(place: int, sums: Sequence[int]) -> list[int]:
    """Return one of the sums, with the others 0."""
    return [value if at == place else 0 for at, value in enumerate(sums)]
