"""What Explore shows: how to ask, the chart, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Parameters
from channels_app.charts.look import Look
from channels_app.charts.sparkline import Sparkline, sparkline, thinned
from channels_app.charts.time_chart import TimeChart
from channels_app.charts.unit import NANOUSD, Unit
from channels_app.dashboard.delta import Better, Delta, delta
from channels_app.explore_page.answers import ExploreAnswers
from channels_app.explore_page.chart import explore_chart, title_of
from channels_app.explore_page.groups import Groups, Shown, groups
from channels_app.explore_page.limits import why_not
from channels_app.explore_page.metrics import METRICS
from channels_app.explore_page.modes import modes
from channels_app.explore_page.query import DIVISIONS, GROUPINGS, LIMITS, PARAMETERS, VIEWS, ExploreQuery
from channels_app.filter_bar.bar import FilterBar, text_of
from channels_app.filter_bar.page import DataPage
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.interval import offered
from channels_app.stats import name_groups, totals
from channels_app.volume_strip import VolumeStrip, volume_strip
from usage.meaning import Meaning
from usage.models import Instance, SavedView

_LABELS: dict[str, Promise] = {
    "metric": gettext_lazy("Metric"),
    "by": gettext_lazy("Group by"),
    "by2": gettext_lazy("Divide rows by"),
    "bucket": gettext_lazy("Interval"),
    "view": gettext_lazy("Chart"),
    "limit": gettext_lazy("Groups"),
}
# Which of the metrics are better high, and which low.
_BETTER = {
    "success": Better.HIGHER,
    "client_success": Better.HIGHER,
    "hit": Better.HIGHER,
    "speed": Better.HIGHER,
} | dict.fromkeys(("failed", "error_rate", "p50", "p95", "ttft50", "ttft95"), Better.LOWER)
_RATES = ("success", "client_success", "error_rate", "hit", "coverage")
# Of the rows of a group; the others are summed up in it.
_PARTS = 10


class Option(NamedTuple):
    """`why_not` says in a few words why it cannot be chosen; empty where it can."""

    value: str
    label: Promise | str
    is_chosen: bool
    why_not: Promise | str = ""


class Choice(NamedTuple):
    """A field of the form."""

    name: str
    label: Promise
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Row:
    """A group, or a part of one; `share` is of all together, 0 to 1. `records` leads to what it is made of."""

    key: str
    name: str
    look: Look | None
    total: int | None
    share: float | None
    before: int | None = None
    delta: Delta | None = None
    spark: Sparkline | None = None
    records: str = ""
    parts: list[Row] = field(default_factory=list)


@dataclass
class ExplorePage(DataPage):
    query: ExploreQuery
    now: datetime
    saved: Sequence[SavedView] = ()

    @cached_property
    def answers(self) -> ExploreAnswers:
        return ExploreAnswers(self.query, self.now)

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address, compares=True)

    @cached_property
    def groups(self) -> Groups:
        return groups(self.answers)

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.answers.weights or totals(self.answers.span, self.answers.conditions).requests:
            return ""
        if self.has_records:
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @property
    def modes(self) -> list[tuple[Promise, str, bool]]:
        """Both faces of Explore: label, address, and whether it is this one."""
        return modes(self.scope, is_scatter=False)

    # How to ask.

    @property
    def choices(self) -> list[Choice]:
        known: dict[str, Mapping[str, Promise | str]] = {
            "metric": {key: metric.label for key, metric in METRICS.items()},
            "by": GROUPINGS,
            "by2": DIVISIONS,
            "bucket": offered(self.answers.period),
            "view": VIEWS,
            "limit": {limit: limit for limit in sorted(LIMITS, key=int)},
        }
        return [
            Choice(
                name,
                _LABELS[name],
                [
                    Option(value, label, value == getattr(self.query, name), self._why_not(name, value))
                    for value, label in some.items()
                ],
            )
            for name, some in known.items()
        ]

    def _why_not(self, name: str, value: str) -> Promise | str:
        """Why a value does not go with the metric; empty where it does."""
        query, reason = self.query, None
        if value == getattr(query, name):
            return ""
        if name == "view" and value != "lines" and not self.adds_up:
            return _("drawn as lines alone")
        if name == "by":
            reason = why_not(query, value, self.now)
        elif name == "by2" and value and value != query.by:
            reason = why_not(query, query.by, self.now, value)
        return reason.short if reason else ""

    @property
    def hidden(self) -> Parameters:
        """What the form carries along that is no field of it; other groups have no hidden ones."""
        return self.address.without(*PARAMETERS, "hide").parameters

    # The answer.

    @property
    def title(self) -> str:
        return title_of(self.answers)

    @cached_property
    def chart(self) -> TimeChart:
        return explore_chart(self.answers, self.groups)

    @cached_property
    def strip(self) -> VolumeStrip:
        answers = self.answers
        return volume_strip(answers.timeline, answers.conditions, self.query.anywhen)

    @property
    def adds_up(self) -> bool:
        return self.query.measured.adds_up

    @property
    def is_unpriced(self) -> bool:
        """Where there is no total: whether that is for want of a price."""
        return self.shows_money and bool(self.answers.weights)

    @property
    def shows_money(self) -> bool:
        return self.query.measured.unit is NANOUSD

    @property
    def compared_text(self) -> str:
        """What is compared with; empty where nothing is."""
        return text_of(self.answers.before) if self.answers.before else ""

    @property
    def columns(self) -> list[Meaning]:
        """Of the table, beside the names of its rows."""
        measured, before = self.query.measured, self.compared_text
        found = [Meaning("figure", measured.label, self.query.meaning)]
        if self.adds_up:
            found.append(Meaning("share", _("Share"), _("Part of all groups together")))
        if before:
            found.append(Meaning("change", _("vs previous"), _("Against %(period)s") % {"period": before}))
        return [*found, Meaning("trend", _("Trend"), _("The same over the period"))]

    @property
    def group_label(self) -> Promise:
        return GROUPINGS[self.query.by]

    @property
    def is_told(self) -> bool:
        """Whether there is anything to draw: what does not add up may have no total where its groups have one."""
        return self.total is not None or any(row.total is not None for row in self.rows)

    @cached_property
    def total(self) -> Row | None:
        """All groups together."""
        whole = self._whole
        if whole is None:
            return None
        before = _added(self.answers.totals_before.values()) if self.adds_up and self.answers.before else None
        return Row("total", _("Total"), None, whole, 1.0 if self.adds_up else None, before, self._delta(whole, before))

    @cached_property
    def _whole(self) -> int | None:
        """Of what does not add up, all together have a value of their own."""
        return self.answers.told.whole()

    @cached_property
    def rows(self) -> list[Row]:
        return [self._row(one) for one in self.groups.shown]

    def _row(self, one: Shown) -> Row:
        total, is_other = one.line.total, len(one.members) > 1
        before = None
        if self.answers.before and (self.adds_up or not is_other):
            before = _added(self.answers.totals_before.get(group) for group in one.members)
            before = before if before is not None or not self.adds_up else 0
        return Row(
            one.key, one.name, one.look, total, self._share(total), before, self._delta(total, before),
            _spark(one.line.values, self.query.measured.unit), "" if is_other else self._records(one), self._parts(one),
        )  # fmt: skip

    def _share(self, value: int | None) -> float | None:
        return value / self._whole if self.adds_up and value is not None and self._whole else None

    def _delta(self, now: int | None, before: int | None) -> Delta | None:
        if not self.answers.before or before is None or now is None:
            return None
        better = _BETTER.get(self.query.metric, Better.NEITHER)
        if self.query.metric in _RATES:
            return delta(now / 10_000, before / 10_000, better, is_rate=True)
        return delta(now, before, better)

    def _parts(self, one: Shown) -> list[Row]:
        """The group by the second dimension, the largest first."""
        by2 = self.query.by2
        if not by2 or len(one.members) > 1:
            return []
        found = {group[1:]: value for group, value in self.answers.divided.items() if group[:1] == one.members[0]}
        largest = sorted(found, key=lambda group: -(found[group] or 0))
        names = name_groups([by2], largest[:_PARTS])
        rows = [
            Row(
                f"{one.key}-{names[group][by2]['id']}",
                names[group][by2]["name"],
                None,
                found[group],
                self._share(found[group]),
            )
            for group in largest[:_PARTS]
        ]
        if self.adds_up and (rest := largest[_PARTS:]):
            value = _added(found[group] for group in rest)
            rows.append(Row(f"{one.key}-other", _("Other (%(n)s)") % {"n": len(rest)}, None, value, self._share(value)))
        return rows

    def _records(self, one: Shown) -> str:
        """Records that are this group; of kinds of token there are none."""
        by = self.query.by
        if by in ("none", "type"):
            return ""
        value = one.value or (UNKNOWN_CHANNEL if by == "channel" else "")
        return f"{reverse('records')}{self.scope.address.setting(by, value)}" if value else ""


def _added(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _spark(values: Sequence[int | None], unit: Unit) -> Sparkline | None:
    points = thinned(values, _average)
    return sparkline(points, unit)


def _average(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) // len(known) if known else None
