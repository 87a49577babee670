"""Usage by channel, account and model: the tree of the Channels page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from channels_app.period import Period
from channels_app.stats.conditions import EVERYTHING, Conditions, span_of
from channels_app.stats.current import Basis, taken_as_ordinary
from channels_app.stats.questions import aggregate
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
    source_id: int | None = None
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
    opened: Collection[str] | None = None,
) -> ChannelReport:
    """Return usage by channel, account and model in `period`, from one aggregation.

    `sort` is `name` or a key of SORT_KEYS, descending with a leading `-`; the unknown channel stays last. Where the slugs
    of `opened` channels are told, the accounts of all others come without their sums and models, which of a thousand
    accounts are most of the work; then sums are asked for three times.
    """
    report = ChannelReport(period, Usage(), [], basis)
    if basis is Basis.CURRENT:
        report.taken_as_ordinary = taken_as_ordinary(span_of(period), conditions)
    channels: dict[str, ChannelRow] = {}
    accounts: set[str] = set()
    models: dict[tuple[str, int], ModelRow] = {}
    for (of_channel, account), usage, rows in _by_source(period, conditions, basis, opened):
        channel = _channel_row(channels, of_channel)
        if account.key not in accounts:
            accounts.add(account.key)
            channel.accounts.append(account)
        account.usage.add(usage)
        for row in rows:
            _model_row(models, f"channel-{channel.slug}", channel.models, row).usage.add(row.usage)
            _take_model(models, account, row)
    if opened is not None:
        models_of = _models_of_channels(period, conditions, basis)
        for channel in channels.values():
            channel.models = models_of.get(channel.slug, [])
    for channel in channels.values():
        for part in channel.accounts if _is_open(channel, opened) else channel.models:
            channel.usage.add(part.usage)
        report.usage.add(channel.usage)
    report.channels = _sorted(channels.values(), sort)
    for channel in report.channels:
        _finish(channel, report.usage, sort, is_open=_is_open(channel, opened))
    return report


def _is_open(channel: ChannelRow, opened: Collection[str] | None) -> bool:
    return opened is None or channel.slug in opened


# The channel (None: the unknown one) and the account of a source; where that is open, the source in its place.
_Place = tuple[Channel | None, AccountRow]


def _by_source(
    period: Period, conditions: Conditions, basis: Basis, opened: Collection[str] | None
) -> Iterator[tuple[_Place, Usage, list[ModelRow]]]:
    """Yield each source with its place and, where its channel is among those `opened` (None: all are), its usage and models."""
    span = span_of(period)
    if opened is None:
        models = _models_of_sources(aggregate(span, conditions, ("source_id", "model_id"), basis))
        usages = {source: _sum(rows) for source, rows in models.items()}
        places = _places(usages)
    else:
        used = [source for source, _requests in aggregate(span, conditions, ("source_id",), basis, ("requests",))]
        places = _places(used)
        shown = frozenset(source for source, (channel, _row) in places.items() if _slug(channel) in opened)
        within = replace(conditions, sources=shown, channels=None)
        models = _models_of_sources(aggregate(span, within, ("source_id", "model_id"), basis))
        # Asked later, and equal to what stands below them.
        usages = {source: _sum(models.get(source, [])) for source in places}
    for source, usage in usages.items():
        yield places[source], usage, models.get(source, [])


def _models_of_sources(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[ModelRow]]:
    names = _model_names()
    found = defaultdict[int, list[ModelRow]](list)
    for source_id, model_id, *sums in rows:
        found[source_id].append(ModelRow(names[model_id], Usage(*sums), model_id))
    return found


def _models_of_channels(period: Period, conditions: Conditions, basis: Basis) -> dict[str, list[ModelRow]]:
    """By the channel's slug."""
    rows = aggregate(span_of(period), conditions, ("channel_id", "model_id"), basis)
    # After them: there may be new ones.
    names, slugs = _model_names(), dict(Channel.objects.values_list("pk", "slug"))
    found = defaultdict[str, list[ModelRow]](list)
    for channel_id, model_id, *sums in rows:
        found[slugs[channel_id] if channel_id else UNKNOWN].append(ModelRow(names[model_id], Usage(*sums), model_id))
    return found


def _model_names() -> dict[int, str]:
    return dict(ModelName.objects.values_list("pk", "name"))


def _sum(rows: Iterable[ModelRow]) -> Usage:
    usage = Usage()
    for row in rows:
        usage.add(row.usage)
    return usage


def _slug(channel: Channel | None) -> str:
    return channel.slug if channel else UNKNOWN


def _places(ids: Collection[int]) -> dict[int, _Place]:
    """Return where the usage of each source belongs. There may be thousands, of which objects would take as long as the sums.

    What names others is read before these: new ones may come meanwhile.
    """
    whose = dict(Source.objects.filter(account__isnull=False).values_list("pk", "account_id"))
    of_none = Source.objects.in_bulk([one for one in ids if one not in whose])
    rows: list[Any] = list(
        Account.objects.values_list("instance_id", "channel_id", "state", "retry_at", *Account.NAMED_BY)
    )
    servers, channels = dict(Instance.objects.values_list("pk", "name")), Channel.objects.in_bulk()
    accounts: dict[int, _Place] = {}
    for server, of_channel, state, retry_at, pk, *named in rows:
        channel, name = channels[of_channel], Account.name_of(pk, *named)
        row = AccountRow(f"account-{pk}", name, channel.kind, state, retry_at, pk, instance=servers[server])
        accounts[pk] = channel, row
    places = {source: accounts[whose[source]] for source in ids if source in whose}
    for pk, source in of_none.items():
        known = channels[source.channel_id] if source.channel_id else None
        name = source.name if known else str(source)
        kind = known.kind if known else ""
        row = AccountRow(f"source-{pk}", name, kind, source_id=pk, instance=servers[source.instance_id])
        places[pk] = known, row
    return places


def _channel_row(rows: dict[str, ChannelRow], channel: Channel | None) -> ChannelRow:
    slug = _slug(channel)
    if slug not in rows:
        rows[slug] = (
            ChannelRow(slug, channel.name, channel.kind, channel.color_slot, channel.shape)
            if channel
            else ChannelRow(slug, _("Unknown channel"), "")
        )
    return rows[slug]


def _model_row(known: dict[tuple[str, int], ModelRow], key: str, rows: list[ModelRow], like: ModelRow) -> ModelRow:
    if (key, like.pk) not in known:
        known[key, like.pk] = ModelRow(like.name, pk=like.pk)
        rows.append(known[key, like.pk])
    return known[key, like.pk]


def _take_model(known: dict[tuple[str, int], ModelRow], account: AccountRow, row: ModelRow) -> None:
    """Most accounts have one source, whose rows are theirs as they are."""
    if (account.key, row.pk) in known:
        known[account.key, row.pk].usage.add(row.usage)
    else:
        known[account.key, row.pk] = row
        account.models.append(row)


def _finish(channel: ChannelRow, whole: Usage, sort: str, *, is_open: bool) -> None:
    """Give the rows beneath a channel their order and their shares; of one that is not open, the models alone."""
    channel.share = Share.of(channel.usage, whole)
    if not is_open:
        _sort_models(channel.models)
        return
    channel.accounts = _sorted(channel.accounts, sort)
    for account in channel.accounts:
        account.share = Share.of(account.usage, whole)
        account.share_of_channel = Share.of(account.usage, channel.usage)
    for models in (channel.models, *(account.models for account in channel.accounts)):
        _sort_models(models)


def _sort_models(models: list[ModelRow]) -> None:
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
