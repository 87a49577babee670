"""Explore's other face: single requests as points, each where its figures put it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Parameters
from channels_app.buckets import AUTO
from channels_app.chart_file import links_to_files
from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.scatter import Dot, Mark, Scale, ScatterPlot
from channels_app.charts.timeline import Timeline
from channels_app.charts.unit import MILLISECONDS, NANOUSD, TENTHS, TOKENS, Unit
from channels_app.explore_page.modes import modes
from channels_app.explore_page.page import Choice, Option
from channels_app.explore_page.scatter_query import COLORS, SCALES, SIZE_OF, ScatterQuery, X, Y
from channels_app.filter_bar.bar import FilterBar, words_of
from channels_app.filter_bar.page import DataPage
from channels_app.filters import FAIL, OK
from channels_app.interval import interval_of
from channels_app.period import Period
from channels_app.records_page.columns import MEANINGS
from channels_app.records_page.search import Bounds
from channels_app.stats import name_groups, span_of
from channels_app.stats.elapsed import gaps
from channels_app.stats.questions import DIMENSIONS
from channels_app.stats.scatter import Axes, Point, Sample, sample
from channels_app.usage_api import since_the_first_record
from channels_app.volume_strip import NOT_APPLIED, VolumeStrip, volume_strip, window_of
from usage import formats
from usage.meaning import Meaning, meanings
from usage.models import Channel, Instance, SavedView, Source
from usage.models.fields import from_micros

_UNITS: dict[str, Unit] = {
    "input": TOKENS, "tokens": TOKENS, "output": TOKENS, "latency": MILLISECONDS, "ttft": MILLISECONDS, "cost": NANOUSD,
    "speed": TENTHS,
}  # fmt: skip
_LABELS: dict[str, Promise] = {
    "x": gettext_lazy("To the right"),
    "y": gettext_lazy("Upwards"),
    "color": gettext_lazy("Colour"),
    "scale": gettext_lazy("Scale"),
}
_TITLES: dict[str, Promise] = {
    "time": gettext_lazy("%(metric)s by time"),
    "input": gettext_lazy("%(metric)s by input"),
    "ttft": gettext_lazy("%(metric)s by time to the first token"),
}
# What the list of requests calls it.
_COLUMN_OF = {"tokens": "total"}
# Groups with a colour of their own, and the largest points that are told in words.
_COLOURED, _TOLD = 7, 10
_OTHER, _UNKNOWN = "other", "unknown"


class Group(NamedTuple):
    key: str
    name: str
    look: Look
    points: int


class Told(NamedTuple):
    """One of the largest: a record, and its figures."""

    id: int
    at: datetime | None
    x: str
    y: str
    failed: bool


@dataclass
class ScatterPage(DataPage):
    query: ScatterQuery
    now: datetime
    saved: Sequence[SavedView] = ()

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address)

    @cached_property
    def period(self) -> Period:
        return since_the_first_record(self.scope.period)

    @cached_property
    def sample(self) -> Sample:
        query, span = self.query, span_of(self.period)
        column = "source_id" if query.color == "channel" else DIMENSIONS[query.color]
        axes = Axes(query.x, query.y, column)
        return sample(span, self.scope.conditions, axes, query.search.narrowing(span).where)

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.sample.points:
            return ""
        if self.has_records:
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @property
    def modes(self) -> list[tuple[Promise, str, bool]]:
        """Both faces of Explore: label, address, and whether it is this one."""
        return modes(self.scope, is_scatter=True)

    # How to ask.

    @property
    def choices(self) -> list[Choice]:
        known: dict[str, Mapping[str, Promise]] = {"x": X, "y": Y, "color": COLORS, "scale": SCALES}
        return [
            Choice(
                name,
                _LABELS[name],
                [Option(key, label, key == getattr(self.query, name)) for key, label in some.items()],
            )
            for name, some in known.items()
        ]

    @property
    def bounds(self) -> list[Bounds]:
        """Of both axes, and of tokens: few of them are seldom of interest. Time is what the filter bar asks for."""
        sizes = dict.fromkeys(name for name in (self.query.x, self.query.y, "tokens") if name in SIZE_OF)
        return [self.query.search.fields(name, _label(name), "") for name in sizes]

    @property
    def can_choose_failures(self) -> bool:
        """Not where the filter bar asks for what succeeded, or for codes, which only failures have."""
        return self.scope.filters.status != OK and not self.scope.conditions.codes

    @property
    def shows_failures_alone(self) -> bool:
        return self.scope.filters.status == FAIL

    @property
    def hidden(self) -> Parameters:
        shown = {name for bounds in self.bounds for name in (bounds.least.name, bounds.most.name)}
        status = ["status"] if self.can_choose_failures else []
        return self.address.without("x", "y", "color", "scale", *status, *shown).parameters

    @property
    def records(self) -> str:
        """The Records page with the same bounds."""
        return f"{reverse('records')}{self.scope.address.joined(self.query.search.parameters)}".rstrip("?")

    # The answer.

    @property
    def title(self) -> str:
        title = str(_TITLES[self.query.x]) % {"metric": Y[self.query.y]}
        return f"{title} · {words_of(self.scope.period)}"

    @property
    def x_label(self) -> Promise:
        return X[self.query.x]

    @property
    def y_label(self) -> Promise:
        return Y[self.query.y]

    @property
    def about(self) -> dict[str, Meaning]:
        """What the figures of the largest points mean."""
        x, y = (MEANINGS[_COLUMN_OF.get(name, name)].note for name in (self.query.x, self.query.y))
        return meanings(("x", self.x_label, x), ("y", self.y_label, y))

    @property
    def note(self) -> str:
        """What is drawn of how many."""
        counts = {"shown": formats.grouped(len(self.sample.points)), "of": formats.grouped(self.sample.matching)}
        if self.sample.is_sampled:
            return (
                _("%(shown)s of %(of)s requests: some of each hour, always the same ones, failures among them") % counts
            )
        if len(self.sample.points) < self.sample.matching:
            return (
                _("%(shown)s of %(of)s requests: failures, the largest, and others that are always the same ones")
                % counts
            )
        return _("All %(of)s requests") % counts

    @cached_property
    def _groups_of_points(self) -> list[int | None]:
        """Of channels, what sources are by now."""
        groups = [point.group for point in self.sample.points]
        if self.query.color != "channel":
            return groups
        sources = Source.objects.filter(pk__in=set(groups)).select_related("account")
        channels = {row.pk: row.known_channel_id for row in sources}
        return [channels.get(group or 0) for group in groups]

    @cached_property
    def groups(self) -> list[Group]:
        """Those with the most points, the others together, and what is unknown."""
        counts = Counter(self._groups_of_points)
        unknown = counts.pop(None, 0)
        largest = [group for group, _count in counts.most_common(_COLOURED)]
        of_groups = name_groups([self.query.color], [(group,) for group in largest])
        names = [of_groups[group,][self.query.color] for group in largest]
        looks = self._looks(largest, [str(name["id"]) for name in names])
        found = [
            Group(str(group), name["name"], its_look, counts[group])
            for group, name, its_look in zip(largest, names, looks, strict=True)
        ]
        if rest := [group for group in counts if group not in largest]:
            found.append(
                Group(_OTHER, _("Other (%(n)s)") % {"n": len(rest)}, look.OTHER, sum(counts[group] for group in rest))
            )
        return [*found, *([Group(_UNKNOWN, _("Unknown channel"), look.UNKNOWN, unknown)] if unknown else [])]

    def _looks(self, groups: list[int | None], ids: list[str]) -> list[Look]:
        if self.query.color != "channel":
            return look.of_names(ids)
        channels = Channel.objects.in_bulk([group for group in groups if group is not None])
        return [look.of_slot(channels[group or 0].color_slot, channels[group or 0].shape) for group in groups]

    @property
    def failed(self) -> int:
        return sum(point.failed for point in self.sample.points)

    @cached_property
    def plot(self) -> ScatterPlot:
        looks = {group.key: group.look for group in self.groups}
        dots = [
            Dot(
                point.x,
                point.y,
                point.failed,
                key if (key := _UNKNOWN if group is None else str(group)) in looks else _OTHER,
                point.id,
            )
            for point, group in zip(self.sample.points, self._groups_of_points, strict=True)
        ]
        return ScatterPlot(dots, looks, self.x_scale, self.y_scale)

    @cached_property
    def x_scale(self) -> Scale:
        if self.query.x == "time":
            return Scale(self._timeline.micros[0], self._timeline.micros[-1])
        return self._scale(self.query.x, [point.x for point in self.sample.points])

    @cached_property
    def y_scale(self) -> Scale:
        return self._scale(self.query.y, [point.y for point in self.sample.points])

    def _scale(self, name: str, values: Sequence[int]) -> Scale:
        """Return one that ends where the bounds do."""
        bounds = {
            parameter: int(value * SIZE_OF[name].per_unit) for parameter, _text, value in self.query.search.bounds
        }
        ends = (bounds.get(f"min_{name}"), bounds.get(f"max_{name}"))
        return Scale.of(values, _UNITS[name], is_log=self.query.is_log, ends=ends)

    @cached_property
    def _timeline(self) -> Timeline:
        return self._timeline_of(self.period)

    def _timeline_of(self, period: Period) -> Timeline:
        missing = gaps(span_of(period), self.scope.filters.servers or None)
        return Timeline(period, interval_of(period, AUTO, self.scope.conditions), self.now, missing)

    @property
    def has_strip(self) -> bool:
        """Whether there is time to choose from: beside what is shown, too."""
        return not self.empty or (self.empty == "no_match" and self.query.is_zoomed)

    @cached_property
    def strip(self) -> VolumeStrip:
        """Of all that the filter bar asks for: bounds narrow the points alone."""
        found = [text for _name, text, _value in self.query.search.in_words(is_current=False)]
        notes = [NOT_APPLIED % {"filters": _(", ").join(map(str, found))}] if found else []
        timeline = self._timeline_of_strip
        strip = volume_strip(timeline, self.scope.conditions, self.query.anywhen, notes, links_to_files(self.address))
        strip.window = window_of(timeline, self.scope.span, str(self.query.whole))
        return strip

    @cached_property
    def _timeline_of_strip(self) -> Timeline:
        """Of what is around the points, where that is asked for."""
        query = self.query
        return self._timeline_of(since_the_first_record(query.context)) if query.around else self._timeline

    @property
    def y_unit(self) -> Unit:
        return _UNITS[self.query.y]

    @property
    def y_marks(self) -> list[Mark]:
        return [Mark(100 - mark.at, mark.text) for mark in self.y_scale.marks(self.y_unit)]

    @property
    def x_marks(self) -> list[Mark]:
        if self.query.x == "time":
            return [Mark(label.x, label.text) for label in self._timeline.axis]
        return self.x_scale.marks(_UNITS[self.query.x])

    @property
    def lines(self) -> list[tuple[float, str]]:
        """Where half, and where 95 of 100 of the drawn points lie below; what failed is not among them."""
        values = sorted(point.y for point in self.sample.points if not point.failed)
        found = []
        for share in (50, 95):
            place = self.y_scale.place(values[max(-(-len(values) * share // 100), 1) - 1]) if values else None
            if place is not None:
                found.append((round(100 - 100 * place, 2), f"p{share}"))
        return found

    @property
    def largest(self) -> list[Told]:
        """In words, for who does not see the plot."""
        points = sorted(self.sample.points, key=lambda point: -point.y)[:_TOLD]
        return [
            Told(point.id, self._time(point), self._words(point.x), self.y_unit.write(point.y), point.failed)
            for point in points
        ]

    def _time(self, point: Point) -> datetime | None:
        return from_micros(point.x) if self.query.x == "time" else None

    def _words(self, value: int) -> str:
        return "" if self.query.x == "time" else _UNITS[self.query.x].write(value)

    @property
    def axes(self) -> dict[str, str]:
        """What the script needs to turn a box into bounds."""
        query, x, y, edges = self.query, self.x_scale, self.y_scale, self._timeline_of_strip.micros
        units = {"x": SIZE_OF[query.x].per_unit if query.x in SIZE_OF else 1, "y": SIZE_OF[query.y].per_unit}
        ends = {"x": (x.low, x.high, x.is_log), "y": (y.low, y.high, y.is_log)}
        return {
            "x": query.x, "y": query.y, "first": str(edges[0]), "last": str(edges[-1]),
            **{f"{name}-low": str(low) for name, (low, _high, _log) in ends.items()},
            **{f"{name}-high": str(high) for name, (_low, high, _log) in ends.items()},
            **{f"{name}-log": "1" if is_log else "" for name, (_low, _high, is_log) in ends.items()},
            **{f"{name}-per": str(per) for name, per in units.items()},
        }  # fmt: skip


def _label(name: str) -> str:
    size = SIZE_OF[name]
    return _("%(label)s (%(unit)s)") % {"label": size.label, "unit": size.unit} if size.unit else str(size.label)
