"""The sums of an answer, and the metrics that follow from them (`ui.md` 6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """Sums over records: counts, tokens by disjoint bucket, cost in nano-USD of the priced ones and what the cache
    saved of it, times in ms.

    The properties are metrics; a None is a value that does not exist, never a zero.
    """

    requests: int = 0
    failed: int = 0
    uncached_input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    unclassified: int = 0
    priced_requests: int = 0
    priced_succeeded: int = 0
    priced_tokens: int = 0
    cost_nanousd: int = 0
    saved_nanousd: int = 0
    timed_output: int = 0
    timed_ms: int = 0
    without_usage: int = 0
    unused_failures: int = 0
    estimated_requests: int = 0
    unclassified_requests: int = 0
    inconsistent_requests: int = 0
    without_request_id: int = 0

    def add(self, other: Usage) -> None:
        """Line by line: reports add up thousands, and a loop over names takes eight times as long."""
        self.requests += other.requests
        self.failed += other.failed
        self.uncached_input += other.uncached_input
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.output += other.output
        self.reasoning += other.reasoning
        self.unclassified += other.unclassified
        self.priced_requests += other.priced_requests
        self.priced_succeeded += other.priced_succeeded
        self.priced_tokens += other.priced_tokens
        self.cost_nanousd += other.cost_nanousd
        self.saved_nanousd += other.saved_nanousd
        self.timed_output += other.timed_output
        self.timed_ms += other.timed_ms
        self.without_usage += other.without_usage
        self.unused_failures += other.unused_failures
        self.estimated_requests += other.estimated_requests
        self.unclassified_requests += other.unclassified_requests
        self.inconsistent_requests += other.inconsistent_requests
        self.without_request_id += other.without_request_id

    @property
    def succeeded(self) -> int:
        return self.requests - self.failed

    @property
    def success_rate(self) -> float | None:
        return _ratio(self.succeeded, self.requests)

    @property
    def error_rate(self) -> float | None:
        return _ratio(self.failed, self.requests)

    @property
    def input_tokens(self) -> int:
        return self.uncached_input + self.cache_read + self.cache_write

    @property
    def output_tokens(self) -> int:
        """Answer and reasoning together."""
        return self.output + self.reasoning

    @property
    def total_tokens(self) -> int:
        return (
            self.uncached_input + self.cache_read + self.cache_write + self.output + self.reasoning + self.unclassified
        )

    @property
    def tokens_per_request(self) -> float | None:
        return _ratio(self.total_tokens, self.succeeded)

    @property
    def cache_hit_rate(self) -> float | None:
        return _ratio(self.cache_read, self.input_tokens)

    @property
    def speed(self) -> float | None:
        """Tokens a second while an answer is written; None where no answer tells."""
        return _ratio(1_000 * self.timed_output, self.timed_ms)

    @property
    def cost(self) -> int | None:
        """Estimated cost in nano-USD, or None where nothing is priced but what used and cost nothing."""
        is_priced = self.priced_tokens or self.cost_nanousd or self.priced_requests == self.requests
        return self.cost_nanousd if is_priced else None

    @property
    def saved(self) -> int | None:
        """What the cache saved of the cost in nano-USD, less than 0 where it cost more; None where there is no cost."""
        return None if self.cost is None else self.saved_nanousd

    @property
    def cost_per_request(self) -> float | None:
        """Nano-USD for each success: failed attempts carry few tokens, and would make a flaky channel look cheap."""
        return None if self.cost is None else _ratio(self.cost_nanousd, self.priced_succeeded)

    @property
    def blended_price(self) -> float | None:
        """Nano-USD per million priced tokens."""
        return _ratio(1_000_000 * self.cost_nanousd, self.priced_tokens)

    @property
    def price_coverage(self) -> float | None:
        return _ratio(self.priced_tokens, self.total_tokens)

    @property
    def pricing(self) -> str:
        """`priced`, `partial` (the cost is a lower bound) or `unpriced`."""
        if self.cost is None:
            return "unpriced"
        return "priced" if self.priced_tokens == self.total_tokens else "partial"

    @property
    def complete_requests(self) -> int:
        """Records whose tokens are told whole, by kind."""
        return self.requests - self.estimated_requests - self.unclassified_requests - self.inconsistent_requests


@dataclass(frozen=True, slots=True)
class Share:
    """Fractions of the whole report (of an account: of its channel too); None where the whole is zero."""

    requests: float | None
    tokens: float | None
    cost: float | None

    @classmethod
    def of(cls, part: Usage, whole: Usage) -> Share:
        return cls(
            _ratio(part.requests, whole.requests),
            _ratio(part.total_tokens, whole.total_tokens),
            None if part.cost is None else _ratio(part.cost_nanousd, whole.cost_nanousd),
        )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
