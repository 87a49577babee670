"""The answers: the only module that adds up usage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from channels_app.period import Period
from usage.models import Account, Channel, ModelName, Source, UsageHourly, UsageRecord
from usage.models.fields import to_micros

_HOUR = to_micros(datetime.fromisoformat("1970-01-01T01:00:00Z"))
_TOKENS = ("uncached_input", "cache_read", "cache_write", "output", "reasoning", "unclassified")
_SUMS = ("requests", "failed", *_TOKENS, "priced_requests", "priced_tokens", "cost_nanousd")


@dataclass(slots=True)
class Usage:
    """Sums over records: counts, tokens by disjoint bucket, cost in nano-USD of the priced ones.

    The properties are the metrics of `ui.md` 6; a None is a value that does not exist, never a zero.
    """

    requests: int = 0
    failed: int = 0
    uncached_input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    unclassified: int = 0
    priced_requests: int = 0
    priced_tokens: int = 0
    cost_nanousd: int = 0

    def add(self, other: Usage) -> None:
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def succeeded(self) -> int:
        return self.requests - self.failed

    @property
    def success_rate(self) -> float | None:
        return self.succeeded / self.requests if self.requests else None

    @property
    def input_tokens(self) -> int:
        return self.uncached_input + self.cache_read + self.cache_write

    @property
    def output_tokens(self) -> int:
        """Answer and reasoning together."""
        return self.output + self.reasoning

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.unclassified

    @property
    def cache_hit_rate(self) -> float | None:
        return self.cache_read / self.input_tokens if self.input_tokens else None

    @property
    def cost(self) -> int | None:
        """Estimated cost in nano-USD, or None where nothing is priced."""
        return self.cost_nanousd if self.priced_requests or not self.requests else None

    @property
    def price_coverage(self) -> float | None:
        return self.priced_tokens / self.total_tokens if self.total_tokens else None

    @property
    def pricing(self) -> str:
        """`priced`, `partial` (the cost is a lower bound) or `unpriced`."""
        if self.priced_tokens == self.total_tokens and self.cost is not None:
            return "priced"
        return "partial" if self.priced_tokens else "unpriced"


@dataclass(frozen=True, slots=True)
class Share:
    """Fractions of the whole report (of an account: of its channel too); None where the whole is zero."""

    requests: float | None
    tokens: float | None
    cost: float | None

    @classmethod
    def of(cls, part: Usage, whole: Usage) -> Share:
        def fraction(value: int, total: int) -> float | None:
            return value / total if total else None

        return cls(
            fraction(part.requests, whole.requests),
            fraction(part.total_tokens, whole.total_tokens),
            fraction(part.cost_nanousd, whole.cost_nanousd),
        )


@dataclass(slots=True)
class ModelRow:
    name: str
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class AccountRow:
    """One account of a channel; under the unknown channel, one source that matches nothing."""

    key: str
    label: str
    kind: str
    state: str = ""
    retry_at: datetime | None = None
    account_id: int | None = None
    instance: str = ""
    usage: Usage = field(default_factory=Usage)
    models: list[ModelRow] = field(default_factory=list)
    share: Share | None = None
    share_of_channel: Share | None = None


@dataclass(slots=True)
class ChannelRow:
    """One channel with its accounts and models; `slug` is `unknown` for what matches no channel."""

    slug: str
    name: str
    kind: str
    color_slot: int | None = None
    shape: str = ""
    usage: Usage = field(default_factory=Usage)
    accounts: list[AccountRow] = field(default_factory=list)
    models: list[ModelRow] = field(default_factory=list)
    share: Share | None = None

    @property
    def is_unknown(self) -> bool:
        return self.slug == "unknown"


@dataclass(slots=True)
class ChannelReport:
    period: Period
    total: Usage
    channels: list[ChannelRow]


SORT_KEYS = {
    "tokens": lambda row: row.usage.total_tokens,
    "requests": lambda row: row.usage.requests,
    "failed": lambda row: row.usage.failed,
    "success": lambda row: -1 if row.usage.success_rate is None else row.usage.success_rate,
    "input": lambda row: row.usage.input_tokens,
    "cached": lambda row: row.usage.cache_read,
    "output": lambda row: row.usage.output_tokens,
    "reasoning": lambda row: row.usage.reasoning,
    "hit": lambda row: -1 if row.usage.cache_hit_rate is None else row.usage.cache_hit_rate,
    "cost": lambda row: -1 if row.usage.cost is None else row.usage.cost,
}


def channel_report(period: Period, *, sort: str = "-tokens") -> ChannelReport:
    """Return usage by channel, account and model in `period`, from one aggregation.

    `sort` is a key of SORT_KEYS or `name`, descending with a leading `-`; the unknown channel stays last.
    """
    report = ChannelReport(period, Usage(), [])
    channels: dict[str, ChannelRow] = {}
    accounts: dict[str, AccountRow] = {}
    for source, model, usage in _by_source_and_model(period):
        channel = channels.setdefault(source.channel_slug, source.channel_row())
        if source.account_key not in accounts:
            accounts[source.account_key] = source.account_row()
            channel.accounts.append(accounts[source.account_key])
        report.total.add(usage)
        for row in (channel, accounts[source.account_key]):
            row.usage.add(usage)
            _model_row(row.models, model).usage.add(usage)
    report.channels = _sorted(channels.values(), sort)
    for channel in report.channels:
        _finish(channel, report.total, sort)
    return report


def _finish(channel: ChannelRow, total: Usage, sort: str) -> None:
    channel.share = Share.of(channel.usage, total)
    channel.accounts = _sorted(channel.accounts, sort)
    channel.models.sort(key=lambda row: (-row.usage.total_tokens, row.name))
    for account in channel.accounts:
        account.share = Share.of(account.usage, total)
        account.share_of_channel = Share.of(account.usage, channel.usage)
        account.models.sort(key=lambda row: (-row.usage.total_tokens, row.name))


def _sorted(rows: Iterable[Any], sort: str) -> list[Any]:
    """Order rows by `sort`, ties by name; what is unknown stays at the bottom in every order."""
    name = sort.removeprefix("-")
    ordered = sorted(rows, key=lambda row: row.title.casefold(), reverse=sort == "-name")
    if name != "name":
        ordered.sort(key=SORT_KEYS[name], reverse=sort.startswith("-"))
    ordered.sort(key=lambda row: row.is_unknown)
    return ordered


def _model_row(rows: list[ModelRow], name: str) -> ModelRow:
    for row in rows:
        if row.name == name:
            return row
    rows.append(ModelRow(name))
    return rows[-1]
