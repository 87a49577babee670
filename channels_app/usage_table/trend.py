"""A small line for each row of a table: how what it is sorted by went."""

from __future__ import annotations

from datetime import datetime, timedelta

from channels_app.buckets import edges, micros
from channels_app.charts.sparkline import Sparkline, sparkline, thinned
from channels_app.charts.timeline import bucket_of
from channels_app.charts.unit import NANOUSD, REQUESTS, Unit
from channels_app.charts.unit import TOKENS as IN_TOKENS
from channels_app.filter_bar.scope import Scope
from channels_app.period import Period
from channels_app.stats import series
from channels_app.stats.questions import Group
from channels_app.usage_api import since_the_first_record

_SUMS = {"requests": ("requests",), "failed": ("failed",), "success": ("requests",), "cost": ("cost_nanousd",)}
_UNITS = {"requests": REQUESTS, "failed": REQUESTS, "success": REQUESTS, "cost": NANOUSD}
# Sums by hour of what is known by day take much longer, and 28 points are shown at most.
_MOST_HOURS = timedelta(days=2)


def trends(scope: Scope, now: datetime, by: str, sorted_by: str) -> dict[Group, Sparkline | None]:
    """Return a line for each value of a dimension; of what is sorted by otherwise, tokens."""
    period = since_the_first_record(scope.period)
    begun = [edge for edge in edges(period, _bucket(period)) if edge <= now]
    if len(begun) < 2:
        return {}
    marks = micros([*begun, min(period.until, max(now, begun[-1] + timedelta(seconds=1)))])
    found = series(marks, scope.conditions, [by], _SUMS.get(sorted_by, ("total_tokens",)), scope.basis)
    unit = _UNITS.get(sorted_by, IN_TOKENS)
    return {group: _line([sum(interval) for interval in line], unit) for group, line in found.groups.items()}


def _line(values: list[int], unit: Unit) -> Sparkline | None:
    points = thinned(values, sum)
    return sparkline(points, unit)


def _bucket(period: Period) -> str:
    bucket = bucket_of(period)
    return "1d" if bucket == "1h" and period.until - period.since > _MOST_HOURS else bucket
