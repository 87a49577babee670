"""What tokens cost at a price, and what the cache saved of it: integer money, rounded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import mul

from usage.accounting.hours import Hours
from usage.accounting.tokens import Buckets

# A multiplier of 1, in ten-thousandths.
LIST_PRICE = 10_000
# What tokens x price x both multipliers is to be divided by for nano-USD: prices are per 1,000 tokens.
PARTS = 1_000 * LIST_PRICE**2


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in nano-USD per 1,000 tokens, of those requests that fulfil its conditions.

    1 nano-USD per 1,000 tokens is 0.000001 USD per 1M tokens. Where none is given, cached input and cache writes are
    input, and reasoning is output. A condition that is empty is fulfilled by all; in force from `effective_from`
    (microseconds since 1970 UTC) on; which of several prices counts, PriceBook says. `factor` is no part of it, but what
    the request's account or channel is multiplied by.
    """

    pattern: str
    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    per_request: int = 0  # nano-USD
    multiplier: int = LIST_PRICE  # of the prices of tokens, in ten-thousandths
    account_id: int | None = None
    channel_id: int | None = None
    provider: str = ""
    service_tier: str = ""
    daily_from: int = 0  # microseconds after midnight UTC, as is daily_until: see Hours
    daily_until: int = 0
    above_input_tokens: int = 0
    effective_from: int = 0
    factor: int = LIST_PRICE
    id: int | None = None
    rates: Buckets = field(init=False, repr=False, compare=False)
    # What a token that is read from the cache, or written to it, costs less than one of input; in PARTS of a nano-USD.
    saved_by_read: int = field(init=False, repr=False, compare=False)
    saved_by_write: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Unclassified tokens are taken as input, the cheaper guess (contract F)."""
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        reasoning = self.output if self.reasoning is None else self.reasoning
        rates = Buckets(self.input, cached_input, cache_write, self.output, reasoning, self.input)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "saved_by_read", (self.input - cached_input) * self.multiplier * self.factor)
        object.__setattr__(self, "saved_by_write", (self.input - cache_write) * self.multiplier * self.factor)

    @property
    def is_for_some(self) -> bool:
        """Whether it depends on what a request alone tells: its service tier, its input, its time of day."""
        return bool(self.service_tier or self.above_input_tokens) or not self.is_all_day

    @property
    def hours(self) -> Hours:
        return Hours(self.daily_from, self.daily_until)

    @property
    def is_all_day(self) -> bool:
        return self.daily_from == self.daily_until

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every account, channel and provider, as are the prices of catalogs and lists."""
        return self.account_id is None and self.channel_id is None and not self.provider

    def cost(self, buckets: Buckets, *, failed: bool = False) -> int:
        """Return the cost in nano-USD: the sum over buckets of tokens x price, times both multipliers, rounded half
        up once, and the price per request.

        An attempt that failed and used nothing costs nothing.
        """
        if failed and not any(buckets):
            return 0
        parts: int = sum(map(mul, buckets, self.rates)) * self.multiplier * self.factor
        return (parts + PARTS // 2) // PARTS + self.per_request

    def saved(self, buckets: Buckets) -> int:
        """Return what the cache saved in nano-USD, rounded half up: less than 0 where it was written and seldom read.

        It is compared with the same tokens at the price of input (ui.md M18), so that without cached ones it is 0.
        """
        _uncached, read, written, _output, _reasoning, _unclassified = buckets
        return (read * self.saved_by_read + written * self.saved_by_write + PARTS // 2) // PARTS

    def adds_up(self, buckets: Buckets) -> bool:
        """Whether requests of so many tokens in all cost together what they cost one by one, and saved it: where each token
        that they used is whole nano-USD, nothing is rounded.
        """
        costs = (rate * self.multiplier * self.factor for rate in self.rates)
        savings = (0, self.saved_by_read, self.saved_by_write, 0, 0, 0)
        return not any(
            tokens and (cost % PARTS or saved % PARTS)
            for tokens, cost, saved in zip(buckets, costs, savings, strict=True)
        )


# What a request costs and what the cache saved of it, in nano-USD, and the id of its price; all None: it is unpriced.
Charge = tuple[int | None, int | None, int | None]


def charge(price: Price | None, buckets: Buckets, *, failed: bool) -> Charge:
    """Return what a request is booked with. A failed attempt that used nothing costs nothing, whatever its model."""
    if price is not None:
        return price.cost(buckets, failed=failed), price.saved(buckets), price.id
    nothing = None if buckets.total or not failed else 0
    return nothing, nothing, None
