"""What the page of one channel, account, model or client key shows, from the answers to its questions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.db.models import Count, Max, Min, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from channels_app.chart_file import SUCCESS, links_to_files
from channels_app.charts.lines import Lines
from channels_app.charts.look import Look
from channels_app.charts.mix import Mix
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.status_strip import StatusStrip
from channels_app.charts.success_rate import SuccessRate, rate
from channels_app.charts.time_chart import Link, Series
from channels_app.charts.unit import HUNDREDTHS_OF_A_PERCENT
from channels_app.dashboard.answers import Answers
from channels_app.dashboard.cards import Cards
from channels_app.dashboard.latency_chart import latency_chart
from channels_app.dashboard.usage_chart import usage_chart
from channels_app.entity_page.dimension import CHANNEL, TABS, Dimension
from channels_app.entity_page.entity import Entity
from channels_app.entity_page.query import COLUMNS, EntityQuery
from channels_app.filter_bar.bar import FilterBar, text_of
from channels_app.filter_bar.page import DataPage
from channels_app.filters import read_filters
from channels_app.prices_page.meanings import PRICES
from channels_app.record_costs import prices_of, told_by
from channels_app.records import records
from channels_app.records_page.columns import MEANINGS
from channels_app.records_page.page import RecordRow
from channels_app.stats import Usage, aggregate, breakdown
from channels_app.stats.latest import Latest, latest
from channels_app.stats.questions import DIMENSIONS, Group
from channels_app.stats.seen import Seen, seen_by
from channels_app.usage_table.columns import COLUMNS as ALL_COLUMNS
from channels_app.usage_table.row import implied, rows_of
from channels_app.usage_table.table import TITLES, Table, columns_of
from usage.accounting.price_book import PriceBook
from usage.meaning import Explained, Meaning
from usage.models import Account, Channel, Instance, ModelName, ModelPrice, PriceMultiplier, RequestTraits
from usage.models.fields import to_micros
from usage.prices.resolution import multiplier_of

_RECORDS, _CELLS = 10, 96
_OF_RECORDS = ("time", "status", "channel", "model", "key", "total", "cost", "ttft", "latency")
# The dimensions of Answers.by_account.
_OF_ACCOUNTS = ("channel", "account")
_OF_PRICES = ("pattern", "input", "cached", "written", "output", "reasoning", "condition", "from")
# Others would say the same in each row of failures, or nothing.
_OF_CODES = ("requests", "share", "tokens", "cost")


class Tab(NamedTuple):
    """`rows` is how many its table has."""

    label: Promise
    rows: int
    address: str
    is_present: bool


class Counted(NamedTuple):
    """A name and how many of the latest requests had it."""

    name: str
    requests: int


@dataclass
class EntityPage(DataPage):
    query: EntityQuery
    now: datetime

    @property
    def entity(self) -> Entity:
        return self.query.entity

    @property
    def dimension(self) -> Dimension:
        return self.entity.dimension

    @cached_property
    def answers(self) -> Answers:
        return Answers(self.query, self.now, drawn_by=())

    @cached_property
    def bar(self) -> FilterBar:
        locked, intervals = implied(self.dimension.name), self.query.intervals
        return FilterBar(self.scope, self.address, compares=True, locked=locked, intervals=intervals)

    @cached_property
    def is_empty(self) -> bool:
        return not self.answers.usage.requests

    @property
    def has_figures(self) -> bool:
        return True

    @property
    def compared_text(self) -> str:
        """What is compared with; empty where nothing is."""
        return text_of(self.answers.before) if self.answers.before else ""

    @property
    def here(self) -> str:
        """This very page."""
        row = self.entity.row
        value = self.entity.value if self.dimension is CHANNEL or row is None else row.pk
        return f"{reverse(f'channels_app:{self.dimension.name}', args=[value])}{self.address}"

    # What is known of it, whatever the period.

    @cached_property
    def seen(self) -> Seen | None:
        """When it was used, ever."""
        name = self.dimension.name
        found = seen_by(name, self.now, read_filters({name: self.entity.value}).conditions)
        return next(iter(found.values()), None)

    @cached_property
    def states(self) -> list[tuple[str, int]]:
        """Of a channel: how many accounts it has in each state."""
        rows = Account.objects.filter(channel=self.entity.row).values_list("state").annotate(n=Count("pk"))
        return [(str(Account.State(state).label), count) for state, count in rows.order_by("state")]

    @cached_property
    def plans(self) -> list[tuple[str, int]]:
        """Of a channel: how many of its listed accounts have each plan, of those of which their server tells it."""
        rows = self._listed.exclude(plan="").values_list("plan").annotate(n=Count("pk"))
        return [*rows.order_by("plan")]

    @cached_property
    def priorities(self) -> str:
        """Of a channel: those that servers tell of its listed accounts, from the lowest to the highest; empty without any."""
        found = self._listed.aggregate(least=Min("priority"), most=Max("priority"))
        told = dict.fromkeys(str(value) for value in found.values() if value is not None)
        return " – ".join(told)

    @property
    def _listed(self) -> QuerySet[Account]:
        return Account.objects.filter(channel=self.entity.row).exclude(state=Account.State.REMOVED)

    @cached_property
    def multiplier(self) -> PriceMultiplier | None:
        """Of a channel or an account: what its requests are multiplied by now."""
        row, at = self.entity.row, to_micros(self.now)
        if self.dimension is CHANNEL:
            return multiplier_of(at, row.pk if row else None, None)
        return multiplier_of(at, row.channel_id, row.pk)

    @cached_property
    def prices(self) -> list[ModelPrice]:
        """Of a model: those that its requests of the period may have, by precedence."""
        rows = {row.pk: row for row in ModelPrice.objects.select_related("channel", "account__channel")}
        span = self.answers.span
        found = PriceBook(row.price for row in rows.values()).contenders(self.entity.name, span.since, span.until)
        return [rows[price.id] for price in found if price.id]

    @cached_property
    def latest(self) -> Latest:
        """By the name that was asked for, and the traits: both are read at once."""
        return latest(self.answers.span, self.answers.conditions, ["alias_id", "traits_id"])

    @cached_property
    def requested_as(self) -> list[Counted]:
        """Of a model: by which names its latest requests asked for it; empty where all asked for it by its own."""
        requests = self.latest.by(0)
        names = dict(ModelName.objects.filter(pk__in=requests).values_list("pk", "name"))
        found = [Counted(names[pk], count) for pk, count in requests.most_common()]
        return [] if [one.name for one in found] in ([], [self.entity.name]) else found

    # What was used, from top to bottom.

    @cached_property
    def cards(self) -> Cards:
        return Cards(self.answers)

    @cached_property
    def usage_chart(self) -> StackedBars:
        return usage_chart(self.answers, Channel.objects.in_bulk())

    @cached_property
    def mix(self) -> Mix:
        return Mix(self.answers.usage, self.answers.cost_by_kind)

    @cached_property
    def latency_chart(self) -> Lines:
        return latency_chart(self.answers)

    @property
    def strip(self) -> StatusStrip:
        requests, failed = self._outcomes
        return StatusStrip(self.entity.name, self.entity.look, self.answers.timeline, requests, failed, _CELLS)

    @property
    def success_chart(self) -> SuccessRate:
        requests, failed = self._outcomes
        values = [rate(*both) for both in zip(requests, failed, strict=True)]
        whole = rate(sum(requests), sum(failed))
        look = Look("line-p50", "line-p50")
        return SuccessRate(
            id="success", title=_("Success rate"), unit=HUNDREDTHS_OF_A_PERCENT, timeline=self.answers.timeline,
            series=[Series("success", _("Success rate"), values, look, whole)], zoom=str(self.query.anywhen),
            records=self.scope.records(),
            links=[
                *links_to_files(self.address, SUCCESS),
                Link(_("Open in Explore"), self.query.exploring(metric="success", by="none")),
            ],
        )  # fmt: skip

    @cached_property
    def _outcomes(self) -> tuple[list[int], list[int]]:
        """Requests and failed ones in each interval that has begun."""
        usages = self.answers.usage_by_time
        return [usage.requests for usage in usages], [usage.failed for usage in usages]

    @property
    def about_prices(self) -> dict[str, Meaning]:
        return {key: PRICES[key] for key in _OF_PRICES}

    # Its last requests.

    @property
    def meanings(self) -> dict[str, Meaning]:
        return MEANINGS

    @property
    def columns_of_records(self) -> list[Meaning]:
        return [MEANINGS[name] for name in _OF_RECORDS]

    # What it is broken down by.

    @property
    def about_endpoints(self) -> dict[str, Explained]:
        return {"requests": ALL_COLUMNS["requests"]}

    @cached_property
    def tabs(self) -> list[Tab]:
        return [
            Tab(TABS[view], self._count(view), str(self.query.viewing(view).address), view == self.query.view)
            for view in self.dimension.tabs
        ]

    def _count(self, view: str) -> int:
        if view == "endpoint":
            return len(self.endpoints)
        if view == self.query.view:
            return len(self.table.rows)
        if view in _OF_ACCOUNTS:
            return len(self._groups(view))
        if view == "code":
            return len(breakdown(self.answers.span, self.answers.conditions, [view]))
        return len(aggregate(self.answers.span, self.answers.conditions, (DIMENSIONS[view],), ("requests",)))

    def _groups(self, view: str) -> dict[Group, Usage]:
        """What accounts tell, the figures above have asked already."""
        if view not in _OF_ACCOUNTS:
            return breakdown(self.answers.span, self.answers.conditions, [view], self.scope.basis)
        found = defaultdict[Group, Usage](Usage)
        for group, usage in self.answers.by_account.items():
            found[group[_OF_ACCOUNTS.index(view)],].add(usage)
        return dict(found)

    @property
    def has_table(self) -> bool:
        """Of endpoints, only those of the latest requests are known."""
        return not self.shows_endpoints

    @property
    def shows_endpoints(self) -> bool:
        return self.query.view == "endpoint"

    @cached_property
    def table(self) -> Table:
        """Of all there is to each tab but endpoints."""
        view, sort = self.query.view, self.query.sort
        groups, whole = self._groups(view), Usage()
        for usage in groups.values():
            whole.add(usage)
        rows = rows_of(view, groups, whole, self.query.elsewhere)
        columns = columns_of(_OF_CODES if view == "code" else COLUMNS, sort, whole)
        return Table(
            f"by-{view}", TITLES[view], columns, rows, whole, sort, self.address, usual_sort=self.query.usual_sort,
            limit=self.query.limit,
        )  # fmt: skip

    @cached_property
    def endpoints(self) -> list[Counted]:
        """Of the latest requests."""
        names = dict(RequestTraits.objects.values_list("pk", "endpoint"))
        counts = Counter[str]()
        for pk, count in self.latest.by(1).items():
            counts[names[pk]] += count
        return [Counted(name, count) for name, count in counts.most_common()]

    @cached_property
    def last_records(self) -> Sequence[RecordRow]:
        booked = records(self.answers.span, self.answers.conditions, limit=_RECORDS).rows
        told = told_by(prices_of(self.scope.basis), booked)
        return [RecordRow(row, None, before) for row, before in zip(told, booked, strict=True)]

    @cached_property
    def many_servers(self) -> bool:
        return Instance.objects.count() > 1
