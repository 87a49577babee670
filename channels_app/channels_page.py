"""The Channels page: a chart of them, then a table of channels, their accounts, and the models of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.charts import look
from channels_app.charts.stacked_bars import StackedBars
from channels_app.columns import PARAMETER as COLUMNS
from channels_app.columns import read_columns, written
from channels_app.dashboard.answers import Answers
from channels_app.dashboard.query import DashboardQuery, listed
from channels_app.dashboard.usage_chart import usage_chart
from channels_app.filter_bar.bar import FilterBar
from channels_app.filter_bar.scope import read_scope
from channels_app.stats import UNKNOWN, AccountRow, ChannelReport, ChannelRow, ModelRow, Usage, channel_report
from channels_app.usage_table.list_page import TablePage
from channels_app.usage_table.row import Row, page_of
from channels_app.usage_table.table import DEFAULT_SORT, Table, read_sort
from usage.models import Account, Channel

USUAL = (
    "requests", "success", "tokens", "share", "input", "cached", "output", "reasoning", "hit", "cost", "p95", "trend",
)  # fmt: skip
OPTIONAL = ("failed", "written", "unclassified", "blended", "each", "p50", "ttft", "speed", "delta", "last")


@dataclass(frozen=True)
class ChannelsQuery(DashboardQuery):
    """`open` are slugs of channels and keys of accounts, `columns` by what they differ from the usual ones, and `idle`
    says to show channels without requests too.
    """

    sort: str = DEFAULT_SORT
    open: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    idle: bool = False

    @property
    def address(self) -> Address:
        address = super().address.setting("sort", "" if self.sort == DEFAULT_SORT else self.sort)
        address = address.setting("idle", "1" if self.idle else "")
        return address.setting("open", ",".join(sorted(self.open))).setting(COLUMNS, *written("channels", self.columns))

    def toggling(self, key: str) -> str:
        return str(replace(self, open=self.open ^ {key}).address)


def read_channels_query(query: QueryDict, now: datetime) -> ChannelsQuery:
    scope = read_scope(query, now)
    warnings = [*scope.warnings]
    sort = read_sort(query.get("sort", ""), (*USUAL, *OPTIONAL), warnings)
    columns = read_columns(query, "channels", USUAL, OPTIONAL)
    found = ChannelsQuery(
        scope, ("channel",), warnings=tuple(warnings), sort=sort, open=listed(query, "open"), columns=columns,
        idle=query.get("idle") == "1",
    )  # fmt: skip
    return found.read(query)


class ChannelsPage(TablePage):
    query: ChannelsQuery
    table_name, usual, optional = "channels", USUAL, OPTIONAL

    def __init__(self, query: ChannelsQuery, now: datetime) -> None:
        self.query, self.now = query, now

    @cached_property
    def report(self) -> ChannelReport:
        scope = self.scope
        return channel_report(scope.period, scope.conditions, basis=scope.basis, opened=self.query.open)

    @property
    def usage(self) -> Usage:
        return self.report.usage

    @property
    def is_empty(self) -> bool:
        return not self.report.channels

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(
            self.scope, self.address, compares=True, template="usage_table/_columns.html", columns_of="channels",
            intervals=self.query.intervals,
        )  # fmt: skip

    @cached_property
    def usage_chart(self) -> StackedBars:
        return usage_chart(self._answers, Channel.objects.in_bulk())

    @cached_property
    def _answers(self) -> Answers:
        return Answers(self.query, self.now, drawn_by=())  # nothing is drawn but the chart

    # The line above the table.

    @cached_property
    def known(self) -> list[ChannelRow]:
        return [channel for channel in self.report.channels if not channel.is_unknown]

    @property
    def account_count(self) -> int:
        return sum(len(channel.accounts) for channel in self.known)

    @cached_property
    def all_account_count(self) -> int:
        """With those that were not used, as far as servers list them."""
        used = {account.account_id for channel in self.known for account in channel.accounts}
        listed = Account.objects.exclude(state=Account.State.REMOVED)
        if self.scope.filters.channels:
            listed = listed.filter(channel__in=self.scope.filters.channels - {None})
        return self.account_count + len(set(listed.values_list("pk", flat=True)) - used)

    @cached_property
    def idle(self) -> list[Channel]:
        """Channels without requests in the period; not told where it is for another filter that they have none."""
        if {name for name, _value in self.scope.filters.parameters} - {"channel"}:
            return []
        used, asked = {channel.slug for channel in self.report.channels}, self.scope.filters.channels
        return [one for one in Channel.objects.all() if one.slug not in used and (not asked or one.pk in asked)]

    @property
    def other_idle(self) -> str:
        """The address with idle channels shown, or hidden again."""
        return str(replace(self.query, idle=not self.query.idle).address)

    @property
    def unmatched(self) -> int:
        """Requests that match no channel."""
        return sum(channel.usage.requests for channel in self.report.channels if channel.is_unknown)

    @property
    def all_open(self) -> bool:
        return all(channel.slug in self.query.open for channel in self.report.channels)

    @property
    def expand_all(self) -> str:
        """The address after *Expand all*, or after *Collapse all* where all are open."""
        slugs = frozenset() if self.all_open else frozenset(channel.slug for channel in self.report.channels)
        return str(replace(self.query, open=slugs).address)

    # The table.

    @cached_property
    def table(self) -> Table:
        rows = [self._channel(channel) for channel in self.report.channels]
        rows += [self._idle(channel) for channel in self.idle if self.query.idle]
        self.tell(rows, ["channel"])
        accounts = [account for row in rows for account in row.children if account.value]
        self.tell(accounts, ["channel", "account"], line_by="account")
        return Table(
            "channels", _("Channel"), self.table_columns, rows, self.usage, self.query.sort, self.address,
            "channels/_name.html", self.timing, [*self._models],
        )  # fmt: skip

    @property
    def _models(self) -> Iterator[ModelRow]:
        """Those of all channels, one by one: several channels may have the same."""
        return (model for channel in self.report.channels for model in channel.models)

    def _channel(self, channel: ChannelRow) -> Row:
        its_look = look.of_slot(channel.color_slot, channel.shape) if channel.color_slot else look.UNKNOWN
        row = Row(
            channel.slug, channel.name, channel.usage, self.usage, "channel", channel.slug,
            page_of("channel", channel.slug, self.scope.address), its_look, (self._ids[channel.slug],),
            channel.is_unknown, models=channel.models, details={"channel": channel}, css="channel",
        )  # fmt: skip
        self._open(row)
        if row.is_open:
            row.children = [self._account(account, row) for account in channel.accounts]
        return row

    def _idle(self, channel: Channel) -> Row:
        row = ChannelRow(channel.slug, channel.name, channel.kind, channel.color_slot, channel.shape)
        return replace(self._channel(row), toggle="")

    def _account(self, account: AccountRow, channel: Row) -> Row:
        """An account; of what is not known, a source."""
        pk = account.account_id
        details = {
            "server": account.instance if self.many_servers else "",
            "source": account.source_id if channel.is_last else None,  # that anybody may say something of
        }
        row = Row(
            account.key, account.name, account.usage, channel.usage, "account", str(pk or ""),
            page_of("account", pk, self.scope.address) if pk else "", channel.look, (*channel.group, pk),
            models=account.models, details=details, css="account",
        )  # fmt: skip
        row.account = self._accounts.get(pk or 0)
        self._open(row)
        if row.is_open:
            row.children = [self._model(model, row) for model in account.models]
        return row

    def _model(self, model: ModelRow, account: Row) -> Row:
        """A model; its page is asked for the account alone, where that is known."""
        within = self.scope.address.setting("account", account.value)
        page = page_of("model", model.pk, within) if account.value else ""
        key = f"{account.key}-{model.pk}"
        return Row(key, model.name, model.usage, account.usage, "model", model.name, page, account.look, css="model")

    def _open(self, row: Row) -> None:
        row.toggle, row.is_open = self.query.toggling(row.key), row.key in self.query.open

    @cached_property
    def many_servers(self) -> bool:
        """Whether the accounts are of several servers, so that each has to say whose it is."""
        return len({account.instance for channel in self.report.channels for account in channel.accounts}) > 1

    @cached_property
    def _ids(self) -> dict[str, int | None]:
        """By slug; the unknown channel has none."""
        return {slug: pk for pk, slug in Channel.objects.values_list("pk", "slug")} | {UNKNOWN: None}

    @cached_property
    def _accounts(self) -> Mapping[int, Account]:
        """Of the channels that are open."""
        opened = [channel for channel in self.report.channels if channel.slug in self.query.open]
        ids = [account.account_id for channel in opened for account in channel.accounts if account.account_id]
        return Account.objects.in_bulk(ids)
