"""What genai-prices knows of a model, as prices of ours: a row for each service tier, time of day, threshold and date.

It runs in the process that asks the catalog, so nothing here needs Django.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from usage.accounting.hours import ALL_DAY, DAY, Hours, parts
from usage.accounting.pricing import Price

# Theirs are USD per 1M tokens and per 1,000 requests, ours nano-USD per 1,000 tokens and per request: the same factor.
_UNITS = 1_000_000
_COLUMNS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
    "per_request": "requests_kcount",
}
_EPOCH = date(1970, 1, 1)
_TIER = "service_tier"

_Amounts = dict[str, int | None]


def prices_of(info: ModelInfo, pattern: str) -> list[Price]:
    """Return the prices of `info` under the name of `pattern`; none where at any time it has none for input or output.

    Prices are rounded half up to the millionth of a dollar per 1M tokens.
    """
    info = _without_what_is_left_out(info)
    if any(None in (one.prices.input_mtok, one.prices.output_mtok) for one in _conditional(info)):
        return []
    hours = [ALL_DAY, *parts(_hours(info))]
    plain = {one: _sets(info, None, one) for one in hours}
    prices = list(_rows_of_tier(pattern, "", plain, _EPOCH))
    for tier in sorted({variant.when[_TIER] for variant in info.price_variants or ()}):
        sets = {one: _sets(info, {_TIER: tier}, one) for one in hours}
        first = next(
            (day for day in sets[ALL_DAY] if any(sets[one][day] != plain[one][day] for one in hours)), date.max
        )
        prices += _rows_of_tier(pattern, tier, sets, first)
    return prices


def left_out(info: ModelInfo) -> set[str]:
    """Name what no price of ours can say: units that CPA does not report, and conditions but service tiers."""
    every = [one.prices for one in (*_conditional(info), *(info.price_variants or ()))]
    units = {key for one in every for key, amount in vars(one).items() if amount is not None} - set(_COLUMNS.values())
    conditions = {
        ", ".join(f"{key}={value}" for key, value in sorted(variant.when.items()))
        for variant in info.price_variants or ()
        if set(variant.when) != {_TIER}
    }
    return {f"unit {key}" for key in units} | conditions


def _without_what_is_left_out(info: ModelInfo) -> ModelInfo:
    return replace(info, price_variants=[one for one in info.price_variants or () if set(one.when) == {_TIER}])


def _all_day(info: ModelInfo) -> ModelInfo:
    """Return what it costs where no time of day counts."""
    dated = [one for one in _conditional(info) if not isinstance(one.constraint, TimeOfDateConstraint)]
    variants = [one for one in info.price_variants or () if not isinstance(one.constraint, TimeOfDateConstraint)]
    return replace(info, prices=dated, price_variants=variants)


def _conditional(info: ModelInfo) -> list[ConditionalPrice]:
    return [ConditionalPrice(prices=info.prices)] if isinstance(info.prices, ModelPrice) else info.prices


def _constraints(info: ModelInfo) -> list[object]:
    return [one.constraint for one in (*_conditional(info), *(info.price_variants or ()))]


def _hours(info: ModelInfo) -> Iterator[Hours]:
    for one in _constraints(info):
        if isinstance(one, TimeOfDateConstraint):
            yield Hours(_clock(one.start_time), _clock(one.end_time))


def _clock(moment: time) -> int:
    """Return microseconds after midnight UTC; a time without a zone is UTC."""
    since = datetime.combine(_EPOCH, moment.replace(tzinfo=moment.tzinfo or UTC)) - datetime.combine(
        _EPOCH, time(), UTC
    )
    return since // timedelta(microseconds=1) % DAY


def _sets(info: ModelInfo, context: dict[str, str] | None, hours: Hours) -> dict[date, ModelPrice]:
    """Return the prices in force at these hours from each date on which any of the model changes, in order."""
    starts = {one.start_date for one in _constraints(info) if isinstance(one, StartDateConstraint)}
    info = _all_day(info) if hours == ALL_DAY else info
    clock = timedelta(microseconds=hours.since)
    return {
        day: info.get_prices(datetime.combine(day, time(), UTC) + clock, context) for day in sorted({_EPOCH, *starts})
    }


def _rows_of_tier(pattern: str, tier: str, sets: dict[Hours, dict[date, ModelPrice]], first: date) -> Iterator[Price]:
    """Yield the rows from `first` on. Those of a time of day count before those of all day, also before later ones: once
    there are any, there are some for all that follows.
    """
    for hours, of_hours in sets.items():
        since = first
        if hours != ALL_DAY:
            since = next((day for day in of_hours if day >= first and of_hours[day] != sets[ALL_DAY][day]), date.max)
        yield from _rows(pattern, tier, hours, {day: one for day, one in of_hours.items() if day >= since})


def _rows(pattern: str, tier: str, hours: Hours, sets: dict[date, ModelPrice]) -> Iterator[Price]:
    """Yield a row for each threshold and each date on which its amounts change.

    A row above a threshold counts before those below it, also before later ones. So each threshold that is there once
    has rows for all that follows; before, it has what those below it have.
    """
    thresholds = sorted({0, *(start for one in sets.values() for start in _thresholds(one))})
    for below, above in zip([None, *thresholds], thresholds, strict=False):
        before: _Amounts | None = None
        for day, one in sets.items():
            amounts = _amounts(one, above)
            if amounts != (_amounts(one, below) if before is None and below is not None else before):
                before = amounts
                yield _price(pattern, tier, hours, above, day, amounts)


def _thresholds(prices: ModelPrice) -> Iterator[int]:
    for key in _COLUMNS.values():
        if isinstance(amount := getattr(prices, key), TieredPrices):
            yield from (tier.start for tier in amount.tiers)


def _amounts(prices: ModelPrice, above: int) -> _Amounts:
    """Return what requests with more input than `above` pay, by our columns."""
    return {ours: _units(getattr(prices, theirs), above) for ours, theirs in _COLUMNS.items()}


def _units(amount: Decimal | TieredPrices | None, above: int) -> int | None:
    if isinstance(amount, TieredPrices):
        reached = [amount.base, *(tier.price for tier in amount.tiers if tier.start <= above)]
        amount = reached[-1]
    return None if amount is None else int((amount * _UNITS).to_integral_value(ROUND_HALF_UP))


def _price(pattern: str, tier: str, hours: Hours, above: int, day: date, amounts: _Amounts) -> Price:
    since = (day - _EPOCH) // timedelta(microseconds=1)
    given: dict[str, Any] = amounts | {"per_request": amounts["per_request"] or 0}
    return Price(
        pattern, service_tier=tier, daily_from=hours.since, daily_until=hours.until, above_input_tokens=above,
        effective_from=since, **given,
    )  # fmt: skip
