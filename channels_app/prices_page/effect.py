"""What another price does to costs: of the last 30 days, told before, and of a longer time, booked.

Both only where somebody who waits for the page gets an answer: else `manage.py reprice` does it, which can take its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from channels_app.prices_page.recent import recent, used
from channels_app.stats import Conditions
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.ingest.prices import load_multipliers
from usage.ingest.repricing import Change, Scope, Step, preview, reprice
from usage.models import ModelPrice, PriceMultiplier

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
    scope = Scope(found.span.since, found.span.until, models)
    book = PriceBook((row.price for row in prices), load_multipliers())
    return _effect(models, sum(found.models[model].requests for model in models), found.requests, scope, book)


def effect_on(sources: Collection[int], multipliers: Iterable[PriceMultiplier], now: datetime) -> Effect:
    """Tell what the requests of these sources in the last 30 days would cost if these were all `multipliers`."""
    found, theirs = recent(now), recent(now, Conditions(sources=frozenset(sources)))
    scope = Scope(found.span.since, found.span.until, sources=sources)
    book = PriceBook((row.price for row in ModelPrice.objects.all()), (row.multiplier for row in multipliers))
    return _effect(list(theirs.models), theirs.requests, found.requests, scope, book)


def recalculate(patterns: Iterable[str], since: datetime, now: datetime) -> Change | None:
    """Book the prices of now to the requests since then; None: they are too many, and nothing was done."""
    found = used(since, now)
    models = fitting(patterns, found.models)
    if not _is_quick(sum(found.models[model].requests for model in models), found.requests):
        return None
    return _sum(reprice(Scope(found.span.since, models=models)))


def recalculate_sources(sources: Collection[int], since: datetime, now: datetime) -> Change | None:
    """The same for the requests of these sources."""
    found, theirs = used(since, now), used(since, now, Conditions(sources=frozenset(sources)))
    if not _is_quick(theirs.requests, found.requests):
        return None
    return _sum(reprice(Scope(found.span.since, sources=sources)))


def _effect(models: list[str], requests: int, read: int, scope: Scope, book: PriceBook) -> Effect:
    if not _is_quick(requests, read):
        return Effect(models, requests)
    present, then = _sum(preview(scope)), _sum(preview(scope, book))
    return Effect(
        models, requests, True, present.before, present.after, then.after, present.unpriced_after, then.unpriced_after
    )  # fmt: skip


def _is_quick(priced: int, read: int) -> bool:
    """No index leads to the records of one model or source: all of the time are read."""
    return priced <= _MOST_PRICED and read <= _MOST_READ


def _sum(steps: Iterable[Step]) -> Change:
    total = Change()
    for step in steps:
        for change in step.changes.values():
            total.add(change)
    return total
