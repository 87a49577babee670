"""What the Errors page shows, from the answers to its questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.sparkline import Sparkline, sparkline, thinned
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.unit import REQUESTS
from channels_app.csv_file import CSV
from channels_app.dashboard.cards import Card
from channels_app.errors_page.answers import AccountKey, Attempts, ErrorsAnswers
from channels_app.errors_page.cards import cards
from channels_app.errors_page.chart import failures_chart
from channels_app.errors_page.classes import CLASSES, class_of
from channels_app.errors_page.columns import ACCOUNTS, GROUPS
from channels_app.errors_page.query import LIMITS, SORTS, ErrorsQuery
from channels_app.failure_texts import first_lines
from channels_app.filter_bar.bar import FilterBar
from channels_app.filter_bar.page import DataPage
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.stats import name_groups
from channels_app.stats.failures import Kind, Spreading
from channels_app.templatetags.formats import FEW_REQUESTS
from usage.meaning import Meaning
from usage.models import Account, Channel, FailureMessage, Instance, UsageRecord
from usage.models.fields import from_micros

_ACCOUNTS_OF_GROUP, _ACCOUNTS, _MESSAGE = 5, 25, 120


@dataclass(frozen=True, slots=True)
class ChannelMark:
    """A channel with its look; the unknown one too."""

    name: str
    look: Look


@dataclass(frozen=True, slots=True)
class AccountOfGroup:
    name: str
    channel: ChannelMark
    count: int
    share: float
    address: str


@dataclass(frozen=True, slots=True)
class Sample:
    record: UsageRecord
    channel: ChannelMark
    text: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """`share` is of all failures, 0 to 1; `accounts` and `samples` are those of an open one."""

    key: str
    code: int
    look: Look
    message: str
    count: int
    share: float
    channels: list[ChannelMark]
    account_count: int
    model_count: int
    models: str
    first: datetime | None
    last: datetime | None
    spark: Sparkline | None
    records: Address
    is_open: bool
    accounts: list[AccountOfGroup]
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """`account` is None where records show a credential that nobody has named."""

    name: str
    account: Account | None
    channel: ChannelMark
    attempts: Attempts
    address: str


@dataclass
class ErrorsPage(DataPage):
    query: ErrorsQuery
    now: datetime

    @cached_property
    def answers(self) -> ErrorsAnswers:
        return ErrorsAnswers(self.query, self.now)

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address, intervals=self.query.intervals)

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records`, `no_match` (no request at all) or `no_failure`; empty
        where there is.
        """
        if self.answers.total.failed:
            return ""
        if self.answers.total.requests:
            return "no_failure"
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @property
    def cards(self) -> list[Card]:
        return list(cards(self.answers))

    @cached_property
    def chart(self) -> StackedBars:
        return failures_chart(self.answers)

    @cached_property
    def _channels(self) -> dict[int, Channel]:
        return Channel.objects.in_bulk()

    def _channel(self, pk: int | None) -> ChannelMark:
        found = self._channels.get(pk or 0)
        if found is None:
            return ChannelMark(_("Unknown channel"), look.UNKNOWN)
        return ChannelMark(found.name, look.of_slot(found.color_slot, found.shape))

    # Groups: one for each kind of failure.

    @cached_property
    def _shown(self) -> list[Kind]:
        """The largest, or those that came last: that is known of all by the interval, and of the shown exactly."""
        counts, lines, limit = self.answers.counts, self.answers.lines, self.query.limit
        if self.query.sort == SORTS[0]:
            return sorted(counts, key=lambda kind: (-counts[kind], kind))[:limit]
        last = {kind: max(at for at, value in enumerate(line) if value) for kind, line in lines.items() if any(line)}
        return sorted(last, key=lambda kind: (-last[kind], -counts[kind], kind))[:limit]

    @cached_property
    def rows(self) -> list[GroupRow]:
        spreading = self.answers.spreading(self._shown)
        messages = FailureMessage.objects.in_bulk({kind.message for kind in self._shown})
        models = {model for one in spreading.values() for model in one.models}
        names = {
            group[0]: name["model"]["name"] for group, name in name_groups(["model"], {(pk,) for pk in models}).items()
        }
        rows = [
            self._row(kind, messages.get(kind.message), spreading[kind], names)
            for kind in self._shown
            if kind in spreading
        ]
        if self.query.sort == SORTS[1]:
            rows.sort(key=lambda row: row.last or self.now, reverse=True)
        return rows

    def _row(
        self, kind: Kind, message: FailureMessage | None, spread: Spreading, models: Mapping[int | None, str]
    ) -> GroupRow:
        answers, is_open = self.answers, str(kind) in self.query.open
        line = thinned(answers.lines[kind][: answers.timeline.begun], sum)
        return GroupRow(
            key=str(kind),
            code=kind.code,
            look=CLASSES[class_of(kind.code)].look,
            message=message.text if message else "",
            count=answers.counts[kind],
            share=answers.counts[kind] / answers.total.failed,
            channels=[self._channel(pk) for pk, _count in spread.channels.most_common()],
            account_count=spread.accounts,
            model_count=len(spread.models),
            models=_(", ").join(models[pk] for pk, _count in spread.models.most_common()),
            first=from_micros(spread.first),
            last=from_micros(spread.last),
            spark=sparkline(line, REQUESTS),
            records=self._records_of(kind),
            is_open=is_open,
            accounts=self._accounts_of(kind) if is_open else [],
            samples=self._samples_of(kind) if is_open else [],
        )

    def _records_of(self, kind: Kind) -> Address:
        """What the list of its records, and each of them, is asked with."""
        return self.scope.address.setting("failure", str(kind))

    def _accounts_of(self, kind: Kind) -> list[AccountOfGroup]:
        """Those with the most failures of a kind."""
        failed = self.answers.failed_by_account(kind.among(self.answers.conditions)).most_common(_ACCOUNTS_OF_GROUP)
        names = self._account_names([key for key, _count in failed])
        whole = self.answers.counts[kind]
        return [
            AccountOfGroup(names[key], self._channel(key.channel), count, count / whole, self._asking(key))
            for key, count in failed
        ]

    def _account_names(self, keys: Sequence[AccountKey]) -> dict[AccountKey, str]:
        names = name_groups(["account"], {(key.account,) for key in keys})
        return {key: names[key.account,]["account"]["name"] for key in keys}

    def _asking(self, key: AccountKey) -> str:
        """This page of one account alone, or of what no account is known of."""
        if key.account is not None:
            return str(self.address.setting("account", str(key.account)))
        channel = self._channels.get(key.channel or 0)
        return str(self.address.setting("channel", channel.slug if channel else UNKNOWN_CHANNEL))

    def _samples_of(self, kind: Kind) -> list[Sample]:
        rows = self.answers.samples(kind)
        texts = first_lines(rows, _MESSAGE)
        return [Sample(row, self._channel(row.source.known_channel_id), texts.get(row.pk, "")) for row in rows]

    @property
    def _first_rows(self) -> list[GroupRow]:
        """All but where many are shown: each open one asks questions of its own."""
        return self.rows[: LIMITS[0]]

    @property
    def all_open(self) -> bool:
        return all(row.is_open for row in self._first_rows)

    @property
    def expand_all(self) -> Address:
        """The address after *Expand all*, or after *Collapse all* where all are open."""
        return self.query.opening([] if self.all_open else [row.key for row in self._first_rows])

    @property
    def other_groups(self) -> int:
        return len(self.answers.counts) - len(self._shown)

    @property
    def other_count(self) -> int:
        return self.answers.total.failed - sum(self.answers.counts[kind] for kind in self._shown)

    @property
    def all_groups(self) -> Address | None:
        """The same with more groups, where there are more."""
        is_short = self.query.limit == LIMITS[0] and self.other_groups > 0
        return self.address.setting("limit", str(LIMITS[1])) if is_short else None

    @property
    def sorts(self) -> dict[str, Address]:
        """Where the headers of the table lead, by the column."""
        return {sort.removeprefix("-"): self.query.sorting(sort) for sort in SORTS}

    @property
    def is_by_count(self) -> bool:
        return self.query.sort == SORTS[0]

    @property
    def is_by_last(self) -> bool:
        return self.query.sort == SORTS[1]

    # Accounts by error rate.

    @cached_property
    def accounts(self) -> list[AccountRow]:
        """Of those with enough requests to tell."""
        found = {
            key: one for key, one in self.answers.by_account.items() if one.failed and one.requests >= FEW_REQUESTS
        }
        keys = sorted(found, key=lambda key: (-(found[key].error_rate or 0), -found[key].failed))[:_ACCOUNTS]
        rows = Account.objects.in_bulk([key.account for key in keys if key.account is not None])
        names = self._account_names(keys)
        return [
            AccountRow(
                names[key], rows.get(key.account or 0), self._channel(key.channel), found[key], self._asking(key)
            )
            for key in keys
        ]

    @property
    def columns_of_groups(self) -> tuple[Meaning, ...]:
        return GROUPS

    @property
    def columns_of_accounts(self) -> tuple[Meaning, ...]:
        return ACCOUNTS

    @property
    def few_requests(self) -> int:
        return FEW_REQUESTS

    # Files.

    @property
    def accounts_csv(self) -> Address:
        return self.address.setting("format", CSV).setting("section", "accounts")
