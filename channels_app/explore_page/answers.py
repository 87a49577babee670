"""What Explore asks: the groups of a metric over time, and what they were before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from channels_app.charts.timeline import Timeline
from channels_app.comparison import compared_with
from channels_app.explore_page.intervals import timeline_of
from channels_app.explore_page.metrics import AnyMetric, CallRate, PeakRate, Percentile, Presence
from channels_app.explore_page.of_calls import OfCalls
from channels_app.explore_page.of_peaks import OfPeaks
from channels_app.explore_page.of_presence import OfPresence
from channels_app.explore_page.of_sums import OfSums
from channels_app.explore_page.of_timings import OfTimings
from channels_app.explore_page.query import ExploreQuery
from channels_app.explore_page.question import Answer, Line, Question, dimensions
from channels_app.period import Period
from channels_app.stats import Conditions, Span, span_of
from channels_app.stats.elapsed import gaps, length
from channels_app.stats.questions import Group
from channels_app.stats.seen import first_day
from channels_app.usage_api import since_the_first_record

_MOST_MISSING = 0.05


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
        first = first_day()
        if before is None or first is None or before.since < first:
            return None
        span = span_of(before)
        missing = length(gaps(span, self.query.scope.filters.servers or None)) / length([span])
        return before if missing <= _MOST_MISSING else None

    @cached_property
    def timeline(self) -> Timeline:
        query = self.query
        return timeline_of(self.period, query.bucket, query.by, query.measured, query.scope, self.now)

    @cached_property
    def weights(self) -> dict[Group, int]:
        """What groups are ordered by."""
        return self.told.weights()

    @cached_property
    def told(self) -> Answer:
        """What the metric answers."""
        query = self.query
        question = Question(
            self.timeline, self.span, self.conditions, query.by, query.scope.basis, query.scope.filters.servers or None
        )
        return answer_to(question, query.measured)

    def line(self, groups: Iterable[Group]) -> Line:
        """Return these groups together."""
        return self.told.line(list(groups))

    @cached_property
    def totals_before(self) -> dict[Group, int | None]:
        """Of each group in the period that is compared with."""
        return self.told.totals(span_of(self.before), dimensions(self.query.by)) if self.before else {}

    @cached_property
    def divided(self) -> dict[Group, int | None]:
        """By both dimensions."""
        return self.told.totals(self.span, [self.query.by, self.query.by2])


def answer_to(question: Question, metric: AnyMetric) -> Answer:
    if isinstance(metric, Percentile):
        return OfTimings(question, metric)
    if isinstance(metric, CallRate):
        return OfCalls(question, metric)
    if isinstance(metric, PeakRate):
        return OfPeaks(question, metric)
    return OfPresence(question, metric) if isinstance(metric, Presence) else OfSums(question, metric)
