"""What is asked of a metric, and how it answers: the same for all kinds of metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from channels_app.charts.timeline import Timeline
from channels_app.stats import Basis, Conditions, Span
from channels_app.stats.questions import Group
from channels_app.stats.traits import TRAITS


class Line(NamedTuple):
    """A value in each interval that has begun, and of the whole period; None where there is none."""

    values: list[int | None]
    total: int | None


@dataclass(frozen=True)
class Question:
    """`by` is one of query.GROUPINGS; `servers` are those whose gaps count (None: all)."""

    timeline: Timeline
    span: Span
    conditions: Conditions
    by: str
    basis: Basis
    servers: frozenset[int] | None

    @property
    def edges(self) -> Sequence[int]:
        return self.timeline.micros

    @cached_property
    def dimensions(self) -> list[str]:
        return dimensions(self.by)


class Answer(Protocol):
    """What is told of the groups of one question. All together are the group of no dimension; types of token are groups by
    their place in mix.KINDS, outcomes by that in STATUSES.
    """

    def weights(self) -> dict[Group, int]:
        """What groups are ordered by: their value, or of what does not add up their requests."""

    def line(self, groups: Sequence[Group]) -> Line:
        """Return these groups together."""

    def whole(self) -> int | None:
        """Return the value of all together in the whole period."""

    def totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        """Return the values of all groups in another span, or by another dimension too."""


def dimensions(by: str) -> list[str]:
    """Return the stats.DIMENSIONS that a grouping is."""
    return [] if by in ("none", "type", "status", *TRAITS) else [by]


def known(timeline: Timeline, values: Sequence[int | None], *, adds_up: bool) -> list[int | None]:
    """Return the values of the intervals that have begun. Where nothing was collected, nothing is known; nothing of what
    adds up is 0.
    """
    return [
        None if not value and timeline.is_gap(at) else 0 if value is None and adds_up else value
        for at, value in enumerate(values[: timeline.begun])
    ]
