"""How many requests there were over time, and how many failed: a low chart beside what shows them one by one (`ui.md` C10)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.charts.look import Look
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.time_chart import Link, Series, Tick
from channels_app.charts.timeline import Timeline
from channels_app.charts.unit import REQUESTS
from channels_app.filter_bar.shift import written
from channels_app.stats import Conditions, Span, series

# What only records know, no sum does.
NOT_APPLIED = gettext_lazy("Period and filters of the bar. Not applied here: %(filters)s")


class Window(NamedTuple):
    """The part of a strip that the page shows: intervals from `first` to before `end`, from `left` to `right` in per cent of
    the width. `whole` is the address of all of it.
    """

    first: int
    end: int
    left: float
    right: float
    whole: str


def window_of(timeline: Timeline, span: Span, whole: str) -> Window:
    """Return the window that `span` is, widened to whole intervals that have begun; at least one."""
    edges, begun = timeline.micros, timeline.begun
    first = min(max(bisect_right(edges, span.since) - 1, 0), begun - 1)
    end = min(max(bisect_left(edges, span.until), first + 1), begun)
    return Window(first, end, 100 * first / timeline.count, 100 * end / timeline.count, whole)


@dataclass(kw_only=True)
class VolumeStrip(StackedBars):
    """In its table each time is a link that narrows the page to it, as dragging across the plot does: `anywhen` is the page
    without a period. Where there is a `window`, it can be moved.
    """

    anywhen: Address
    window: Window | None = None

    @property
    def ticks(self) -> list[Tick]:
        """It is too low for more than the lowest and the highest."""
        marks = super().ticks
        return [marks[0], marks[-1]]

    def _time(self, at: int, words: str) -> str:
        since, until = written(*self.timeline.local[at : at + 2])
        address = self.anywhen.setting("from", since).setting("to", until)
        return f'<a href="{escape(str(address))}" data-swap>{words}</a>'


def volume_strip(
    timeline: Timeline,
    conditions: Conditions,
    anywhen: Address,
    notes: Sequence[str] = (),
    links: Sequence[Link] = (),
) -> VolumeStrip:
    """Return the strip of what fulfils `conditions`, told by the sums; `anywhen` is the page without a period."""
    sums = series(timeline.micros, conditions, (), ("requests", "failed")).groups.get((), [])
    succeeded, failed = ([0] * timeline.begun for _each in range(2))
    for at, (requests, failures) in enumerate(sums[: timeline.begun]):
        succeeded[at], failed[at] = requests - failures, failures
    shown = [
        Series(key, name, _known(values, timeline), its_look, sum(values))
        for key, name, values, its_look in (
            ("ok", _("Succeeded"), succeeded, Look("f-ok", "circle")),
            ("fail", _("Failed"), failed, Look("f-fail", "diamond")),
        )
    ]
    return VolumeStrip(
        id="volume", title=_("Requests over time"), unit=REQUESTS, timeline=timeline, series=shown, zoom=str(anywhen),
        anywhen=anywhen, notes=[*notes], links=links,
    )  # fmt: skip


def _known(values: Sequence[int], timeline: Timeline) -> list[int | None]:
    """Where nothing was collected, nothing is known."""
    return [None if not value and timeline.is_gap(at) else value for at, value in enumerate(values)]
