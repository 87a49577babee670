"""How long the intervals of Explore are, by what its metric takes to tell."""

from __future__ import annotations

from datetime import datetime

from channels_app.buckets import AUTO
from channels_app.charts.timeline import Timeline
from channels_app.explore_page.metrics import AnyMetric, CallRate, PeakRate, Percentile, Presence
from channels_app.explore_page.question import dimensions
from channels_app.filter_bar.scope import Scope
from channels_app.interval import interval_of, of_percentiles
from channels_app.period import Period
from channels_app.stats import span_of
from channels_app.stats.elapsed import gaps


def timeline_of(period: Period, asked: str, by: str, metric: AnyMetric, scope: Scope, now: datetime) -> Timeline:
    """Return the intervals of `period`, of the length that was `asked` for, or with AUTO one that is quick."""
    asked_of = dimensions(by) + ([metric.counted] if isinstance(metric, Presence) else [])
    bucket = interval_of(period, asked, scope.conditions, asked_of)
    timeline = Timeline(period, bucket, now, gaps(span_of(period), scope.filters.servers or None))
    return of_percentiles(timeline) if asked == AUTO and _is_quicker_by_days(metric, by) else timeline


def _is_quicker_by_days(metric: AnyMetric, by: str) -> bool:
    """The peaks of keys are kept by day, and hours of two dimensions are many rows."""
    if isinstance(metric, PeakRate):
        return by == "key"
    return isinstance(metric, Percentile | CallRate) or (isinstance(metric, Presence) and bool(dimensions(by)))
