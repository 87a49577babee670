"""What a page of figures asks: each question once, when something is drawn of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from channels_app.buckets import edges, micros
from channels_app.charts.timeline import Timeline
from channels_app.comparison import compared_with
from channels_app.dashboard.query import METRICS, DashboardQuery
from channels_app.interval import interval_of, of_percentiles
from channels_app.period import Period
from channels_app.records import records
from channels_app.stats import (
    Basis,
    Conditions,
    Series,
    Span,
    Spread,
    Timing,
    Usage,
    breakdown,
    merged,
    series,
    span_of,
    timing,
    timing_series,
    totals,
)
from channels_app.stats.client_requests import Calls, calls
from channels_app.stats.conditions import EVERYTHING, NOTHING
from channels_app.stats.cost_mix import cost_by_kind
from channels_app.stats.elapsed import Elapsed, elapsed, gaps, length
from channels_app.stats.peaks import Peaks, peaks
from channels_app.stats.questions import DIMENSIONS, Group, aggregate
from channels_app.usage_api import since_the_first_record
from usage.ingest.grains import TOKENS
from usage.models import UsageRecord
from usage.models.fields import to_micros

# What the small drawings are made of, and the main one unless it is by model or key.
_DRAWN = ("requests", "failed", *TOKENS, "cost_nanousd", "timed_output", "timed_ms")
# Of which of these a sum is that is none of them.
_PARTS = {"total_tokens": TOKENS}
# What lists of the largest are of. So short a time is read from the records: once for all of them.
_RANKED, _READ_ONCE = ("channel", "account", "key"), timedelta(hours=1)
# Of longer periods the heatmap shows the last four weeks.
_HEATMAP, _HOUR = timedelta(days=28), timedelta(hours=1)
# Where not all are asked for, their attempts are looked up, of which a month has too many.
_MOST_CALLS, _MOST_OF_SOME = timedelta(days=32), timedelta(days=8)
_ERRORS = 5


@dataclass
class Answers:
    """`drawn_by` is what the small drawings are of: each channel, or all together."""

    query: DashboardQuery
    now: datetime
    drawn_by: Sequence[str] = ("channel",)

    @cached_property
    def period(self) -> Period:
        return since_the_first_record(self.query.scope.period)

    @cached_property
    def span(self) -> Span:
        return span_of(self.period)

    @cached_property
    def conditions(self) -> Conditions:
        return self.query.scope.conditions

    @property
    def _basis(self) -> Basis:
        return self.query.scope.basis

    @cached_property
    def gaps(self) -> list[Span]:
        return gaps(self.span, self._servers)

    @cached_property
    def timeline(self) -> Timeline:
        by = {*self.drawn_by, *([] if self.query.shows_types else [self.query.by])}
        bucket = interval_of(self.period, self.query.bucket, self.conditions, sorted(by))
        return Timeline(self.period, bucket, self.now, self.gaps)

    @cached_property
    def by_account(self) -> dict[Group, Usage]:
        """By channel and account."""
        return breakdown(self.span, self.conditions, ["channel", "account"], self._basis)

    @cached_property
    def by_channel(self) -> dict[Group, Usage]:
        return breakdown(self.span, self.conditions, ["channel"], self._basis)

    @cached_property
    def usage(self) -> Usage:
        return together(self.by_channel.values())

    def ranked(self, by: Sequence[str]) -> dict[Group, Usage]:
        """By some of `_RANKED`, of each only what ranks it: of a thousand accounts all sums would take twice as long."""
        if self.period.until - self.period.since > _READ_ONCE:
            return self._ranked_by(by)
        found, places = defaultdict[Group, Usage](Usage), [_RANKED.index(name) for name in by]
        for group, usage in self._ranked.items():
            found[tuple(group[place] for place in places)].add(usage)
        return dict(found)

    @cached_property
    def _ranked(self) -> dict[Group, Usage]:
        return self._ranked_by(_RANKED)

    def _ranked_by(self, by: Sequence[str]) -> dict[Group, Usage]:
        metric = METRICS[self.query.metric]
        sums = (*metric.sums, *metric.besides)
        # All tokens rank alike, whatever their kinds.
        figures = ["unclassified" if name == "total_tokens" else name for name in sums]
        rows = aggregate(self.span, self.conditions, [DIMENSIONS[name] for name in by], self._basis, sums)
        return {tuple(row[: len(by)]): Usage(**dict(zip(figures, row[len(by) :], strict=True))) for row in rows}

    @cached_property
    def by_model(self) -> dict[Group, Usage]:
        return breakdown(self.span, self.conditions, ["model"], self._basis)

    @cached_property
    def cost_by_kind(self) -> dict[str, int]:
        """In nano-USD, of kinds of tokens."""
        return cost_by_kind(self.by_model, to_micros(self.now))

    @cached_property
    def by_time(self) -> Series:
        """What is drawn, of these sums: `_DRAWN`."""
        return series(self.timeline.micros, self.conditions, self.drawn_by, _DRAWN, self._basis)

    @cached_property
    def usage_by_time(self) -> list[Usage]:
        """All together, in each interval that has begun."""
        together = zip(*self.by_time.groups.values(), strict=True)
        sums = [[sum(column) for column in zip(*intervals, strict=True)] for intervals in together]
        return [Usage(**dict(zip(_DRAWN, some, strict=True))) for some in sums[: self.timeline.begun]]

    @cached_property
    def lines(self) -> dict[Group, list[int]]:
        """The metric in each interval that has begun, of what is drawn."""
        return self._lines(self.by_time, self._sums)

    def lines_of(self, sum_name: str) -> dict[Group, list[int]]:
        """One of `_DRAWN` in each interval that has begun, by channel."""
        return self._lines(self.by_time, (sum_name,))

    def lines_by(self, dimension: str) -> dict[Group, list[int]]:
        """The metric in each interval that has begun, by one of stats.DIMENSIONS."""
        if [dimension] == [*self.drawn_by]:
            return self.lines
        return self._lines(
            series(self.timeline.micros, self.conditions, [dimension], self._sums, self._basis), self._sums
        )

    def _lines(self, found: Series, names: Sequence[str]) -> dict[Group, list[int]]:
        summed = [one for name in names for one in ([name] if name in found.sums else _PARTS[name])]
        places, begun = [found.sums.index(name) for name in summed], self.timeline.begun
        return {
            group: [sum([interval[place] for place in places]) for interval in line[:begun]]
            for group, line in found.groups.items()
        }

    @cached_property
    def before(self) -> Period | None:
        """What this period is compared with."""
        return compared_with(self.period, self.query.scope.comparison)

    @cached_property
    def usage_before(self) -> Usage:
        return totals(span_of(self.before), self.conditions, self._basis) if self.before else Usage()

    @cached_property
    def line_before(self) -> list[int | None]:
        """The main chart's metric of all together, in as many intervals as have begun."""
        if not self.before:
            return []
        marks = edges(self.before, self.timeline.bucket)
        found = series(micros(marks), self.conditions, (), self._sums, self._basis)
        empty = [[0]] * (len(marks) - 1)
        values: list[int | None] = [sum(sums) for sums in found.groups.get((), empty)]
        begun = self.timeline.begun
        return [*values[:begun], *([None] * (begun - len(values)))]

    @cached_property
    def gap_share_before(self) -> float:
        """Which part of the period before has a gap, 0 to 1."""
        if not self.before:
            return 0.0
        span = span_of(self.before)
        return length(gaps(span, self._servers)) / length([span])

    @cached_property
    def timing(self) -> Timing:
        """Of all intervals together; those of time without end do not reach it."""
        is_covered = self.timing_timeline.edges[-1] >= self.period.until
        return merged(self._timings) if is_covered else timing(self.span, self.conditions)

    @cached_property
    def latency_before(self) -> Spread | None:
        return timing(span_of(self.before), self.conditions).latency if self.before else None

    @cached_property
    def timing_timeline(self) -> Timeline:
        return of_percentiles(self.timeline)

    @cached_property
    def timing_by_time(self) -> list[Timing]:
        """In each interval of `timing_timeline` that has begun."""
        return self._timings[: self.timing_timeline.begun]

    @cached_property
    def _timings(self) -> list[Timing]:
        return timing_series(self.timing_timeline.micros, self.conditions).get((), [])

    @cached_property
    def calls(self) -> Calls | None:
        """What became of client requests; None of long periods, where this one line would take as long as all else."""
        most = _MOST_CALLS if self.conditions == EVERYTHING else _MOST_OF_SOME
        is_long = self.period.until - self.period.since > most
        return None if is_long else calls(self.span, self.conditions)

    @cached_property
    def peaks(self) -> Peaks:
        return peaks(self.span, self.conditions)

    @cached_property
    def elapsed(self) -> Elapsed:
        return elapsed(self.span, self._servers, to_micros(self.now))

    def hours_of(self, metric: str) -> list[tuple[datetime, int]]:
        """One of METRICS of all together in each hour of the period that has begun, of the last four weeks of it."""
        sums = METRICS[metric].sums
        if self.timeline.bucket == "1h":
            marks = self.timeline.edges
            values = [sum(one) for one in zip(*self._lines(self.by_time, sums).values(), strict=True)]
        else:
            until = min(self.period.until, self.now.replace(minute=0, second=0, microsecond=0) + _HOUR)
            since = max(self.period.since, until - _HEATMAP)
            marks = edges(replace(self.period, since=since, until=until, name=""), "1h")
            found = series(micros(marks), self.conditions, (), sums, self._basis)
            values = [sum(one) for one in found.groups.get((), [])]
        return list(zip(marks, values, strict=False))

    @property
    def _sums(self) -> tuple[str, ...]:
        return METRICS[self.query.metric].sums

    @cached_property
    def errors(self) -> list[UsageRecord]:
        """The last failures."""
        failed = NOTHING if self.conditions.failed is False else replace(self.conditions, failed=True)
        return records(self.span, failed, limit=_ERRORS).rows

    @property
    def _servers(self) -> frozenset[int] | None:
        return self.query.scope.filters.servers or None


def together(some: Iterable[Usage]) -> Usage:
    found = Usage()
    for usage in some:
        found.add(usage)
    return found
