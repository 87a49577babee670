"""Prices in the database: filled offline from genai-prices, read into a PriceBook, applied to what was unpriced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.utils import timezone

from usage.accounting.pricing import Price, PriceBook
from usage.accounting.resolver import COMPATIBLE_PREFIX
from usage.accounting.tokens import Buckets
from usage.ingest import rollup
from usage.models import ModelName, ModelPrice, UsageRecord
from usage.models.fields import UsdPerMillionField, to_micros

# How CPA's provider ids are called in genai-prices; others are looked up by the model's name alone.
_CATALOG_PROVIDERS = {
    "claude": "anthropic",
    "codex": "openai",
    "openai": "openai",
    "xai": "x-ai",
    "kimi": "moonshotai",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    **dict.fromkeys(("gemini", "gemini-cli", "gemini-interactions", "vertex", "aistudio", "antigravity"), "google"),
}
_EFFORT = re.compile(r"\([^)]*\)$")
_CHUNK = 1_000


def load_prices() -> PriceBook:
    """Return all prices of the database."""
    return PriceBook(
        Price(
            pattern=row.pattern,
            input=_nano_per_thousand(row.input),
            output=_nano_per_thousand(row.output),
            cached_input=None if row.cached_input is None else _nano_per_thousand(row.cached_input),
            cache_write=None if row.cache_write is None else _nano_per_thousand(row.cache_write),
            effective_from=to_micros(row.effective_from),
            id=row.pk,
        )
        for row in ModelPrice.objects.all()
    )


def price_new_models(models: Iterable[tuple[str, str]], prices: PriceBook) -> int:
    """Add catalog prices for those (model, provider) that have no price at all; return how many were added."""
    now = to_micros(timezone.now())
    missing = sorted({(model, provider) for model, provider in models if prices.find(model, now) is None})
    rows = {model: row for model, provider in missing if (row := _catalog_price(model, provider))}
    ModelPrice.objects.bulk_create(rows.values(), ignore_conflicts=True)
    return len(rows)


def price_unpriced() -> int:
    """Price records that had no price when they came and have one now; return how many."""
    prices = load_prices()
    unpriced = UsageRecord.objects.filter(cost_nanousd=None)
    priced = 0
    for model_id, name in ModelName.objects.filter(pk__in=unpriced.values("model")).values_list("pk", "name"):
        last = 0
        while prices.knows(name) and (chunk := _price_chunk(prices, name, model_id, after=last)):
            last, count = chunk
            priced += count
    return priced


def _price_chunk(prices: PriceBook, model: str, model_id: int, *, after: int) -> tuple[int, int] | None:
    """Price a chunk of the unpriced records of one model; return the last id seen and how many now have a price.

    The rows are locked: of two processes that do this at once, each record is added to the rollup by one.
    """
    with transaction.atomic():
        rows = UsageRecord.objects.select_for_update().filter(model=model_id, cost_nanousd=None, pk__gt=after)
        records = list(rows.order_by("pk")[:_CHUNK])
        found = [record for record in records if _apply_price(prices, model, record)]
        UsageRecord.objects.bulk_update(found, ["cost_nanousd", "price"])
        rollup.add(_priced_sums(found))
    return (records[-1].pk, len(found)) if records else None


def _apply_price(prices: PriceBook, model: str, record: UsageRecord) -> bool:
    price = prices.find(model, to_micros(record.requested_at))
    if price:
        record.cost_nanousd = price.cost(Buckets(*(getattr(record, name) for name in rollup.TOKENS)))
        record.price_id = price.id
    return price is not None


def _priced_sums(records: Iterable[UsageRecord]) -> dict[rollup.Key, list[int]]:
    """What newly priced records add to the rollup, in the order of rollup.SUMS."""
    sums: dict[rollup.Key, list[int]] = {}
    for record in records:
        key = (rollup.HOURLY.start_of(to_micros(record.requested_at)), record.source_id, record.model_id)
        row = sums.setdefault(key, [0] * len(rollup.SUMS))
        for at, value in zip((-3, -2, -1), (1, record.total_tokens, record.cost_nanousd or 0), strict=True):
            row[at] += value
    return sums


def _nano_per_thousand(usd_per_million: Decimal) -> int:
    return int(usd_per_million * UsdPerMillionField.SCALE)


@lru_cache(maxsize=10_000)
def _catalog_price(model: str, provider: str) -> ModelPrice | None:
    """Return the catalog's price for `model`, unsaved, or None where it knows none that fits our columns."""
    found = _find_in_catalog(model, provider)
    if found is None:
        return None
    amounts = {ours: _base_amount(getattr(found, theirs, None)) for ours, theirs in _CATALOG_AMOUNTS.items()}
    if amounts["input"] is None or amounts["output"] is None:
        return None
    return ModelPrice(pattern=model, origin=ModelPrice.Origin.CATALOG, **amounts)


_CATALOG_AMOUNTS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}


def _find_in_catalog(model: str, provider: str) -> Any:
    """Try the provider's own list, then the vendor that the name begins with, then all lists."""
    # 40 MB that only a process which meets a new model needs.
    from genai_prices.data_snapshot import get_snapshot

    catalog = get_snapshot()
    name = _EFFORT.sub("", model)
    vendor, _, bare = name.rpartition("/")
    provider = _CATALOG_PROVIDERS.get(provider.removeprefix(COMPATIBLE_PREFIX), "")
    for model_ref, provider_id in ((name, provider), (name, None), (bare, vendor), (bare, None)):
        if provider_id == "":
            continue
        try:
            _, info = catalog.find_provider_model(model_ref, None, provider_id, None)
        except LookupError:
            continue
        return info.get_prices(datetime.now(UTC))
    return None


def _base_amount(amount: Any) -> Decimal | None:
    """USD per 1M tokens; of a tiered price the base tier, since a ModelPrice has one."""
    base = getattr(amount, "base", amount)
    return None if base is None else Decimal(base).quantize(Decimal("0.000001"))
