"""How far a sum of costs can be trusted: what its badge says (`ui.md` 6: M14, M32, M33)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from channels_app.stats.channels import ModelRow
from channels_app.stats.usage import Usage

# Of a thousand tokens: what is missing beyond that nobody sees in a sum.
_SURE = 995
_SHOWN = 10


class Unpriced(NamedTuple):
    """A model of which requests have no price, and how many requests and tokens these are."""

    model: str
    requests: int
    tokens: int


@dataclass
class Confidence:
    """Of the cost of `usage`, which is that of `models` (one may be there several times)."""

    usage: Usage
    models: Iterable[ModelRow]

    @property
    def level(self) -> str:
        """`sure`, `partial` or `unpriced`; empty where there are no tokens to be priced."""
        priced, total = self.usage.priced_tokens, self.usage.total_tokens
        if not total:
            return ""
        if 1_000 * priced >= _SURE * total:
            return "sure"
        return "unpriced" if self.usage.cost is None else "partial"

    @property
    def coverage(self) -> float | None:
        return self.usage.price_coverage

    @cached_property
    def all_unpriced(self) -> list[Unpriced]:
        """The ones with most tokens first."""
        requests, tokens = Counter[str](), Counter[str]()
        for row in self.models:
            requests[row.name] += row.usage.requests - row.usage.priced_requests
            tokens[row.name] += row.usage.total_tokens - row.usage.priced_tokens
        found = [Unpriced(name, number, tokens[name]) for name, number in requests.items() if number]
        return sorted(found, key=lambda one: (-one.tokens, -one.requests, one.model))

    @property
    def unpriced(self) -> list[Unpriced]:
        return self.all_unpriced[:_SHOWN]

    @property
    def more_unpriced(self) -> int:
        return len(self.all_unpriced) - len(self.unpriced)

    @property
    def without_usage(self) -> float | None:
        """Share of requests that succeeded and told no tokens."""
        return self._share(self.usage.without_usage)

    @property
    def complete(self) -> float | None:
        return self._share(self.usage.complete_requests)

    @property
    def estimated(self) -> float | None:
        return self._share(self.usage.estimated_requests)

    @property
    def unclassified(self) -> float | None:
        return self._share(self.usage.unclassified_requests)

    @property
    def inconsistent(self) -> float | None:
        return self._share(self.usage.inconsistent_requests)

    def _share(self, requests: int) -> float | None:
        return requests / self.usage.requests if self.usage.requests else None
