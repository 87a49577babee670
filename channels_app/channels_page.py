"""What the Channels page says around the figures of its report: columns, summary, links, empty states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from channels_app.channels_query import ChannelsQuery
from channels_app.filter_bar.bar import FilterBar
from channels_app.filter_bar.page import DataPage
from channels_app.stats import ChannelReport, ChannelRow, ModelRow, Share
from usage.models import Instance, UsageRecord


class Column(NamedTuple):
    """A column of figures: `key` sorts by it (`stats.SORT_KEYS`), `note` explains its header."""

    key: str
    label: Promise | str
    note: Promise | str = ""


_COLUMNS = (
    Column("requests", gettext_lazy("Requests"), gettext_lazy("Upstream attempts; a retried call counts each try")),
    Column("success", gettext_lazy("Success"), gettext_lazy("Succeeded ÷ requests")),
    Column("tokens", gettext_lazy("Tokens"), gettext_lazy("Input + output + unclassified")),
    Column("share", gettext_lazy("Share")),
    Column("input", gettext_lazy("Input"), gettext_lazy("Uncached + cached + cache write")),
    Column("cached", gettext_lazy("Cached"), gettext_lazy("Input read from the cache")),
    Column("written", gettext_lazy("Cache write"), gettext_lazy("Input written to the cache")),
    Column("output", gettext_lazy("Output"), gettext_lazy("Answer + reasoning")),
    Column("reasoning", gettext_lazy("Reasoning"), gettext_lazy("Part of output")),
    Column("unclassified", gettext_lazy("Unclassified"), gettext_lazy("Total known, split unknown")),
    Column("hit", gettext_lazy("Cache hit"), gettext_lazy("Cached ÷ input")),
    Column("cost", gettext_lazy("Est. cost"), gettext_lazy("At API list prices; an estimate, not a bill")),
)
_NAME = Column("name", gettext_lazy("Channel"))
_SHARES = {
    "requests": gettext_lazy("Share of requests"),
    "tokens": gettext_lazy("Share of tokens"),
    "cost": gettext_lazy("Share of cost"),
}
_SHARED = {"requests": "requests", "success": "requests", "failed": "requests", "cost": "cost"}


@dataclass(frozen=True)
class ChannelsPage(DataPage):
    query: ChannelsQuery
    report: ChannelReport

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address)

    @property
    def share_of(self) -> str:
        """Which of `stats.Share` the share column shows: the sorted metric's."""
        return _SHARED.get(self.query.sorted_by, "tokens")

    @property
    def share_label(self) -> Promise:
        return _SHARES[self.share_of]

    @property
    def columns(self) -> list[Column]:
        """The columns of figures, without those that are zero throughout and seldom used."""
        total = self.report.usage
        seldom = {"written": total.cache_write, "unclassified": total.unclassified}
        return [column for column in _COLUMNS if seldom.get(column.key, 1)]

    @property
    def name_column(self) -> Column:
        return _NAME

    @property
    def total_share(self) -> Share:
        return Share.of(self.report.usage, self.report.usage)

    @property
    def shows_written(self) -> bool:
        return bool(self.report.usage.cache_write)

    @property
    def shows_unclassified(self) -> bool:
        return bool(self.report.usage.unclassified)

    @cached_property
    def known(self) -> list[ChannelRow]:
        return [channel for channel in self.report.channels if not channel.is_unknown]

    @property
    def models(self) -> Iterator[ModelRow]:
        """Those of all channels, one by one: several channels may have the same."""
        return (model for channel in self.report.channels for model in channel.models)

    @property
    def account_count(self) -> int:
        return sum(len(channel.accounts) for channel in self.known)

    @property
    def many_servers(self) -> bool:
        """Whether the accounts are of several servers, so that each has to say whose it is."""
        return len({account.instance for channel in self.report.channels for account in channel.accounts}) > 1

    @property
    def unmatched(self) -> int:
        """Requests that match no channel."""
        return sum(channel.usage.requests for channel in self.report.channels if channel.is_unknown)

    @property
    def all_open(self) -> bool:
        return all(channel.slug in self.query.open for channel in self.report.channels)

    @property
    def expand_all(self) -> ChannelsQuery:
        """The state after *Expand all*, or after *Collapse all* where all are open."""
        return self.query.opening([] if self.all_open else [channel.slug for channel in self.report.channels])

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.report.channels:
            return ""
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"
