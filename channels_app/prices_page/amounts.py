"""The amounts of a price or multiplier, with their names."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from usage.models import ModelPrice, PriceMultiplier

_COLUMNS = ("input", "cached_input", "cache_write", "output", "reasoning")
_FACTOR = "factor"


def amounts(row: ModelPrice | PriceMultiplier) -> Iterator[tuple[str, Decimal]]:
    """Yield those that are given, in USD per 1M tokens, or the factor."""
    for column in _COLUMNS if isinstance(row, ModelPrice) else [_FACTOR]:
        if (amount := getattr(row, column)) is not None:
            yield column_name(column), amount


def column_name(column: str) -> str:
    field = (PriceMultiplier if column == _FACTOR else ModelPrice)._meta.get_field(column)
    return str(field.verbose_name)  # type: ignore[union-attr]
