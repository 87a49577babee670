"""The currency in which pages show money: all of it is kept in USD, and shown in CNY at a rate that the operator sets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

# Far beyond any rate there was, and few enough digits that nano-USD times a rate is exact.
_MOST_PER_USD, _MOST_DECIMALS = 10_000, 6


class Currency(NamedTuple):
    """`per_usd` is what a USD is worth, on `rate_date`; of USD itself there is no date."""

    code: str
    symbol: str
    per_usd: Decimal = Decimal(1)
    rate_date: date | None = None


USD = Currency("USD", "$")


def read_currency(code: str, cny_per_usd: str, cny_rate_date: str) -> Currency:
    """Return what CURRENCY, CNY_PER_USD and CNY_RATE_DATE say. Raises ImproperlyConfigured."""
    match code.upper():
        case "" | "USD":
            return USD
        case "CNY":
            return Currency("CNY", "¥", _rate(cny_per_usd), _day(cny_rate_date))
    raise ImproperlyConfigured(f"CURRENCY={code}: pages show money in USD or in CNY")


def _rate(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 < rate < _MOST_PER_USD or round(rate, _MOST_DECIMALS) != rate:
        raise ImproperlyConfigured(
            f"CNY_PER_USD={text}: CURRENCY=CNY needs what a USD is worth, a number above 0 and below {_MOST_PER_USD} with "
            f"{_MOST_DECIMALS} decimals at most, such as CNY_PER_USD=7.12"
        )
    return rate


def _day(text: str) -> date:
    """Tomorrow has begun somewhere already."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.max
    if day > datetime.now(UTC).date() + timedelta(days=1):
        raise ImproperlyConfigured(
            f"CNY_RATE_DATE={text}: CURRENCY=CNY needs the day of its rate, not one to come, such as 2026-11-20"
        )
    return day
