"""Usage by channel, account and model: the tree of the Channels page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.utils.translation import gettext as _

from channels_app.period import Period
from channels_app.stats.current import Basis, taken_as_ordinary
from channels_app.stats.questions import aggregate
from channels_app.stats.tables import EVERYTHING, Conditions, span_of
from channels_app.stats.usage import Share, Usage
from usage.models import Account, Channel, Instance, ModelName, Source

UNKNOWN = "unknown"


@dataclass(slots=True)
class ModelRow:
    name: str
    usage: Usage = field(default_factory=Usage)
    pk: int = 0


@dataclass(slots=True)
class AccountRow:
    """One account of a channel; under the unknown channel, one source that matches nothing."""

    key: str
    name: str
    kind: str
    state: str = ""
    retry_at: datetime | None = None
    account_id: int | None = None
    instance: str = ""
    usage: Usage = field(default_factory=Usage)
    models: list[ModelRow] = field(default_factory=list)
    share: Share | None = None
    share_of_channel: Share | None = None

    @property
    def is_unknown(self) -> bool:
        return self.account_id is None


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
        return self.slug == UNKNOWN


@dataclass(slots=True)
class ChannelReport:
    """The channels that have usage in a period; `usage` is the sum of them all."""

    period: Period
    usage: Usage
    channels: list[ChannelRow]
    basis: Basis = Basis.RECORDED
    # At the prices of now: requests that nobody can tell any more to have had a special price (`stats/current.py`).
    taken_as_ordinary: int = 0


Row = TypeVar("Row", ChannelRow, AccountRow)

# What rows can be sorted by, besides `name`; a None sorts last in either direction.
SORT_KEYS: dict[str, Callable[[Usage], float | None]] = {
    "tokens": lambda usage: usage.total_tokens,
    "requests": lambda usage: usage.requests,
    "failed": lambda usage: usage.failed,
    "success": lambda usage: usage.success_rate,
    "input": lambda usage: usage.input_tokens,
    "cached": lambda usage: usage.cache_read,
    "written": lambda usage: usage.cache_write,
    "output": lambda usage: usage.output_tokens,
    "reasoning": lambda usage: usage.reasoning,
    "hit": lambda usage: usage.cache_hit_rate,
    "cost": lambda usage: usage.cost,
}
DEFAULT_SORT = "-tokens"


def channel_report(
    period: Period,
    conditions: Conditions = EVERYTHING,
    *,
    sort: str = DEFAULT_SORT,
    basis: Basis = Basis.RECORDED,
) -> ChannelReport:
    """Return usage by channel, account and model in `period`, from one aggregation.

    `sort` is `name` or a key of SORT_KEYS, descending with a leading `-`; the unknown channel stays last.
    """
    report = ChannelReport(period, Usage(), [], basis)
    if basis is Basis.CURRENT:
        report.taken_as_ordinary = taken_as_ordinary(span_of(period), conditions)
    channels: dict[str, ChannelRow] = {}
    accounts: dict[str, AccountRow] = {}
    models: dict[tuple[str, int], ModelRow] = {}
    for source, model, usage in _by_source_and_model(period, conditions, basis):
        channel = _channel_row(channels, source)
        account = _account_row(accounts, channel, source)
        account.usage.add(usage)
        _model_row(models, f"channel-{channel.slug}", channel.models, model).usage.add(usage)
        _model_row(models, account.key, account.models, model).usage.add(usage)
    for channel in channels.values():
        for account in channel.accounts:
            channel.usage.add(account.usage)
        report.usage.add(channel.usage)
    report.channels = _sorted(channels.values(), sort)
    for channel in report.channels:
        _finish(channel, report.usage, sort)
    return report


def _by_source_and_model(
    period: Period, conditions: Conditions, basis: Basis
) -> Iterator[tuple[Source, ModelName, Usage]]:
    rows = aggregate(span_of(period), conditions, ("source_id", "model_id"), basis)
    sources = _sources({row[0] for row in rows})
    models = ModelName.objects.in_bulk({row[1] for row in rows})
    for source_id, model_id, *sums in rows:
        yield sources[source_id], models[model_id], Usage(*sums)


def _sources(ids: set[int]) -> dict[int, Source]:
    """Each server, channel and account is one object, however many sources it has: a join would make each anew."""
    instances, channels, accounts = Instance.objects.in_bulk(), Channel.objects.in_bulk(), Account.objects.in_bulk()
    for account in accounts.values():
        account.channel = channels[account.channel_id]
    sources = Source.objects.in_bulk(ids)
    for source in sources.values():
        source.instance = instances[source.instance_id]
        source.channel = channels[source.channel_id] if source.channel_id else None
        source.account = accounts[source.account_id] if source.account_id else None
    return sources


def _channel_row(rows: dict[str, ChannelRow], source: Source) -> ChannelRow:
    channel = source.known_channel
    slug = channel.slug if channel else UNKNOWN
    if slug not in rows:
        rows[slug] = (
            ChannelRow(slug, channel.name, channel.kind, channel.color_slot, channel.shape)
            if channel
            else ChannelRow(slug, _("Unknown channel"), "")
        )
    return rows[slug]


def _account_row(rows: dict[str, AccountRow], channel: ChannelRow, source: Source) -> AccountRow:
    """The account that a source means, or the source itself where that is open."""
    account = source.account
    key = f"account-{account.pk}" if account else f"source-{source.pk}"
    if key not in rows:
        rows[key] = (
            AccountRow(
                key, str(account), channel.kind, account.state, account.retry_at, account.pk, source.instance.name
            )
            if account
            else AccountRow(
                key,
                source.label if source.channel and source.label else str(source),
                channel.kind,
                instance=source.instance.name,
            )
        )
        channel.accounts.append(rows[key])
    return rows[key]


def _model_row(known: dict[tuple[str, int], ModelRow], key: str, rows: list[ModelRow], model: ModelName) -> ModelRow:
    if (key, model.pk) not in known:
        known[key, model.pk] = ModelRow(model.name, pk=model.pk)
        rows.append(known[key, model.pk])
    return known[key, model.pk]


def _finish(channel: ChannelRow, whole: Usage, sort: str) -> None:
    """Give the rows beneath a channel their order and their shares."""
    channel.share = Share.of(channel.usage, whole)
    channel.accounts = _sorted(channel.accounts, sort)
    for account in channel.accounts:
        account.share = Share.of(account.usage, whole)
        account.share_of_channel = Share.of(account.usage, channel.usage)
    for models in (channel.models, *(account.models for account in channel.accounts)):
        models.sort(key=lambda model: (-model.usage.total_tokens, model.name))


def _sorted(rows: Iterable[Row], sort: str) -> list[Row]:
    """Order rows by `sort`, ties by name; what has no value, and what is unknown, goes last in every order."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    ordered = sorted(rows, key=lambda row: row.name.casefold(), reverse=sort == "-name")
    if name != "name":
        value = SORT_KEYS[name]
        ordered.sort(key=lambda row: value(row.usage) or 0, reverse=descending)
        ordered.sort(key=lambda row: value(row.usage) is None)
    ordered.sort(key=lambda row: row.is_unknown)
    return ordered
