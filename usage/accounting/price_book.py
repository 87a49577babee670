"""Which of all prices a request has, and why not another."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from usage.accounting.hours import Hours
from usage.accounting.multipliers import Multiplier, Multipliers
from usage.accounting.pricing import LIST_PRICE, Price

# Clients choose the names of models and tiers, and a collector lives for months: for so many the choice is remembered.
_MOST_CHOICES = 20_000

# What is compared with the input and the time of a request (None: any time of day), and the price of those that are above
# the one and not before the other.
_Choice = tuple[int, int, Hours | None, Price]


class Verdict(enum.StrEnum):
    """What became of a price whose pattern fits the model."""

    WINS = "wins"
    # Conditions that the request does not fulfil.
    OTHER_ACCOUNT = "other_account"
    OTHER_CHANNEL = "other_channel"
    OTHER_PROVIDER = "other_provider"
    OTHER_TIER = "other_tier"
    OTHER_HOURS = "other_hours"
    INPUT_TOO_SHORT = "input_too_short"
    NOT_YET = "not_yet"
    # Fulfilled, but behind the one that wins; in the order in which they count.
    PATTERN_BEHIND = "pattern_behind"
    ANY_ACCOUNT = "any_account"
    ANY_CHANNEL = "any_channel"
    ANY_PROVIDER = "any_provider"
    ANY_TIER = "any_tier"
    LONGER_HOURS = "longer_hours"
    LOWER_THRESHOLD = "lower_threshold"
    OLDER = "older"


_BEHIND = (
    Verdict.PATTERN_BEHIND, Verdict.ANY_ACCOUNT, Verdict.ANY_CHANNEL, Verdict.ANY_PROVIDER, Verdict.ANY_TIER,
    Verdict.LONGER_HOURS, Verdict.LOWER_THRESHOLD, Verdict.OLDER,
)  # fmt: skip


class Judged(NamedTuple):
    price: Price
    verdict: Verdict


class _Request(NamedTuple):
    at: int
    provider: str
    service_tier: str
    input_tokens: int
    channel: int | None
    account: int | None


class PriceBook:
    """All prices, by precedence. Of those whose conditions a request fulfils, the first wins:

    1. an exact name before a pattern, a longer pattern before a shorter one;
    2. one for its account before one for its channel, that before one for its provider, that before one for any;
    3. one for its service tier before one for any;
    4. one for its time of day before one for all day, a shorter time before a longer one;
    5. the highest of the thresholds that its input is above: all of its tokens have that price, not only those above;
    6. the last that came into force.

    So a more specific pattern wins by any of its rows: one without a tier before a shorter pattern's with that tier, and
    one for all accounts before a shorter pattern's for its account: what all models of an account cost less is a multiplier.
    Words are compared without regard to case. A request whose account or channel is unknown has the prices for any.
    """

    def __init__(self, prices: Iterable[Price], multipliers: Iterable[Multiplier] = ()) -> None:
        by_pattern: dict[str, list[Price]] = {}
        ordered = sorted(prices, key=_precedence)
        for price in ordered:
            by_pattern.setdefault(price.pattern.lower(), []).append(price)
        self._exact = {pattern: rows for pattern, rows in by_pattern.items() if "*" not in pattern}
        self._wildcards = [
            (re.compile(_expression(pattern), re.DOTALL), rows)
            for pattern, rows in by_pattern.items()
            if "*" in pattern
        ]
        self._multipliers = Multipliers(multipliers)
        # Others need not be told apart: there may be thousands.
        self._accounts = {price.account_id for price in ordered}
        self._channels = {price.channel_id for price in ordered}
        self._choices: dict[tuple[str, str, str, int | None, int | None, int], list[_Choice]] = {}

    def find(
        self, model: str, at: int, provider: str = "", service_tier: str = "", input_tokens: int = 0,
        channel: int | None = None, account: int | None = None,
    ) -> Price | None:  # fmt: skip
        """Return the price of a request at `at` (microseconds since 1970 UTC), or None: it is unpriced.

        `service_tier` is the one billed, else the one asked for; `input_tokens` are all, also those from and to the cache;
        `channel` and `account` are ids, None where they are not known. The price's `factor` is that of the account.
        """
        factor = self._multipliers.factor(at, channel, account) if self._multipliers else LIST_PRICE
        channel = channel if channel in self._channels else None
        account = account if account in self._accounts else None
        key = (model, provider, service_tier, channel, account, factor)
        choices = self._choices.get(key)
        if choices is None:
            choices = self._remember(*key)
        for above, since, hours, price in choices:
            if since <= at and input_tokens > above and (hours is None or hours.hold(at)):
                return price
        return None

    def explain(
        self, model: str, at: int, provider: str = "", service_tier: str = "", input_tokens: int = 0,
        channel: int | None = None, account: int | None = None,
    ) -> list[Judged]:  # fmt: skip
        """Return all prices whose pattern fits `model`, in their order, and what became of each at such a request."""
        request, winner, judged = (
            _Request(at, provider, service_tier, input_tokens, channel, account),
            None,
            list[Judged](),
        )
        for price in self.fitting(model):
            verdict = _obstacle(price, request)
            if verdict is None:
                winner = winner or price
                verdict = _standing(price, winner)
            judged.append(Judged(price, verdict))
        return judged

    def knows(self, model: str) -> bool:
        """Whether there is a price for `model` under any conditions."""
        return bool(self.fitting(model))

    def fitting(self, model: str) -> list[Price]:
        """Return all prices of `model`, by precedence."""
        name = model.lower()
        fitting = (rows for pattern, rows in self._wildcards if pattern.fullmatch(name))
        return list(chain(self._exact.get(name, ()), *fitting))

    def contenders(self, model: str, since: int, until: int) -> list[Price]:
        """Return the prices that some request of `model` in this time may have, by precedence.

        The others are behind one whose conditions all their requests fulfil.
        """
        found = list[Price]()
        for price in self.fitting(model):
            if price.effective_from < until and not any(_covers(first, price, since) for first in found):
                found.append(price)
        return found

    def _remember(
        self, model: str, provider: str, service_tier: str, channel: int | None, account: int | None, factor: int
    ) -> list[_Choice]:
        if len(self._choices) > _MOST_CHOICES:
            self._choices.clear()
        choices = self._choices[model, provider, service_tier, channel, account, factor] = [
            (
                price.above_input_tokens or -1, price.effective_from, None if price.is_all_day else price.hours,
                price if factor == LIST_PRICE else replace(price, factor=factor),
            )
            for price in self.fitting(model)
            if price.account_id in (None, account)
            and price.channel_id in (None, channel)
            and _is_for(price.provider, provider)
            and _is_for(price.service_tier, service_tier)
        ]  # fmt: skip
        return choices


def _precedence(price: Price) -> tuple[tuple[bool, int, str], bool, bool, bool, bool, tuple[int, int], int, int]:
    """The smallest comes first; its parts are the criteria, as _BEHIND names them."""
    pattern = price.pattern.lower()
    specific = ("*" in pattern, -len(pattern), pattern)
    whose = price.account_id is None, price.channel_id is None, not price.provider
    hours = price.hours.length, price.daily_from
    return specific, *whose, not price.service_tier, hours, -price.above_input_tokens, -price.effective_from


def _is_for(condition: str, word: str) -> bool:
    return not condition or condition.lower() == word.lower()


def _covers(first: Price, price: Price, since: int) -> bool:
    """Whether each request from `since` on that fulfils the conditions of `price` fulfils those of `first`."""
    return (
        first.account_id in (None, price.account_id)
        and first.channel_id in (None, price.channel_id)
        and _is_for(first.provider, price.provider)
        and _is_for(first.service_tier, price.service_tier)
        and (first.is_all_day or first.hours == price.hours)
        and first.above_input_tokens <= price.above_input_tokens
        and first.effective_from <= max(since, price.effective_from)
    )


def _obstacle(price: Price, request: _Request) -> Verdict | None:
    fulfilled = {
        Verdict.OTHER_ACCOUNT: price.account_id in (None, request.account),
        Verdict.OTHER_CHANNEL: price.channel_id in (None, request.channel),
        Verdict.OTHER_PROVIDER: _is_for(price.provider, request.provider),
        Verdict.OTHER_TIER: _is_for(price.service_tier, request.service_tier),
        Verdict.OTHER_HOURS: price.hours.hold(request.at),
        Verdict.INPUT_TOO_SHORT: not price.above_input_tokens or request.input_tokens > price.above_input_tokens,
        Verdict.NOT_YET: price.effective_from <= request.at,
    }
    return next((verdict for verdict, holds in fulfilled.items() if not holds), None)


def _standing(price: Price, winner: Price) -> Verdict:
    """Tell the first criterion by which `winner` comes before `price`."""
    if price is winner:
        return Verdict.WINS
    criteria = zip(_BEHIND, _precedence(price), _precedence(winner), strict=True)
    return next((verdict for verdict, ours, best in criteria if ours != best), Verdict.OLDER)


def _expression(pattern: str) -> str:
    """`*` fits anything; every other character stands for itself."""
    return ".*".join(re.escape(part) for part in pattern.split("*"))
