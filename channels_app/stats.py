"""The answers: the only module that adds up usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.utils.translation import gettext as _

from channels_app.period import Period
from usage.ingest.rollup import DAILY, HOURLY, RECORDS, SUM_OF_RECORDS, SUMS, Grain
from usage.models import ModelName, Source
from usage.models.fields import to_micros

UNKNOWN = "unknown"


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
    priced_succeeded: int = 0
    priced_tokens: int = 0
    cost_nanousd: int = 0
    timed_output: int = 0
    timed_ms: int = 0
    without_usage: int = 0
    estimated_requests: int = 0
    unclassified_requests: int = 0
    inconsistent_requests: int = 0

    def add(self, other: Usage) -> None:
        for name in SUMS:
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
        """Estimated cost in nano-USD, or None where nothing is priced but what used nothing."""
        return self.cost_nanousd if self.priced_tokens or self.priced_requests == self.requests else None

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
            None if part.cost is None else fraction(part.cost_nanousd, whole.cost_nanousd),
        )


@dataclass(slots=True)
class ModelRow:
    name: str
    usage: Usage = field(default_factory=Usage)


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


def channel_report(period: Period, *, sort: str = DEFAULT_SORT) -> ChannelReport:
    """Return usage by channel, account and model in `period`, from one aggregation.

    `sort` is `name` or a key of SORT_KEYS, descending with a leading `-`; the unknown channel stays last.
    """
    report = ChannelReport(period, Usage(), [])
    channels: dict[str, ChannelRow] = {}
    accounts: dict[str, AccountRow] = {}
    for source, model, usage in _by_source_and_model(period):
        channel = _channel_row(channels, source)
        account = _account_row(accounts, channel, source)
        for row in (report, channel, account):
            row.usage.add(usage)
        for row in (channel, account):
            _model_row(row.models, model).usage.add(usage)
    report.channels = _sorted(channels.values(), sort)
    for channel in report.channels:
        _finish(channel, report.usage, sort)
    return report


def _by_source_and_model(period: Period) -> Iterator[tuple[Source, str, Usage]]:
    with connection.cursor() as cursor:
        cursor.execute(*_aggregation(period))
        rows = cursor.fetchall()
    sources = Source.objects.select_related("instance", "channel", "account__channel").in_bulk({row[0] for row in rows})
    models = ModelName.objects.in_bulk({row[1] for row in rows})
    for source_id, model_id, *sums in rows:
        yield sources[source_id], models[model_id].name, Usage(*sums)


def _aggregation(period: Period) -> tuple[str, list[int]]:
    """Return the one query: whole days and hours from the rollups, the ragged ends from the records, together.

    So any span is exact to the microsecond in any time zone, and costs what its days cost.
    """
    pieces = list(_pieces(to_micros(period.since), to_micros(period.until), (DAILY, HOURLY)))
    union = " UNION ALL ".join(select for select, _since, _until in pieces)
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in SUMS)
    sql = f"SELECT source_id, model_id, {sums} FROM ({union}) AS pieces GROUP BY source_id, model_id"
    return sql, [edge for _select, *edges in pieces for edge in edges]


def _pieces(since: int, until: int, grains: Sequence[Grain]) -> Iterator[tuple[str, int, int]]:
    """Cut `[since, until)` into what each grain can answer, the coarsest first: (SELECT, since, until)."""
    if since >= until:
        return
    if not grains:
        yield _RECORDS, since, until
        return
    grain, *finer = grains
    first, last = grain.start_of(since + grain.width - 1), grain.start_of(until)
    if first >= last:
        yield from _pieces(since, until, finer)
        return
    yield from _pieces(since, first, finer)
    yield f"{_SUMS} FROM {grain.table} WHERE bucket >= %s AND bucket < %s", first, last
    yield from _pieces(last, until, finer)


_SUMS = f"SELECT source_id, model_id, {', '.join(SUMS)}"
_RECORDS = (
    f"SELECT source_id, model_id, {', '.join(f'{expression} AS {name}' for name, expression in SUM_OF_RECORDS.items())} "
    f"FROM {RECORDS} WHERE requested_at >= %s AND requested_at < %s GROUP BY source_id, model_id"
)


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


def _model_row(rows: list[ModelRow], name: str) -> ModelRow:
    for row in rows:
        if row.name == name:
            return row
    rows.append(ModelRow(name))
    return rows[-1]


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
