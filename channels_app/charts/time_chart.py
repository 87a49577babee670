"""What all charts of time share: a plot of paths over intervals, a legend, and the same numbers as a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import NamedTuple

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.charts.look import Look
from channels_app.charts.timeline import Timeline
from channels_app.charts.unit import REQUESTS, Unit
from channels_app.templatetags.formats import no_data

# Of the plot, whose width is one for each interval: paths need no more digits than these.
HEIGHT = 1000


@dataclass(frozen=True, slots=True)
class Series:
    """Values of each begun interval, None where there is none; `address` shows the chart with it hidden or back again,
    `alone` without all others. `condition` is the filter that asks for its requests, as in an address; empty where none does.
    """

    key: str
    name: str
    values: Sequence[int | None]
    look: Look
    total: int | None = None
    is_hidden: bool = False
    address: str = ""
    alone: str = ""
    condition: str = ""


class Layer(NamedTuple):
    """A path of the plot; `css` says whether it is filled or a line."""

    path: str
    css: str


class Link(NamedTuple):
    """Where a chart leads to; with `is_file` to what is kept."""

    label: str
    address: str
    is_file: bool = False


class End(NamedTuple):
    """What a line says at its end: where, in percent of the plot from its upper left."""

    x: float
    y: float
    text: str


class Tick(NamedTuple):
    """A line across the plot; `y` is in per cent from its top."""

    y: float
    text: str


@dataclass(kw_only=True)
class TimeChart(ABC):
    """`series` are in the order of the legend; `compared` is the total of another period, by interval."""

    id: str
    title: str
    unit: Unit
    timeline: Timeline
    series: Sequence[Series]
    compared: Series | None = None
    # Of how many requests the values of each interval are, where that says how far to trust them.
    samples: Sequence[int] | None = None
    # Addresses of the same page begin with this, and go on with from= and to=.
    zoom: str = ""
    # Those of the list of what it counts; empty where there is none.
    records: str = ""
    links: Sequence[Link] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[Series]:
        return [one for one in self.series if not one.is_hidden]

    @property
    @abstractmethod
    def summary(self) -> str:
        """The chart in a sentence."""

    @property
    @abstractmethod
    def layers(self) -> list[Layer]:
        """What is drawn, the undermost first."""

    @property
    @abstractmethod
    def most(self) -> int:
        """The highest value that is drawn."""

    @cached_property
    def top(self) -> int:
        """The value of the uppermost line."""
        return self._marks[-1]

    @cached_property
    def _marks(self) -> list[int]:
        return self.unit.ticks(self.most)

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(100 - 100 * mark / self.top, self.unit.tick(mark)) for mark in self._marks]

    @property
    def ends(self) -> list[End]:
        """What lines say where they end."""
        return []

    @property
    def has_totals(self) -> bool:
        """Whether its series add up."""
        return False

    @property
    def scale(self) -> int | None:
        """How much the plot is high of what is stacked in it; None where nothing is."""
        return None

    @property
    def table(self) -> SafeString:
        """Put together here: a template takes ten times as long for thousands of cells."""
        columns = [
            *self.series,
            *([self._totals()] if self.has_totals else []),
            *([self.compared] if self.compared else []),
            *([Series("samples", _("Samples"), self.samples, Look("", ""))] if self.samples else []),
        ]
        parts = len(self.series)
        heads = "".join(
            f'<th scope="col" data-{"part" if place < parts else column.key}{_attributes(column)}>{escape(column.name)}</th>'
            for place, column in enumerate(columns)
        )
        rows = "".join(self._row(at, label, columns) for at, label in enumerate(self.timeline.labels))
        caption = f'<caption class="sr-only">{escape(self.title)}, {escape(str(self.unit.name))}</caption>'
        time = _("Time")
        head = f'<thead><tr><th scope="col">{escape(time)}</th>{heads}</tr></thead>'
        return mark_safe(f"<table>{caption}{head}<tbody>{rows}</tbody></table>")  # noqa: S308

    def _totals(self) -> Series:
        shown = [one.values for one in self.shown]
        values = [_sum([values[at] for values in shown]) for at in range(self.timeline.begun)]
        return Series("total", _("Total"), values, Look("", ""))

    def _row(self, at: int, label: str, columns: Sequence[Series]) -> str:
        start = self.timeline.local[at].isoformat(timespec="minutes")[:16]
        note = self._note(at)
        about = f" ({escape(note)})" if note else ""
        cells = "".join(
            _cell(column.values[at], REQUESTS if column.key == "samples" else self.unit) for column in columns
        )
        return f'<tr><th scope="row" data-from="{start}">{self._time(at, escape(label) + about)}</th>{cells}</tr>'

    def _time(self, at: int, words: str) -> str:
        """Return what tells the time of an interval in the table, as HTML."""
        return words

    def _note(self, at: int) -> str:
        for gap in self.timeline.gap_stretches:
            if gap.first <= at <= gap.last:
                return _("no data collected %(times)s") % {"times": gap.label}
        return _("in progress") if at == self.timeline.running else ""

    @property
    def until(self) -> str:
        """The end of the last interval, as `from` and `to` are written."""
        return self.timeline.local[self.timeline.begun].isoformat(timespec="minutes")[:16]


def _attributes(column: Series) -> str:
    looks = f' data-fill="{column.look.fill}" data-shape="{column.look.shape}"' if column.look.shape else ""
    asked = f' data-condition="{escape(column.condition)}"' if column.condition else ""
    return f"{looks}{asked}{' data-hidden' if column.is_hidden else ''}"


def _cell(value: int | None, unit: Unit) -> str:
    if value is None:
        return f"<td>{no_data()}</td>"
    return f'<td data-value="{value}">{unit.write(value).replace("<", "&lt;") if value else 0}</td>'


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def line(values: Sequence[int | None], top: int) -> str:
    """Return a path through the middles of the intervals, broken where there is no value."""
    parts, is_broken = [], True
    for at, value in enumerate(values):
        if value is not None:
            # A line of no length is a point, where its neighbours are none.
            parts.append(f"{'M' if is_broken else 'L'}{at}.5 {height(value, top)}{'h0' if is_broken else ''}")
        is_broken = value is None
    return "".join(parts)


def line_layers(values: Sequence[int | None], top: int, css: str) -> list[Layer]:
    """Return the line, and thicker on it the values whose neighbours are none: they would be hardly seen."""
    around = [None, *values, None]
    alone = [value if around[at] is None and around[at + 2] is None else None for at, value in enumerate(values)]
    points = [Layer(line(alone, top), f"line alone {css}")] if any(value is not None for value in alone) else []
    return [Layer(line(values, top), f"line {css}"), *points]


def height(value: int, top: int) -> int:
    """Return where a value lies, from the upper edge of the plot."""
    return HEIGHT - round(HEIGHT * value / top)
