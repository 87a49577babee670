"""What the Overview shows, from the answers to its questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.charts import look
from channels_app.charts.heatmap import Heatmap, Hour
from channels_app.charts.lines import Lines
from channels_app.charts.mix import Mix
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.status_strip import StatusStrip
from channels_app.dashboard.answers import Answers
from channels_app.dashboard.cards import Cards
from channels_app.dashboard.latency_chart import latency_chart
from channels_app.dashboard.query import METRICS
from channels_app.dashboard.usage_chart import usage_chart
from channels_app.failure_texts import first_lines
from channels_app.filter_bar.bar import FilterBar, text_of
from channels_app.filter_bar.page import DataPage
from channels_app.filters import FAIL
from channels_app.overview.entities import Entities, Row
from channels_app.overview.query import OverviewQuery
from channels_app.site import site
from channels_app.stats import UNKNOWN
from channels_app.stats.questions import Group
from channels_app.usage_table.columns import COLUMNS, Column, share
from usage.models import Channel, Instance, UsageRecord
from usage.models.fields import to_micros

_HOUR = timedelta(hours=1) // timedelta(microseconds=1)
_STRIPS = 8
_MESSAGE = 80
_COLUMNS = ("requests", "success", "tokens", "share", "input", "cached", "output", "hit", "cost", "trend")
_SHARES: dict[str, Promise] = {
    "tokens": gettext_lazy("Share of tokens"),
    "cost": gettext_lazy("Share of cost"),
    "requests": gettext_lazy("Share of requests"),
    "failed": gettext_lazy("Share of errors"),
}


class Error(NamedTuple):
    record: UsageRecord
    channel: Channel | None
    message: str


class TopList(NamedTuple):
    key: str
    title: str
    rows: list[Row]
    # Where all of them are; empty where nowhere.
    all: str = ""


@dataclass
class OverviewPage(DataPage):
    query: OverviewQuery
    now: datetime

    @cached_property
    def answers(self) -> Answers:
        return Answers(self.query, self.now)

    @cached_property
    def _channels(self) -> dict[int, Channel]:
        return Channel.objects.in_bulk()

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.answers.usage.requests:
            return ""
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address, compares=True, intervals=self.query.intervals)

    @property
    def has_figures(self) -> bool:
        return True

    @property
    def compared_text(self) -> str:
        """What is compared with; empty where nothing is."""
        return text_of(self.answers.before) if self.answers.before else ""

    # The blocks, from top to bottom.

    @cached_property
    def cards(self) -> Cards:
        return Cards(self.answers)

    @cached_property
    def usage_chart(self) -> StackedBars:
        return usage_chart(self.answers, self._channels)

    @cached_property
    def mix(self) -> Mix:
        return Mix(self.answers.usage, self.answers.cost_by_kind)

    @cached_property
    def entities(self) -> Entities:
        return Entities(self.answers, self._channels, self.query.open)

    @property
    def all_channels(self) -> str:
        return self._all("channels")

    @property
    def unmatched(self) -> str:
        """Where the sources of the unknown channel can be given a channel."""
        return f"{reverse('channels_app:channels')}{self.query.elsewhere.setting('open', UNKNOWN)}#row-{UNKNOWN}"

    def _all(self, name: str) -> str:
        return f"{reverse(f'channels_app:{name}')}{self.query.elsewhere}".rstrip("?")

    @property
    def strips(self) -> list[StatusStrip]:
        """Of the channels with the most requests, in the order of their table."""
        requests, failed = (self.answers.lines_of(name) for name in ("requests", "failed"))
        busiest = sorted(requests, key=lambda group: (group == (None,), -sum(requests[group])))[:_STRIPS]
        places = {row.key: place for place, row in enumerate(self.entities.channel_rows)}
        busiest.sort(key=lambda group: places.get(self._slug(group), _STRIPS))
        return [self._strip(group, requests[group], failed[group]) for group in busiest if any(requests[group])]

    def _slug(self, group: Group) -> str:
        channel = self._channels.get(group[0] or 0)
        return channel.slug if channel else UNKNOWN

    def _strip(self, group: Group, requests: Sequence[int], failed: Sequence[int]) -> StatusStrip:
        channel = self._channels.get(group[0] or 0)
        name = channel.name if channel else _("Unknown channel")
        its_look = look.of_slot(channel.color_slot, channel.shape) if channel else look.UNKNOWN
        return StatusStrip(name, its_look, self.answers.timeline, requests, failed)

    @cached_property
    def latency_chart(self) -> Lines:
        return latency_chart(self.answers)

    @property
    def top_lists(self) -> list[TopList]:
        entities = self.entities
        return [
            TopList("models", _("Models"), entities.models, self._all("models")),
            TopList("keys", _("API keys"), entities.keys, self._all("keys")),
            TopList("accounts", _("Accounts"), entities.accounts, self._all_accounts),
        ]

    @property
    def _all_accounts(self) -> str:
        """Those of each channel, in their table."""
        sort = {"tokens": ""}.get(self.query.metric, f"-{self.query.metric}")
        slugs = sorted({row.key for row in self.entities.channel_rows if row.opens})
        address = self.query.elsewhere.setting("open", ",".join(slugs)).setting("sort", sort)
        return f"{reverse('channels_app:channels')}{address}"

    @property
    def failures(self) -> Address:
        """What a failed record is asked with, for its neighbours to be failed ones too."""
        return self.query.elsewhere.setting("status", FAIL)

    @property
    def all_errors(self) -> str:
        return self._all("errors")

    @property
    def columns(self) -> list[Column]:
        """Those of the table of channels, as its full one has them; shares are of what the page shows."""
        label = self.share_label
        return [replace(share(""), label=label) if key == "share" else COLUMNS[key] for key in _COLUMNS]

    @property
    def share_label(self) -> Promise:
        return _SHARES[self.query.metric]

    @cached_property
    def heatmap(self) -> Heatmap:
        metric, zone = METRICS[self.query.heat], self.answers.period.zone
        hours = [
            Hour(start.astimezone(zone), value, self._is_gap(to_micros(start)))
            for start, value in self.answers.hours_of(self.query.heat)
        ]
        title = _("%(metric)s by weekday and hour") % {"metric": metric.label}
        return Heatmap(title, metric.unit, hours, site().week_start)

    def _is_gap(self, start: int) -> bool:
        """Whether nothing was collected in all of an hour, of the running one until now."""
        end = min(start + _HOUR, to_micros(self.now))
        return any(gap.since <= start and end <= gap.until for gap in self.answers.gaps)

    @cached_property
    def errors(self) -> list[Error]:
        rows = self.answers.errors
        messages = first_lines(rows, _MESSAGE)
        return [Error(row, row.source.known_channel, messages.get(row.pk, "")) for row in rows]
