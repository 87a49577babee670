"""What Explore asks: the groups of a metric over time, and what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from channels_app.buckets import AUTO
from channels_app.charts.mix import KINDS
from channels_app.charts.timeline import Timeline, bucket_of
from channels_app.comparison import compared_with
from channels_app.explore_page.metrics import Metric, Percentile
from channels_app.explore_page.query import ExploreQuery
from channels_app.filters import FAIL, OK
from channels_app.period import Period
from channels_app.stats import (
    Conditions,
    Span,
    Spread,
    Timing,
    Usage,
    breakdown,
    series,
    span_of,
    timing_by,
    timing_series,
)
from channels_app.stats.elapsed import gaps, length
from channels_app.stats.questions import Group
from channels_app.usage_api import since_the_first_record
from usage.ingest.rollup import TOKENS
from usage.models import UsageDailyBySource

# Percentiles of more hours would take as long as all else together.
_MOST_HOURS = 48
_MOST_MISSING = 0.05


class Line(NamedTuple):
    """A group's value in each interval that has begun, and of the whole period; None where there is none.

    `weight` is what groups are ordered by: their value, or of what does not add up their requests.
    """

    values: list[int | None]
    total: int | None
    weight: int


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
        bucket = self.query.bucket if self.query.bucket != AUTO else bucket_of(self.period)
        servers = self.query.scope.filters.servers or None
        timeline = Timeline(self.period, bucket, self.now, gaps(self.span, servers))
        is_slow = isinstance(self.query.measured, Percentile) and bucket == "1h" and timeline.count > _MOST_HOURS
        return replace(timeline, bucket="1d") if is_slow and self.query.bucket == AUTO else timeline

    @cached_property
    def lines(self) -> dict[Group, Line]:
        """Of each group; a group of no dimension is all together."""
        metric = self.query.measured
        if isinstance(metric, Percentile):
            return self._timed(metric)
        if self.query.by == "type":
            return self._types
        return {group: self._line(usages, metric) for group, usages in self._usages.items()}

    def together(self, groups: Iterable[Group]) -> Line:
        """Return several groups as one."""
        metric, groups = self.query.measured, list(groups)
        if isinstance(metric, Percentile):
            spreads = [self._timings[group] for group in groups]
            values = [metric.of(_merged(some)) for some in zip(*spreads, strict=True)][: self.timeline.begun]
            whole = _merged([self._whole_timings[group] for group in groups])
            return Line([*values], metric.of(whole), whole.latency.samples)
        usages = [self._usages[group] for group in groups]
        return self._line([_added(some) for some in zip(*usages, strict=True)], metric)

    def _line(self, usages: Sequence[Usage], metric: Metric) -> Line:
        whole = _added(usages)
        total = metric.of(whole)
        values = [self._value(metric.of(usage), at, metric) for at, usage in enumerate(usages[: self.timeline.begun])]
        return Line(values, total, total or 0 if metric.adds_up else whole.requests)

    def _value(self, value: int | None, at: int, metric: Metric) -> int | None:
        """Where nothing was collected, nothing is known."""
        if not value and self.timeline.is_gap(at):
            return None
        return value if value is not None or not metric.adds_up else 0

    @cached_property
    def _usages(self) -> dict[Group, list[Usage]]:
        by, basis, metric = self.query.by, self.query.scope.basis, self.query.measured
        sums = metric.sums if isinstance(metric, Metric) else ()
        if by == "status":
            found: dict[Group, list[list[int]]] = {
                (place,): line
                for place, part in enumerate(by_status(self.conditions))
                for line in series(self.timeline.micros, part, (), sums, basis).groups.values()
            }
        else:
            found = series(self.timeline.micros, self.conditions, dimensions(by), sums, basis).groups
        return {
            group: [Usage(**dict(zip(sums, interval, strict=True))) for interval in line]
            for group, line in found.items()
        }

    @cached_property
    def _types(self) -> dict[Group, Line]:
        """Groups are places in mix.KINDS."""
        found = series(self.timeline.micros, self.conditions, (), TOKENS).groups.get((), [])
        lines = {}
        for place, kind in enumerate(KINDS):
            values = [interval[TOKENS.index(kind)] for interval in found]
            shown = [None if not value and self.timeline.is_gap(at) else value for at, value in enumerate(values)]
            lines[place,] = Line(shown[: self.timeline.begun], sum(values), sum(values))
        return {group: line for group, line in lines.items() if line.total}

    def _timed(self, metric: Percentile) -> dict[Group, Line]:
        return {
            group: Line(
                [metric.of(one) for one in line[: self.timeline.begun]],
                metric.of(self._whole_timings[group]),
                self._whole_timings[group].latency.samples,
            )
            for group, line in self._timings.items()
            if group in self._whole_timings
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


STATUSES = (OK, FAIL)


def by_status(conditions: Conditions) -> list[Conditions]:
    """Return the same of what succeeded, and of what failed: in the order of STATUSES."""
    found = []
    for failed in (False, True):
        is_asked = conditions.failed in (None, failed) and not (conditions.codes and not failed)
        found.append(replace(conditions, failed=failed) if is_asked else replace(conditions, sources=frozenset()))
    return found


def dimensions(by: str) -> list[str]:
    return [] if by in ("none", "type", "status") else [by]


def _added(usages: Iterable[Usage]) -> Usage:
    whole = Usage()
    for usage in usages:
        whole.add(usage)
    return whole


def _merged(timings: Iterable[Timing]) -> Timing:
    some = list(timings)
    return Timing(_spread([one.latency for one in some]), _spread([one.ttft for one in some]))


def _spread(spreads: Sequence[Spread]) -> Spread:
    counts: dict[int, int] = {}
    for spread in spreads:
        for milliseconds, count in spread.counts.items():
            counts[milliseconds] = counts.get(milliseconds, 0) + count
    return Spread(counts, any(spread.is_rough for spread in spreads))
