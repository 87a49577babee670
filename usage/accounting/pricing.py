"""What a record costs: the price in force, and integer money."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from usage.accounting.tokens import Buckets

_TOKENS_PER_PRICE = 1_000
_MOST_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-USD per 1,000 tokens, in force from `effective_from` (microseconds since 1970 UTC) on.

    1 nano-USD per 1,000 tokens is 0.000001 USD per 1M tokens. An empty cache price is the input price.
    """

    pattern: str
    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    effective_from: int = 0
    id: int | None = None

    def cost(self, buckets: Buckets) -> int:
        """Return the cost of `buckets` in nano-USD, rounded half up once.

        Reasoning is output; what is unclassified is taken as input, the cheaper guess (contract F).
        """
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        thousandths = (
            (buckets.uncached_input + buckets.unclassified) * self.input
            + buckets.cache_read * cached_input
            + buckets.cache_write * cache_write
            + (buckets.output + buckets.reasoning) * self.output
        )
        return (thousandths + _TOKENS_PER_PRICE // 2) // _TOKENS_PER_PRICE


class PriceBook:
    """All prices, by precedence: an exact name before a pattern, a longer pattern before a shorter one.

    Among rows of one pattern the last that was in force counts.
    """

    def __init__(self, prices: Iterable[Price]) -> None:
        by_pattern: dict[str, list[Price]] = {}
        for price in sorted(prices, key=lambda price: -price.effective_from):
            by_pattern.setdefault(price.pattern.lower(), []).append(price)
        self._exact = {pattern: rows for pattern, rows in by_pattern.items() if "*" not in pattern}
        self._wildcards = [
            (re.compile(_expression(pattern), re.DOTALL), by_pattern[pattern])
            for pattern in sorted(by_pattern.keys() - self._exact.keys(), key=lambda pattern: (-len(pattern), pattern))
        ]
        self._found: dict[str, list[Price]] = {}

    def find(self, model: str, at: int) -> Price | None:
        """Return the price of `model` in force at `at` (microseconds since 1970 UTC), or None: it is unpriced."""
        for price in self._candidates(model):
            if price.effective_from <= at:
                return price
        return None

    def knows(self, model: str) -> bool:
        """Whether there is a price for `model` at any time."""
        return bool(self._candidates(model))

    def _candidates(self, model: str) -> list[Price]:
        """Return all prices of `model`, by precedence. Clients choose names: so many are remembered."""
        found = self._found.get(model)
        if found is None:
            if len(self._found) > _MOST_NAMES:
                self._found.clear()
            name = model.lower()
            fitting = (rows for pattern, rows in self._wildcards if pattern.fullmatch(name))
            found = self._found[model] = list(chain(self._exact.get(name, ()), *fitting))
        return found


def _expression(pattern: str) -> str:
    """`*` fits anything; every other character stands for itself."""
    return ".*".join(re.escape(part) for part in pattern.split("*"))
