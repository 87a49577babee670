"""`python -m tests.catalog_comparison`: our cost of seeded usages against genai-prices' own calculator, to the nano-dollar.

A process of its own, since the catalog takes 40 MB and no process of ours holds it.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from usage.accounting.price_book import PriceBook
from usage.accounting.tokens import Buckets
from usage.ingest.catalog_prices import (
    _COLUMNS,
    _conditional,
    _constraints,
    left_out,
    prices_of,
)

TIERS = ("", "default", "auto", "priority", "flex", "fast", "scale")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Prices that a model has in parts of a millionth of a dollar per 1M tokens, which we round.
FINER = "finer than a millionth"


@dataclass
class Case:
    info: ModelInfo
    provider: Provider
    at: datetime
    tier: str
    buckets: Buckets

    def theirs(self) -> int:
        """Nano-USD as their calculator says, rounded half up once."""
        used = self.buckets
        usage = Usage(
            input_tokens=used.total_input, cache_read_tokens=used.cache_read, cache_write_tokens=used.cache_write,
            output_tokens=used.output + used.reasoning, output_reasoning_tokens=used.reasoning,
        )  # fmt: skip
        context = {"service_tier": self.tier} if self.tier else None
        said = self.info.calc_price(usage, self.provider, genai_request_timestamp=self.at, price_context=context)
        return int((said.total_price * 10**9).to_integral_value(ROUND_HALF_UP))

    def ours(self, book: PriceBook) -> int | None:
        at = (self.at - EPOCH) // timedelta(microseconds=1)
        price = book.find(self.info.id, at, "", self.tier, self.buckets.total_input)
        return price.cost(self.buckets) if price else None


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--each", type=int, default=200, help="usages of each model")
    parser.add_argument("--models", type=int, help="of so many models instead of all")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random = Random(asked.seed)
    models = [(provider, info) for provider in get_snapshot().providers for info in provider.models]
    left = Counter(what for _provider, info in models for what in left_out(info))
    if asked.models:
        models = random.sample(models, asked.models)
    json.dump({"left out": dict(left.most_common()), **compare(models, asked.each, random)}, sys.stdout, indent=1)


def compare(models: list[tuple[Provider, ModelInfo]], each: int, random: Random) -> dict[str, Any]:
    counts: Counter[str] = Counter(models=len(models))
    differing: list[str] = []
    for provider, info in models:
        prices = prices_of(info, info.id)
        book = PriceBook(prices)
        if not prices:
            counts["models without a price for input and output"] += 1
            continue
        counts["models compared"] += 1
        counts[f"models with prices {FINER}"] += is_finer(info)
        counts["rows"] += len(prices)
        for case in cases(info, provider, each, random):
            counts["cases"] += 1
            ours, theirs = case.ours(book), case.theirs()
            if ours == theirs:
                counts["equal"] += 1
            elif reason := explanation(case, (ours or 0) - theirs):
                counts[reason] += 1
            else:
                differing.append(
                    f"{provider.id}/{info.id} {case.at} {case.tier!r} {case.buckets}: {ours}, not {theirs}"
                )
    return {"counts": counts, "unexplained": differing[:20]}


def explanation(case: Case, difference: int) -> str | None:
    """Why this case may differ, or None: it may not."""
    # Half a millionth of a dollar per 1M tokens is half a nano-dollar per 1,000 tokens.
    if is_finer(case.info) and abs(difference) <= case.buckets.total / 2_000 + 1:
        return FINER
    return None


def is_finer(info: ModelInfo) -> bool:
    return any(
        amount * 10**6 != int(amount * 10**6)
        for one in (*_conditional(info), *(info.price_variants or ()))
        for key in _COLUMNS.values()
        for amount in _parts(getattr(one.prices, key))
    )


def _parts(amount: Decimal | TieredPrices | None) -> list[Decimal]:
    if isinstance(amount, TieredPrices):
        return [amount.base, *(tier.price for tier in amount.tiers)]
    return [] if amount is None else [amount]


def cases(info: ModelInfo, provider: Provider, each: int, random: Random) -> Iterator[Case]:
    """Half of them at a threshold or just above it, and around the dates and times of day at which prices change."""
    thresholds = sorted({
        tier.start
        for one in (*_conditional(info), *(info.price_variants or ()))
        for key in _COLUMNS.values()
        if isinstance(amount := getattr(one.prices, key), TieredPrices)
        for tier in amount.tiers
    })  # fmt: skip
    clocks = [
        clock
        for one in _constraints(info)
        if isinstance(one, TimeOfDateConstraint)
        for clock in (one.start_time, one.end_time)
    ]
    starts = [one.start_date for one in _constraints(info) if isinstance(one, StartDateConstraint)]
    for _ in range(each):
        at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(4 * 365 * 86_400))
        if starts and random.random() < 0.5:
            first = datetime.combine(random.choice(starts), datetime.min.time(), UTC)
            at = first + timedelta(seconds=random.choice([-1, 0, 1, -86_400, 86_400]))
        if clocks and random.random() < 0.5:
            edge = datetime.combine(at, random.choice(clocks), UTC)
            at = edge + timedelta(microseconds=random.choice([-60_000_000, -1, 0, 1, 60_000_000]))
        total = random.choice([0, 1, random.randrange(1_000), random.randrange(10**6), random.randrange(10**9)])
        if thresholds and random.random() < 0.5:
            total = random.choice(thresholds) + random.choice([-1, 0, 1, 2])
        read = random.randint(0, total) if random.random() < 0.7 else 0
        write = random.randint(0, total - read) if random.random() < 0.5 else 0
        output, reasoning = random.randrange(10**5), random.choice([0, random.randrange(10**5)])
        yield Case(
            info, provider, at, random.choice(TIERS), Buckets(total - read - write, read, write, output, reasoning)
        )


if __name__ == "__main__":
    main()
