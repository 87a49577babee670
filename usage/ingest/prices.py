"""Prices in the database: filled offline from genai-prices, read into a PriceBook, applied to what was unpriced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Count, Max, Prefetch
from django.utils import timezone

from usage.accounting.multipliers import Multiplier
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Charge, charge
from usage.accounting.tokens import Buckets
from usage.ingest import grains, rollup
from usage.ingest.catalog import Catalog
from usage.ingest.catalog_additions import additions
from usage.ingest.catalog_answers import Answer, Asked
from usage.ingest.price_conditions import fulfilling
from usage.models import ModelName, ModelPrice, PriceMultiplier, Source, UsageRecord
from usage.models.fields import to_micros

_CHUNK = 1_000
_catalog = Catalog()


def load_prices(using: str = DEFAULT_DB_ALIAS) -> PriceBook:
    """Return all prices of a database, with the multipliers."""
    return PriceBook((row.price for row in ModelPrice.objects.using(using).all()), load_multipliers(using))


def load_multipliers(using: str = DEFAULT_DB_ALIAS) -> list[Multiplier]:
    return [row.multiplier for row in PriceMultiplier.objects.using(using).all()]


def version_of_prices() -> tuple[object, ...]:
    """Return something that is another after each change of the prices or multipliers."""
    told = (rows.objects.aggregate(Count("pk"), Max("pk"), Max("updated_at")) for rows in (ModelPrice, PriceMultiplier))
    return tuple(chain.from_iterable(one.values() for one in told))


def price_new_models(models: Iterable[Asked], prices: PriceBook) -> int:
    """Add the catalog's prices of those (model, provider) that have none at all; return how many rows were added."""
    now = to_micros(timezone.now())
    return _add(_catalog.look_up(asked for asked in models if prices.find(asked[0], now, asked[1]) is None), now)


def complement_prices(models: Iterable[Asked]) -> int:
    """Add what the catalog says more, or otherwise, of those that have its prices; return how many rows were added.

    A model that another list has priced is left alone: the catalog would take back what was accepted there.
    """
    models = set(models)
    known = ModelPrice.objects.filter(pattern__in={model for model, _provider in models})
    names = set(known.filter(origin=ModelPrice.Origin.CATALOG).values_list("pattern", flat=True))
    names -= set(known.filter(origin__in=ModelPrice.LISTS).values_list("pattern", flat=True))
    return _add(_catalog.look_up(asked for asked in models if asked[0] in names), to_micros(timezone.now()))


def _add(found: dict[Asked, Answer], now: int) -> int:
    known: dict[str, list[ModelPrice]] = {model: [] for model, _provider in found}
    for row in ModelPrice.objects.filter(pattern__in=known) if known else ():
        known[row.pattern].append(row)
    new = list[ModelPrice]()
    for (model, _provider), answer in sorted(found.items()):
        rows = [
            ModelPrice.of(price, origin=ModelPrice.Origin.CATALOG, locked=False, catalog_name=answer.name)
            for price in additions(known[model], answer, now)
        ]
        known[model] += rows
        new += rows
    ModelPrice.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def price_unpriced() -> int:
    """Price records that had no price when they came and have one now; return how many.

    Also what a name that came later gave a price for its account or channel.
    """
    unpriced = UsageRecord.objects.filter(cost_nanousd=None)
    names = dict(ModelName.objects.filter(pk__in=unpriced.values("model")).values_list("pk", "name"))
    prices = load_prices()
    if price_new_models(_questions(names), prices):
        prices = load_prices()
    return sum(_price_model(prices, name, model_id) for model_id, name in names.items())


def _questions(names: dict[int, str]) -> Iterator[Asked]:
    """What the catalog is to be asked of models that have no price: it may not have been to be asked when they came."""
    for model_id, name in names.items():
        records = UsageRecord.objects.filter(cost_nanousd=None, model=model_id).values_list("source__provider")
        yield from ((name, provider) for (provider,) in records[:1])


def _price_model(prices: PriceBook, model: str, model_id: int) -> int:
    """The database looks for records that fulfil the conditions of a price. Others may be many, and stay unpriced."""
    fitting, priced = prices.fitting(model), 0
    if not fitting:
        return 0
    rows = fulfilling(fitting).filter(model=model_id, cost_nanousd=None).order_by("requested_at").values_list("pk")
    while count := _price_chunk(prices, [pk for (pk,) in rows[:_CHUNK]]):
        priced += count
    return priced


def _price_chunk(prices: PriceBook, ids: list[int]) -> int:
    """Price those of these records that are unpriced; return how many now have a price.

    The rows are locked: of two processes that do this at once, each record is added to the rollup by one.
    """
    with transaction.atomic():
        rows = UsageRecord.objects.select_for_update().filter(pk__in=ids, cost_nanousd=None).order_by("pk")
        sources = Prefetch("source", Source.objects.select_related("account"))
        found = [record for record in rows.prefetch_related(sources, "traits", "model") if _is_priced(record, prices)]
        with rollup.changing([record.pk for record in found]):
            UsageRecord.objects.bulk_update(found, ["cost_nanousd", "saved_nanousd", "price"])
    return len(found)


def charge_anew(record: UsageRecord, prices: PriceBook) -> Charge:
    """Return what `record` would be booked with if it came now. Reads its model, its traits and its source's account."""
    buckets, source = Buckets(*(getattr(record, name) for name in grains.TOKENS)), record.source
    price = prices.find(
        record.model.name, to_micros(record.requested_at), source.provider, record.traits.tier, buckets.total_input,
        source.known_channel_id, source.account_id,
    )  # fmt: skip
    return charge(price, buckets, failed=record.failed)


def _is_priced(record: UsageRecord, prices: PriceBook) -> bool:
    record.cost_nanousd, record.saved_nanousd, record.price_id = charge_anew(record, prices)
    return record.price_id is not None
