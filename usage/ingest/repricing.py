"""Prices records anew that have been priced: what they would cost now, and making it so, with the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, models, transaction

from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Charge, charge
from usage.accounting.tokens import Buckets
from usage.ingest import grains, rollup
from usage.ingest.prices import load_prices
from usage.models import ModelName, RequestTraits, Source, UsageRecord
from usage.models.fields import to_micros

# A transaction of about 100 ms, which bookings and pages that write wait for.
_CHUNK = 2_000
_COLUMNS = (
    "pk", "requested_at", "model_id", "source_id", "traits_id", "failed", "cost_nanousd", "saved_nanousd", "price_id",
    *grains.TOKENS,
)  # fmt: skip


class Scope(NamedTuple):
    """Which records: from `since` on and before `until` (microseconds since 1970 UTC), of some models, by name, or of all,
    and of some sources, by id, or of all.
    """

    since: int = 0
    until: int = grains.FOREVER
    models: Collection[str] | None = None
    sources: Collection[int] | None = None


@dataclass(slots=True)
class Change:
    """Of the records of one model: how many have another cost (or price row), and costs in nano-USD before and after."""

    records: int = 0
    changed: int = 0
    before: int = 0
    after: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0

    def add(self, other: Change) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Place(NamedTuple):
    """Where a chunk ends, in the order of time."""

    requested_at: int
    id: int


class _Recharge(NamedTuple):
    """What one record was booked with, and what it would be now."""

    id: int
    model: str
    before: Charge
    after: Charge


@dataclass
class Step:
    """What one chunk of records was and became; all before `reached` (microseconds since 1970 UTC) is done."""

    reached: int
    records: int
    changes: dict[str, Change] = field(default_factory=lambda: defaultdict(Change))


def count(scope: Scope) -> int:
    return _records(scope).count()


def preview(scope: Scope, prices: PriceBook | None = None) -> Iterator[Step]:
    """Tell what `reprice` would change, by the prices of now or others, a step for each chunk; nothing is written."""
    return _go_through(scope, prices or load_prices(), dry_run=True)


def reprice(scope: Scope) -> Iterator[Step]:
    """Give each record of `scope` the cost that it would have if it came now, and the sums with it.

    Each step is a transaction of its own. Whoever stops in between has equal sums, and may begin again from the start or
    from where the last step reached to: a record that has its cost is only read.
    """
    return _go_through(scope, load_prices(), dry_run=False)


def _go_through(scope: Scope, prices: PriceBook, *, dry_run: bool) -> Iterator[Step]:
    pricing, place = _Pricing(prices), _Place(max(scope.since, rollup.records_since()), 0)
    while ids := _next_ids(scope, place):
        place = ids[-1]
        chunk = [one.id for one in ids]
        charges = pricing.charges(chunk) if dry_run else _reprice_chunk(pricing, chunk)
        step = Step(place.requested_at, len(ids))
        for one in charges:
            _count_in(step.changes[one.model], one)
        yield step


def _records(scope: Scope) -> models.QuerySet[UsageRecord]:
    rows = UsageRecord.objects.filter(requested_at__gte=scope.since, requested_at__lt=scope.until)
    if scope.models is not None:
        rows = rows.filter(model__name__in=scope.models)
    return rows if scope.sources is None else rows.filter(source__in=scope.sources)


def _next_ids(scope: Scope, place: _Place) -> list[_Place]:
    """Return the records that follow `place`. The index of times is read from there on: of two lower bounds SQLite would take
    the first, that of the scope, and read all that is done already again.
    """
    after = models.Q(requested_at__gt=place.requested_at) | models.Q(pk__gt=place.id)
    rows = _records(scope._replace(since=place.requested_at)).filter(after).order_by("requested_at", "pk")
    found: Iterable[Any] = rows.values_list("requested_at", "pk")[:_CHUNK]
    return [_Place(to_micros(at), pk) for at, pk in found]


class _Pricing:
    """Prices records by the ids of what they point to; remembers the words, and which account a source means now."""

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._models: dict[int, ModelName] = {}
        self._sources: dict[int, Source] = {}
        self._traits: dict[int, RequestTraits] = {}

    def charges(self, ids: Sequence[int], *, lock: bool = False) -> list[_Recharge]:
        rows = UsageRecord.objects.filter(pk__in=ids).order_by("pk")
        found = list((rows.select_for_update() if lock else rows).values_list(*_COLUMNS))
        self._learn(found)
        return list(map(self._recharge, found))

    def _learn(self, rows: Sequence[tuple[Any, ...]]) -> None:
        known: Any
        for known, objects, at in (
            (self._models, ModelName.objects, 2), (self._sources, Source.objects.select_related("account"), 3),
            (self._traits, RequestTraits.objects, 4),
        ):  # fmt: skip
            known.update(objects.in_bulk({row[at] for row in rows} - known.keys()))

    def _recharge(self, row: tuple[Any, ...]) -> _Recharge:
        pk, at, model_id, source_id, traits_id, failed, cost, saved, price_id, *tokens = row
        before = cost, saved, price_id
        buckets, model, source = Buckets(*tokens), self._models[model_id].name, self._sources[source_id]
        price = self._prices.find(
            model, to_micros(at), source.provider, self._traits[traits_id].tier, buckets.total_input,
            source.known_channel_id, source.account_id,
        )  # fmt: skip
        return _Recharge(pk, model, before, charge(price, buckets, failed=failed))


def _reprice_chunk(pricing: _Pricing, ids: Sequence[int]) -> list[_Recharge]:
    with transaction.atomic():
        charges = pricing.charges(ids, lock=True)
        with rollup.changing([one.id for one in charges if one.before[:2] != one.after[:2]]):
            _write([one for one in charges if one.before != one.after])
    return charges


def _write(charges: Sequence[_Recharge]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {grains.RECORDS} SET cost_nanousd = %s, saved_nanousd = %s, price_id = %s WHERE id = %s",
            [(*one.after, one.id) for one in charges],
        )


def _count_in(change: Change, one: _Recharge) -> None:
    before, after = one.before[0], one.after[0]
    change.records += 1
    change.changed += one.before != one.after
    change.before += before or 0
    change.after += after or 0
    change.unpriced_before += before is None
    change.unpriced_after += after is None
