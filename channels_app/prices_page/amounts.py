"""The amounts of a price, with their names."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from usage.models import ModelPrice

_COLUMNS = ("input", "cached_input", "cache_write", "output", "reasoning")


def amounts(price: ModelPrice) -> Iterator[tuple[str, Decimal]]:
    """Yield those that are given, in USD per 1M tokens."""
    for column in _COLUMNS:
        if (amount := getattr(price, column)) is not None:
            yield column_name(column), amount


def column_name(column: str) -> str:
    return str(ModelPrice._meta.get_field(column).verbose_name)  # type: ignore[union-attr]
