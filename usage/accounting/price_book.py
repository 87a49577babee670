"""Which of all prices a request has, and why not another."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from usage.accounting.pricing import Price

# Clients choose the names of models and tiers, and a collector lives for months: for so many the choice is remembered.
_MOST_CHOICES = 20_000

# What is compared with the input and the time of a request, and the price of those that are above the one and not before
# the other.
_Choice = tuple[int, int, Price]


class Verdict(enum.StrEnum):
    """What became of a price whose pattern fits the model."""

    WINS = "wins"
    # Conditions that the request does not fulfil.
    OTHER_PROVIDER = "other_provider"
    OTHER_TIER = "other_tier"
    INPUT_TOO_SHORT = "input_too_short"
    NOT_YET = "not_yet"
    # Fulfilled, but behind the one that wins; in the order in which they count.
    PATTERN_BEHIND = "pattern_behind"
    ANY_PROVIDER = "any_provider"
    ANY_TIER = "any_tier"
    LOWER_THRESHOLD = "lower_threshold"
    OLDER = "older"


_BEHIND = (
    Verdict.PATTERN_BEHIND, Verdict.ANY_PROVIDER, Verdict.ANY_TIER, Verdict.LOWER_THRESHOLD, Verdict.OLDER,
)  # fmt: skip


class Judged(NamedTuple):
    price: Price
    verdict: Verdict


class PriceBook:
    """All prices, by precedence. Of those whose conditions a request fulfils, the first wins:

    1. an exact name before a pattern, a longer pattern before a shorter one;
    2. one for its provider before one for any;
    3. one for its service tier before one for any;
    4. the highest of the thresholds that its input is above: all of its tokens have that price, not only those above;
    5. the last that came into force.

    So a more specific pattern wins by any of its rows: one without a tier before a shorter pattern's with that tier.
    Words are compared without regard to case.
    """

    def __init__(self, prices: Iterable[Price]) -> None:
        by_pattern: dict[str, list[Price]] = {}
        for price in sorted(prices, key=_precedence):
            by_pattern.setdefault(price.pattern.lower(), []).append(price)
        self._exact = {pattern: rows for pattern, rows in by_pattern.items() if "*" not in pattern}
        self._wildcards = [
            (re.compile(_expression(pattern), re.DOTALL), rows)
            for pattern, rows in by_pattern.items()
            if "*" in pattern
        ]
        self._choices: dict[tuple[str, str, str], list[_Choice]] = {}

    def find(
        self, model: str, at: int, provider: str = "", service_tier: str = "", input_tokens: int = 0
    ) -> Price | None:
        """Return the price of a request at `at` (microseconds since 1970 UTC), or None: it is unpriced.

        `service_tier` is the one billed, else the one asked for; `input_tokens` are all, also those from and to the cache.
        """
        choices = self._choices.get((model, provider, service_tier))
        if choices is None:
            choices = self._remember(model, provider, service_tier)
        for above, since, price in choices:
            if since <= at and input_tokens > above:
                return price
        return None

    def explain(
        self, model: str, at: int, provider: str = "", service_tier: str = "", input_tokens: int = 0
    ) -> list[Judged]:
        """Return all prices whose pattern fits `model`, in their order, and what became of each at such a request."""
        winner, judged = self.find(model, at, provider, service_tier, input_tokens), list[Judged]()
        for price in self._fitting(model):
            verdict = _obstacle(price, at, provider, service_tier, input_tokens)
            judged.append(Judged(price, verdict or _standing(price, winner or price)))
        return judged

    def knows(self, model: str) -> bool:
        """Whether there is a price for `model` under any conditions."""
        return bool(self._fitting(model))

    def contenders(self, model: str, since: int, until: int) -> list[Price]:
        """Return the prices that some request of `model` in this time may have, by precedence.

        The others are behind one whose conditions all their requests fulfil.
        """
        found = list[Price]()
        for price in self._fitting(model):
            if price.effective_from < until and not any(_covers(first, price, since) for first in found):
                found.append(price)
        return found

    def _remember(self, model: str, provider: str, service_tier: str) -> list[_Choice]:
        if len(self._choices) > _MOST_CHOICES:
            self._choices.clear()
        choices = self._choices[model, provider, service_tier] = [
            (price.above_input_tokens or -1, price.effective_from, price)
            for price in self._fitting(model)
            if _is_for(price.provider, provider) and _is_for(price.service_tier, service_tier)
        ]
        return choices

    def _fitting(self, model: str) -> list[Price]:
        """Return all prices of `model`, by precedence."""
        name = model.lower()
        fitting = (rows for pattern, rows in self._wildcards if pattern.fullmatch(name))
        return list(chain(self._exact.get(name, ()), *fitting))


def _precedence(price: Price) -> tuple[tuple[bool, int, str], bool, bool, int, int]:
    """The smallest comes first; its parts are the criteria, as _BEHIND names them."""
    pattern = price.pattern.lower()
    specific = ("*" in pattern, -len(pattern), pattern)
    return specific, not price.provider, not price.service_tier, -price.above_input_tokens, -price.effective_from


def _is_for(condition: str, word: str) -> bool:
    return not condition or condition.lower() == word.lower()


def _covers(first: Price, price: Price, since: int) -> bool:
    """Whether each request from `since` on that fulfils the conditions of `price` fulfils those of `first`."""
    return (
        _is_for(first.provider, price.provider)
        and _is_for(first.service_tier, price.service_tier)
        and first.above_input_tokens <= price.above_input_tokens
        and first.effective_from <= max(since, price.effective_from)
    )


def _obstacle(price: Price, at: int, provider: str, service_tier: str, input_tokens: int) -> Verdict | None:
    if not _is_for(price.provider, provider):
        return Verdict.OTHER_PROVIDER
    if not _is_for(price.service_tier, service_tier):
        return Verdict.OTHER_TIER
    if price.above_input_tokens and input_tokens <= price.above_input_tokens:
        return Verdict.INPUT_TOO_SHORT
    return Verdict.NOT_YET if price.effective_from > at else None


def _standing(price: Price, winner: Price) -> Verdict:
    """Tell the first criterion by which `winner` comes before `price`."""
    if price is winner:
        return Verdict.WINS
    criteria = zip(_BEHIND, _precedence(price), _precedence(winner), strict=True)
    return next((verdict for verdict, ours, best in criteria if ours != best), Verdict.OLDER)


def _expression(pattern: str) -> str:
    """`*` fits anything; every other character stands for itself."""
    return ".*".join(re.escape(part) for part in pattern.split("*"))
