"""What the Records page shows: a page of the list, where it goes on, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.chart_file import links_to_files
from channels_app.charts.timeline import Timeline
from channels_app.columns import Choice, arranged, is_rearranged, shown
from channels_app.filter_bar.bar import Chip, FilterBar, Option
from channels_app.filter_bar.page import DataPage
from channels_app.interval import interval_of
from channels_app.record_costs import prices_of, told_by
from channels_app.records import LIMITS, TIME, Cursor, Page, records, tokens_per_second
from channels_app.records_page.cells import Cells
from channels_app.records_page.columns import LABELS, MEANINGS, OPTIONAL, USUAL
from channels_app.records_page.menus import Menus
from channels_app.records_page.query import RecordsQuery
from channels_app.records_page.search import PARAMETERS, SIZES, Bounds
from channels_app.stats import aggregate, span_of
from channels_app.stats.client_requests import attempts_among
from channels_app.stats.elapsed import gaps
from channels_app.stats.failures import Kind
from channels_app.usage_api import since_the_first_record
from channels_app.volume_strip import NOT_APPLIED, VolumeStrip, volume_strip
from usage.ingest.attempts import AttemptRow
from usage.meaning import Meaning
from usage.models import FailureMessage, Instance, RequestTraits, UsageRecord
from usage.models.fields import from_micros
from usage.models.record import NO_KEY

_ORDERS = {
    "-time": _("Newest first"),
    "time": _("Oldest first"),
    "-cost": _("Most expensive first"),
    "-tokens": _("Most tokens first"),
    "-latency": _("Slowest first"),
}
_UPWARDS = {"cost": _("Cheapest first"), "tokens": _("Fewest tokens first"), "latency": _("Fastest first")}
# Of more than these, who comes later is told that there are more.
_MOST_NEW = 50


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record, which attempt of its client request it is where that took several, and what it was booked with."""

    row: UsageRecord
    attempt: AttemptRow | None
    booked: UsageRecord

    @property
    def hit_rate(self) -> float | None:
        return self.row.cache_read / self.row.input_tokens if self.row.input_tokens else None

    @property
    def speed(self) -> float | None:
        return tokens_per_second(self.row)

    @property
    def is_unpriced(self) -> bool:
        """Where nothing was used, there is nothing to price."""
        return self.row.cost_nanousd is None and bool(self.row.total_tokens)

    @property
    def has_another_cost(self) -> bool:
        return self.row.cost_nanousd != self.booked.cost_nanousd

    @property
    def key_value(self) -> int:
        """What the filter takes."""
        return self.row.api_key_id or NO_KEY


