"""The intervals of a chart of time, in words: which of them still runs, and where nothing was collected."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.buckets import edges, micros
from channels_app.period import ROLLING, Period
from channels_app.stats import Span
from usage import formats
from usage.models.fields import from_micros, to_micros

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_PER = {
    "1m": _("per minute"),
    "5m": _("per 5 minutes"),
    "15m": _("per 15 minutes"),
    "1h": _("per hour"),
    "6h": _("per 6 hours"),
    "1d": _("per day"),
    "1w": _("per week"),
    "1M": _("per month"),
}
# Sums are kept by hour and day. For drawings too small to show what lies between.
_WIDTHS = {"1m": 2 * _HOUR, "1h": 8 * _DAY, "1d": 180 * _DAY, "1w": 731 * _DAY, "1M": timedelta.max}
_MOST_LABELS = 8
# In per cent of the width: a word that begins later would leave the plot.
_LAST_LABEL = 94
# A narrower gap would not be seen, in per cent of the width.
_LEAST_HATCHED = 0.6


class Label(NamedTuple):
    """A word of the axis: `x` is its place in per cent of the width."""

    x: float
    text: str


class GapStretch(NamedTuple):
    """Intervals, both included, in which there was a collection gap, and where it is, in per cent of the width."""

    first: int
    last: int
    label: str
    x: float
    width: float


def bucket_of(period: Period) -> str:
    """Return the width in which small drawings show a period."""
    length = edges(period, "1M")[-1] - period.since
    return next(name for name, longest in _WIDTHS.items() if length <= longest)


@dataclass(frozen=True)
class Timeline:
    """`gaps` are those of the period, in order; the intervals after `now` are on the axis, and have no values, but for those
    of a period that moves on with the clock: the last that has begun takes in the rest of its hour.
    """

    period: Period
    bucket: str
    now: datetime
    gaps: Sequence[Span] = ()

    @cached_property
    def _planned(self) -> list[datetime]:
        return edges(self.period, self.bucket)

    @cached_property
    def edges(self) -> list[datetime]:
        if self.period.name not in ROLLING:
            return self._planned
        return [*self._planned[: max(self.begun, 1)], self._planned[-1]]

    @cached_property
    def micros(self) -> list[int]:
        return micros(self.edges)

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @cached_property
    def begun(self) -> int:
        """How many intervals have begun."""
        return sum(start <= self.now for start in self._planned[:-1])

    @property
    def running(self) -> int | None:
        """The interval that has begun and not ended."""
        last = self.begun - 1
        return last if last >= 0 and self.now < self.edges[last + 1] else None

    @property
    def per(self) -> Promise:
        return _PER[self.bucket]

    @cached_property
    def local(self) -> list[datetime]:
        return [edge.astimezone(self.period.zone) for edge in self.edges]

    @cached_property
    def labels(self) -> list[str]:
        """Each begun interval by its times; an hour that the clock shows twice with its offset."""
        ends = list(pairwise(edge.astimezone(self.period.zone) for edge in self._planned[: self.begun + 1]))
        seen = Counter(start.replace(tzinfo=None, fold=0) for start, _end in ends)
        return [
            f"{self._label(start, end)} ({formats.utc_offset(start)})"
            if seen[start.replace(tzinfo=None, fold=0)] > 1
            else self._label(start, end)
            for start, end in ends
        ]

    def _label(self, start: datetime, end: datetime) -> str:
        zone, now = self.period.zone, self.now
        if self.bucket == "1M":
            return f"{start:%Y-%m}"
        if end - start >= _DAY - _HOUR:
            first, last = (formats.minute(moment, zone, now)[:-6] for moment in (start, end - _HOUR))
            return first if first == last else f"{first} – {last}"
        return f"{formats.minute(start, zone, now)}–{end:%H:%M}"

    @cached_property
    def axis(self) -> list[Label]:
        """A few words beneath the plot: days, or of a day or less its hours or minutes."""
        marks = [at for at in range(self.count) if self._is_mark(at)]
        some = marks[:: -(-len(marks) // _MOST_LABELS) or 1]
        # Days stand in the middle of a bar that is of them alone, else where they begin.
        shift = 0.5 if self.is_of_days else 0
        labels = [Label(100 * (at + shift) / self.count, self._word(at)) for at in some]
        return [label for label in labels if self.is_of_days or label.x <= _LAST_LABEL]

    def _is_mark(self, at: int) -> bool:
        start, before = self.local[at], self.local[max(at - 1, 0)]
        if self.is_of_days:
            return True
        if self.bucket == "1m":
            return start.minute % 10 == 0
        if at == 0:
            return start.minute == 0 and (self._is_short or start.hour == 0)
        # Where a zone is half an hour off, hours begin at half past.
        return start.date() != before.date() or (self._is_short and start.hour != before.hour)

    def _word(self, at: int) -> str:
        start = self.local[at]
        if self.bucket == "1M":
            return f"{start:%Y-%m}"
        return f"{start:%H:%M}" if self._is_short and (start.hour or start.minute) else f"{start:%m-%d}"

    @property
    def is_of_days(self) -> bool:
        return self.bucket in ("1d", "1w", "1M")

    @property
    def _is_short(self) -> bool:
        return self.edges[-1] - self.edges[0] <= 1.5 * _DAY

    @cached_property
    def gap_stretches(self) -> list[GapStretch]:
        found = []
        for gap in self.gaps:
            touched = [
                at for at, ends in enumerate(pairwise(self.micros)) if gap.since < ends[1] and ends[0] < gap.until
            ]
            if touched:
                x = self._place(gap.since)
                width = max(self._place(gap.until) - x, _LEAST_HATCHED)
                found.append(GapStretch(touched[0], touched[-1], self._times(gap), min(x, 100 - width), width))
        return found

    def _place(self, moment: int) -> float:
        """Where a moment is on the axis, in per cent of its width; all intervals are drawn equally wide."""
        at = min(max(bisect_right(self.micros, moment) - 1, 0), self.count - 1)
        start, end = self.micros[at : at + 2]
        return 100 * (at + min(max((moment - start) / (end - start), 0), 1)) / self.count

    def _times(self, gap: Span) -> str:
        start, end = (from_micros(moment).astimezone(self.period.zone) for moment in (gap.since, gap.until))
        last = f"{end:%H:%M}" if start.date() == end.date() else formats.minute(end, self.period.zone, self.now)
        return f"{formats.minute(start, self.period.zone, self.now)}–{last}"

    def is_gap(self, at: int) -> bool:
        """Whether nothing was collected in all of an interval, of the running one until now."""
        start, end = self.micros[at : at + 2]
        if at == self.running:
            end = to_micros(self.now)
        return any(gap.since <= start and end <= gap.until for gap in self.gaps)
