"""What Explore asks: the groups of a metric over time, and what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from channels_app.buckets import AUTO
from channels_app.charts.mix import KINDS
from channels_app.charts.timeline import Timeline
from channels_app.comparison import compared_with
from channels_app.explore_page.metrics import Metric, Percentile
from channels_app.explore_page.query import ExploreQuery
from channels_app.filters import FAIL, OK
from channels_app.interval import interval_of, of_percentiles
from channels_app.period import Period
from channels_app.stats import (
    Conditions,
    Span,
    Timing,
    Usage,
    breakdown,
    merged,
    series,
    span_of,
    timing_by,
    timing_series,
)
from channels_app.stats.elapsed import gaps, length
from channels_app.stats.questions import Group
from channels_app.stats.traits import TRAITS, series_by_trait
from channels_app.usage_api import since_the_first_record
from usage.ingest.rollup import TOKENS
from usage.models import UsageDailyBySource

_MOST_MISSING = 0.05


class Line(NamedTuple):
    """A value in each interval that has begun, and of the whole period; None where there is none."""

    values: list[int | None]
    total: int | None


@dataclass
class ExploreAnswers:
    query: ExploreQuery
    now: datetime

    @cached_property
    def period(self) -> Period:
        return since_the_first_record(self.query.scope.period)

    @cached_property
    def span(self) -> Span:
        return span_of(self.period)

    @cached_property
    def conditions(self) -> Conditions:
        return self.query.scope.conditions

    @cached_property
    def before(self) -> Period | None:
        """What can be compared with: None where that began before there were records, or is full of gaps."""
        before = compared_with(self.period, self.query.scope.comparison)
        first = UsageDailyBySource.objects.order_by("bucket").first()
        if before is None or first is None or before.since < first.bucket:
            return None
        span = span_of(before)
        missing = length(gaps(span, self.query.scope.filters.servers or None)) / length([span])
        return before if missing <= _MOST_MISSING else None

    @cached_property
    def timeline(self) -> Timeline:
        bucket = interval_of(self.period, self.query.bucket, self.conditions, dimensions(self.query.by))
        servers = self.query.scope.filters.servers or None
        timeline = Timeline(self.period, bucket, self.now, gaps(self.span, servers))
        is_slow = isinstance(self.query.measured, Percentile) and self.query.bucket == AUTO
        return of_percentiles(timeline) if is_slow else timeline

    @cached_property
    def weights(self) -> dict[Group, int]:
        """What groups are ordered by: their value, or of what does not add up their requests. All together are the group
        of no dimension; types of token are groups by their place in mix.KINDS, outcomes by that in STATUSES.
        """
        metric = self.query.measured
        if isinstance(metric, Percentile):
            return {group: timing.latency.samples for group, timing in self._whole_timings.items()}
        found = {}
        for group, intervals in self._sums.items():
            usage = self._usage([sum(column) for column in zip(*intervals, strict=True)])
            found[group] = (metric.of(usage) or 0) if metric.adds_up else usage.requests
        return found

    def line(self, groups: Iterable[Group]) -> Line:
        """Return these groups together."""
        metric, begun, groups = self.query.measured, self.timeline.begun, list(groups)
        if isinstance(metric, Percentile):
            by_time = zip(*(self._timings[group] for group in groups), strict=True)
            whole = merged(self._whole_timings[group] for group in groups)
            return Line([metric.of(merged(some)) for some in by_time][:begun], metric.of(whole))
        each = [
            [sum(column) for column in zip(*some, strict=True)]
            for some in zip(*(self._sums[group] for group in groups), strict=True)
        ]
        values = [self._value(metric.of(self._usage(sums)), at, metric) for at, sums in enumerate(each[:begun])]
        return Line(values, metric.of(self._usage([sum(column) for column in zip(*each, strict=True)])))

    def _value(self, value: int | None, at: int, metric: Metric) -> int | None:
        """Where nothing was collected, nothing is known."""
        if not value and self.timeline.is_gap(at):
            return None
        return value if value is not None or not metric.adds_up else 0

    def _usage(self, sums: Sequence[int]) -> Usage:
        return Usage(**dict(zip(self._names, sums, strict=True)))

    @property
    def _names(self) -> tuple[str, ...]:
        """Of the sums that are asked for."""
        metric = self.query.measured
        return metric.sums if isinstance(metric, Metric) else ()

    @cached_property
    def _sums(self) -> dict[Group, list[list[int]]]:
        """Of each group in each interval."""
        by, basis, marks = self.query.by, self.query.scope.basis, self.timeline.micros
        if by == "status":
            return {
                (place,): line
                for place, part in enumerate(by_status(self.conditions))
                for line in series(marks, part, (), self._names, basis).groups.values()
            }
        if by in TRAITS:
            return series_by_trait(marks, self.conditions, by, self._names).groups
        found = series(marks, self.conditions, dimensions(by), self._names, basis).groups
        if by != "type":
            return found
        return {
            (place,): [_only(TOKENS.index(kind), sums) for sums in found.get((), [])]
            for place, kind in enumerate(KINDS)
            if found
        }

    @cached_property
    def _timings(self) -> dict[Group, list[Timing]]:
        return timing_series(self.timeline.micros, self.conditions, dimensions(self.query.by))

    @cached_property
    def _whole_timings(self) -> dict[Group, Timing]:
        return timing_by(self.span, self.conditions, dimensions(self.query.by))

    @cached_property
    def totals_before(self) -> dict[Group, int | None]:
        """Of each group in the period that is compared with."""
        return self._totals(span_of(self.before), dimensions(self.query.by)) if self.before else {}

    @cached_property
    def divided(self) -> dict[Group, int | None]:
        """By both dimensions."""
        return self._totals(self.span, [self.query.by, self.query.by2])

    def _totals(self, span: Span, by: Sequence[str]) -> dict[Group, int | None]:
        metric = self.query.measured
        if isinstance(metric, Percentile):
            return {group: metric.of(one) for group, one in timing_by(span, self.conditions, by).items()}
        if self.query.by in TRAITS:
            return self._totals_by_trait(span, metric)
        if self.query.by == "status":
            found: dict[Group, Usage] = {
                (place,): usage
                for place, part in enumerate(by_status(self.conditions))
                for usage in breakdown(span, part, (), self.query.scope.basis).values()
            }
        else:
            found = breakdown(span, self.conditions, by, self.query.scope.basis)
        if self.query.by == "type":
            return {(place,): sum(getattr(usage, kind) for usage in found.values()) for place, kind in enumerate(KINDS)}
        return {group: metric.of(usage) for group, usage in found.items()}

    def _totals_by_trait(self, span: Span, metric: Metric) -> dict[Group, int | None]:
        lines = series_by_trait((span.since, span.until), self.conditions, self.query.by, self._names).groups
        return {group: metric.of(self._usage(sums)) for group, (sums,) in lines.items()}


STATUSES = (OK, FAIL)


def by_status(conditions: Conditions) -> list[Conditions]:
    """Return the same of what succeeded, and of what failed: in the order of STATUSES."""
    found = []
    for failed in (False, True):
        is_asked = conditions.failed in (None, failed) and not (conditions.codes and not failed)
        found.append(replace(conditions, failed=failed) if is_asked else replace(conditions, sources=frozenset()))
    return found


def dimensions(by: str) -> list[str]:
    return [] if by in ("none", "type", "status", *TRAITS) else [by]


def _only(place: int, sums: Sequence[int]) -> list[int]:
    """Return one of the sums, with the others 0."""
    return [value if at == place else 0 for at, value in enumerate(sums)]