class RecordsPage(DataPage):
    query: RecordsQuery

    def __init__(self, query: RecordsQuery, now: datetime) -> None:
        self.query, self.now = query, now

    @cached_property
    def bar(self) -> FilterBar:
        in_words = self.query.search.in_words(is_current=self.scope.is_current)
        chips = [Chip(name, label, text, self.address.without(name)) for name, label, text in in_words]
        if kind := self.query.failure:
            chips.append(Chip("failure", _("Error"), _words(kind), self.address.without("failure")))
        return FilterBar(
            self.scope, self.address, template="records/_menus.html", fields=PARAMETERS, chips=chips,
            intervals=self.query.intervals, columns_of="records",
        )  # fmt: skip

    @cached_property
    def strip(self) -> VolumeStrip:
        """Of all that the filter bar asks for: what only records know narrows the list alone."""
        period, conditions = since_the_first_record(self.scope.period), self.query.conditions
        missing = gaps(span_of(period), self.scope.filters.servers or None)
        timeline = Timeline(period, interval_of(period, self.query.bucket, conditions), self.now, missing)
        found = [str(chip) for chip in self.bar.chips if chip.name in PARAMETERS]
        notes = [NOT_APPLIED % {"filters": gettext(", ").join(found)}] if found else []
        return volume_strip(timeline, conditions, self.query.anywhen, notes, links_to_files(self.address))

    @cached_property
    def found(self) -> Page:
        query = self.query
        narrowing = query.search.narrowing(self.scope.span)
        return records(self.scope.span, self.query.conditions, query.sort, query.cursor, query.limit, narrowing)

    @cached_property
    def rows(self) -> list[RecordRow]:
        booked = self.found.rows
        attempts, told = attempts_among(booked), told_by(prices_of(self.scope.basis), booked)
        return [RecordRow(row, attempts.get(row.pk), before) for row, before in zip(told, booked, strict=True)]

    @cached_property
    def menus(self) -> Menus:
        return Menus(self.address, self.scope.address)

    @cached_property
    def cells(self) -> Cells:
        return Cells(self.address, self.menus, self.shown)

    @property
    def matching(self) -> int | None:
        """How many there are on all pages; None: only the records could tell, one by one."""
        if self.query.search:
            return None
        found = aggregate(self.scope.span, self.query.conditions, (), ("requests",))
        return int(found[0][0]) if found else 0

    @property
    def searched_to(self) -> datetime | None:
        return None if self.found.searched_to is None else from_micros(self.found.searched_to)

    @property
    def older(self) -> Address | None:
        return self._at(self.found.older)

    @property
    def newer(self) -> Address | None:
        return None if self.found.is_first else self._at(self.found.newer)

    @property
    def newest(self) -> Address | None:
        return None if self.found.is_first else self.address

    @property
    def watched(self) -> Address | None:
        """What comes later than this page, where that can be: it is told, and moves no row."""
        is_live = self.query.sort == "-time" and self.scope.period.is_running and self.found.is_first
        return self._at(self.found.newer) if is_live and not self.query.search else None

    def _at(self, cursor: Cursor | None) -> Address | None:
        return self.query.at(cursor) if cursor else None

    @property
    def newcomers(self) -> tuple[int, bool]:
        """How many come before the place in the address, and whether there are more than that."""
        span, conditions, cursor = self.scope.span, self.query.conditions, self.query.cursor
        if cursor is None or not cursor.back:
            return 0, False
        page = records(span, conditions, self.query.sort, cursor, _MOST_NEW)
        return len(page.rows), not page.is_first

    @property
    def is_by_time(self) -> bool:
        return self.query.sorted_by == TIME

    @property
    def is_by_recorded_cost(self) -> bool:
        """By what records cost now, all of them would have to be priced first."""
        return self.scope.is_current and self.query.sorted_by == "cost"

    @property
    def order_text(self) -> Promise:
        return (_ORDERS | _UPWARDS)[self.query.sort]

    @property
    def orders(self) -> list[Option]:
        return [
            Option(label, self.address.setting("sort", "" if sort == "-time" else sort), sort == self.query.sort)
            for sort, label in _ORDERS.items()
        ]

    @property
    def limits(self) -> list[Option]:
        first, current = LIMITS[0], self.query.limit
        return [
            Option(str(limit), self.address.setting("limit", "" if limit == first else str(limit)), limit == current)
            for limit in LIMITS
        ]

    @property
    def columns(self) -> list[Choice]:
        """All that there are, in their order."""
        chosen = shown(USUAL, self.query.columns)
        return [Choice(name, LABELS[name], name in chosen, is_usual=name in USUAL) for name in self._every_column]

    @cached_property
    def _every_column(self) -> list[str]:
        """The server is one only where there are several."""
        return arranged("records", [name for name in LABELS if name != "server" or self.many_servers])

    @property
    def column_order(self) -> str:
        return ",".join(self._every_column)

    @property
    def has_own_columns(self) -> bool:
        """Whether its viewer has others than the usual ones, or another order."""
        return bool(self.query.columns) or is_rearranged("records")

    @cached_property
    def shown(self) -> list[str]:
        """The columns of the table in their order; what the list is sorted by is among them."""
        sorted_by = {"tokens": "total"}.get(self.query.sorted_by, self.query.sorted_by)
        chosen = shown(USUAL, self.query.columns) | {sorted_by}
        return [name for name in self._every_column if name in chosen]

    @property
    def meanings(self) -> dict[str, Meaning]:
        return MEANINGS

    @property
    def explained(self) -> list[Meaning]:
        """What the columns of the table mean."""
        return [MEANINGS["time"], *(MEANINGS[name] for name in self.shown)]

    @property
    def is_wide(self) -> bool:
        """Whether it is wider than most windows, and so scrolls."""
        return any(name in OPTIONAL for name in self.query.columns)

    @cached_property
    def many_servers(self) -> bool:
        return Instance.objects.count() > 1

    @property
    def endpoints(self) -> Iterator[str]:
        rows = RequestTraits.objects.exclude(endpoint="").order_by("endpoint").values_list("endpoint", flat=True)
        yield from rows.distinct()[:100]

    @property
    def bounds(self) -> list[Bounds]:
        search, is_current = self.query.search, self.scope.is_current
        return [search.fields(size.name, size.label_by(is_current=is_current), size.unit) for size in SIZES]

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.found.rows or self.query.cursor or self.found.searched_to is not None:
            return ""
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"


def _words(kind: Kind) -> str:
    """What a kind of failure is called: its code, and what upstream said."""
    message = FailureMessage.objects.filter(pk=kind.message).first()
    return " · ".join(str(part) for part in (kind.code, message) if part) or gettext("No message")
