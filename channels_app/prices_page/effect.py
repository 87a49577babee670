"""What another price does to costs: of the last 30 days, told before, and of a longer time, booked.

Both only where somebody who waits for the page gets an answer: else `manage.py reprice` does it, which can take its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from channels_app.prices_page.recent import Recent, recent, used
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.ingest.repricing import Change, Scope, Step, preview, reprice
from usage.models import ModelPrice

# About two seconds.
_MOST_PRICED, _MOST_READ = 20_000, 500_000


@dataclass(frozen=True, slots=True)
class Effect:
    """On the requests of `models`: what they cost as booked, by the prices of now, and by others (nano-USD).

    `is_known` is False where they are too many for a page. What is booked may be by earlier prices, so that only the other
    two tell what a change does.
    """

    models: list[str]
    requests: int = 0
    is_known: bool = False
    booked: int = 0
    before: int = 0
    after: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0


def fitting(patterns: Iterable[str], models: Iterable[str]) -> list[str]:
    """Return the `models` that one of the `patterns` fits."""
    book = PriceBook(Price(pattern, 0, 0) for pattern in patterns)
    return [model for model in models if book.knows(model)]


def effect_of(patterns: Iterable[str], prices: Iterable[ModelPrice], now: datetime) -> Effect:
    """Tell what the requests of the last 30 days would cost if these were all `prices`; `patterns` are of those that change."""
    found = recent(now)
    models = fitting(patterns, found.models)
    requests = sum(found.models[model].requests for model in models)
    if not _is_quick(found, models):
        return Effect(models, requests)
    scope = Scope(found.span.since, found.span.until, models)
    present, then = _sum(preview(scope)), _sum(preview(scope, PriceBook(price.price for price in prices)))
    return Effect(
        models, requests, True, present.before, present.after, then.after, present.unpriced_after, then.unpriced_after
    )  # fmt: skip


def recalculate(patterns: Iterable[str], since: datetime, now: datetime) -> Change | None:
    """Book the prices of now to the requests since then; None: they are too many, and nothing was done."""
    found = used(since, now)
    models = fitting(patterns, found.models)
    if not _is_quick(found, models):
        return None
    return _sum(reprice(Scope(found.span.since, models=models)))


def _is_quick(found: Recent, models: Collection[str]) -> bool:
    """No index leads to the records of one model: all of the time are read."""
    priced = sum(found.models[model].requests for model in models)
    return priced <= _MOST_PRICED and found.requests <= _MOST_READ


def _sum(steps: Iterable[Step]) -> Change:
    total = Change()
    for step in steps:
        for change in step.changes.values():
            total.add(change)
    return total
