"""Which rows bring what is known of a model up to what the catalog says now. No row is changed: history stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from usage.accounting.hours import ALL_DAY, Hours, parts
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.ingest.catalog_answers import Answer
from usage.models import ModelPrice


def additions(known: Sequence[ModelPrice], answer: Answer, now: int) -> list[Price]:
    """Return the rows to be added at `now` (microseconds since 1970 UTC); `known` are those of the same pattern.

    What the catalog says of other times comes as it stands there; what it says otherwise of now, as a price from now on.
    """
    known = [row for row in known if row.price.is_for_all]
    if not _are_of(answer, known, now):
        return []
    decided, there = _decided(known), [row.price for row in known]
    taken = set(map(_conditions, there))
    new = [price for price in answer.prices if _conditions(price) not in taken]
    left = [price for price in new if not _is_decided(price, decided)]
    return left + [price for price in _changes([*there, *left], answer, now) if not _is_decided(price, decided)]


def _are_of(answer: Answer, known: Sequence[ModelPrice], now: int) -> bool:
    """Whether what the catalog said before was of the same model of the same vendor: another's price is no change.

    Rows that do not tell their catalog name are of before there was that column; then equal prices are taken for it.
    """
    said = [row for row in known if row.origin == ModelPrice.Origin.CATALOG]
    names = {row.catalog_name for row in said} - {""}
    if names or not said:
        return not names or answer.name in names
    ours, theirs = (
        PriceBook(prices).find(said[0].pattern, now) for prices in ([row.price for row in said], answer.prices)
    )
    return _cost_the_same(ours, theirs)


def _decided(known: Sequence[ModelPrice]) -> dict[str, int]:
    """Since when (microseconds since 1970 UTC) a person has decided on each tier; the empty one is the whole model."""
    decided: dict[str, int] = {}
    for row in known:
        if row.locked:
            tier, since = row.service_tier.lower(), row.price.effective_from
            decided[tier] = min(since, decided.get(tier, since))
    return decided


def _is_decided(price: Price, decided: dict[str, int]) -> bool:
    """What comes before a person's price must end with it, which only a plain row of the same tier does."""
    return any(
        tier != price.service_tier or not _is_plain(price) or price.effective_from >= decided[tier]
        for tier in {"", price.service_tier} & decided.keys()
    )


def _is_plain(price: Price) -> bool:
    return price.is_all_day and not price.above_input_tokens


def _changes(prices: Sequence[Price], answer: Answer, now: int) -> list[Price]:
    """Return a price from now on for all conditions under which `prices` differ now from the catalog's.

    Where there are times of day, each part of the day is compared by itself, after what holds all day.
    """
    ours, found = list(prices), list[Price]()
    conditions = sorted({(price.service_tier, price.above_input_tokens) for price in (*prices, *answer.prices)})
    for hours in (ALL_DAY, *parts(price.hours for price in (*prices, *answer.prices))):
        for tier, above in conditions:
            known, said = (_in_force(some, hours, tier, above, now) for some in (ours, answer.prices))
            if said and not _cost_the_same(known, said):
                found.append(replace(
                    said, service_tier=tier, daily_from=hours.since, daily_until=hours.until, above_input_tokens=above,
                    effective_from=now,
                ))  # fmt: skip
                ours.append(found[-1])
    return found


def _in_force(prices: Sequence[Price], hours: Hours, tier: str, above: int, now: int) -> Price | None:
    """Return what counts at these hours next; of all day it is what counts where no time of day does."""
    book = PriceBook(price for price in prices if price.is_all_day or hours != ALL_DAY)
    return book.find(prices[0].pattern, hours.next(now), "", tier, above + 1) if prices else None


def _conditions(price: Price) -> tuple[str, int, int, int, int]:
    return (
        price.service_tier, price.daily_from, price.daily_until, price.above_input_tokens, price.effective_from,
    )  # fmt: skip


def _cost_the_same(one: Price | None, other: Price | None) -> bool:
    return bool(one and other and (one.rates, one.per_request) == (other.rates, other.per_request))
