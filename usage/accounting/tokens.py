"""Token buckets that never overlap, from what any CPA version reports (contract F)."""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import NamedTuple

import msgspec

# No request comes near; a larger number is damage, and would overflow the sums of a 64-bit column.
MOST_TOKENS = 10**9


class Family(enum.Enum):
    """What a provider's raw numbers contain."""

    SUBSET = "subset"  # input contains the cache, output the reasoning
    GEMINI = "gemini"  # input contains the cache, reasoning stands beside output
    CLAUDE = "claude"  # the cache stands beside input, output contains the reasoning
    UNKNOWN = "unknown"


class Quality(enum.IntEnum):
    """How far buckets can be trusted; the numbers are stored (`UsageRecord.Quality`)."""

    COMPLETE = 0
    ESTIMATED = 1  # by a rule that older records leave ambiguous
    UNCLASSIFIED = 2  # part of the total has no bucket
    INCONSISTENT = 3  # the numbers contradict each other


class RawTokens(msgspec.Struct, gc=False):
    """The `tokens` object of a record: tokens as upstream counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    cache_read_tokens_present: bool = False


class _InputBreakdown(msgspec.Struct, gc=False):
    total_tokens: int = 0
    uncached_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class _OutputBreakdown(msgspec.Struct, gc=False):
    total_tokens: int = 0
    non_reasoning_tokens: int = 0
    reasoning_tokens: int = 0


class Breakdown(msgspec.Struct, gc=False):
    """The `token_breakdown` object of accounting version 2."""

    quality: str = ""
    total_tokens: int = 0
    input: _InputBreakdown = msgspec.field(default_factory=_InputBreakdown)
    output: _OutputBreakdown = msgspec.field(default_factory=_OutputBreakdown)
    unclassified_tokens: int = 0


class Buckets(NamedTuple):
    """Tokens, disjoint, all >= 0; their sum is the total. A tuple, since it is made for every record."""

    uncached_input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    unclassified: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    @property
    def total_input(self) -> int:
        """All that was read, also from and into the cache; what is unclassified may be output."""
        return self[0] + self[1] + self[2]


# Without an executor only exact ids tell: an openai-compatibility entry may be called `my-claude`.
_EXACT = {
    "claude": Family.CLAUDE,
    **dict.fromkeys(
        ("gemini", "gemini-cli", "gemini-interactions", "vertex", "aistudio", "antigravity"), Family.GEMINI
    ),
}
_PARTS = (
    (Family.CLAUDE, ("claude", "anthropic")),
    (Family.GEMINI, ("gemini", "aistudio", "antigravity", "vertex", "interaction")),
    (Family.SUBSET, ("openai", "codex", "xai", "grok", "kimi", "qwen", "deepseek", "openrouter")),
)


@lru_cache(maxsize=1_000)
def family_of(provider: str, executor_type: str = "") -> Family:
    """Return the family of a record's `provider` and `executor_type`, as CPA itself tells it (contract F)."""
    provider, executor = provider.lower(), executor_type.lower()
    if provider == "openai-compatibility" or provider.startswith("openai-compatible-"):
        return Family.SUBSET
    if not executor:
        return _EXACT.get(provider, Family.SUBSET)
    if "openaicompatexecutor" in executor:
        return Family.SUBSET
    words = f"{provider} {executor}"
    return next((family for family, parts in _PARTS if any(part in words for part in parts)), Family.UNKNOWN)


def family_of_model(model: str) -> Family:
    """Return the likely family where nothing but the model's name is known (legacy details without a match)."""
    name = model.lower()
    return Family.CLAUDE if "claude" in name else Family.GEMINI if "gemini" in name else Family.SUBSET


def split(raw: RawTokens, family: Family, breakdown: Breakdown | None = None) -> tuple[Buckets, Quality]:
    """Return the buckets of one record: CPA's own breakdown where it holds, else the rules by family.

    A breakdown that CPA marks `inconsistent` has only empty buckets, so there the rules apply too, flagged.
    """
    if breakdown is None:
        return _by_rules(raw, family)
    if breakdown.quality != "inconsistent" and _holds(breakdown, told := _told(breakdown)):
        return told, Quality.UNCLASSIFIED if told.unclassified else Quality.COMPLETE
    return _by_rules(raw, family)[0], Quality.INCONSISTENT


def _told(breakdown: Breakdown) -> Buckets:
    read, written = breakdown.input, breakdown.output
    return Buckets(
        read.uncached_tokens, read.cache_read_tokens, read.cache_write_tokens,
        written.non_reasoning_tokens, written.reasoning_tokens, breakdown.unclassified_tokens,
    )  # fmt: skip


def _holds(breakdown: Breakdown, told: Buckets) -> bool:
    """Whether the invariants of accounting version 2 are kept (a later version is believed if they are)."""
    uncached, read, write, visible, reasoning, unclassified = told
    entered, left = uncached + read + write, visible + reasoning
    return (
        min(told) >= 0
        and max(told) <= MOST_TOKENS
        and breakdown.input.total_tokens == entered
        and breakdown.output.total_tokens == left
        and breakdown.total_tokens == entered + left + unclassified
    )


def _by_rules(raw: RawTokens, family: Family) -> tuple[Buckets, Quality]:
    """The rules for records without a breakdown (contract F, "absent / 0"); incredible numbers count as 0, flagged."""
    clean = _credible(raw)
    buckets, quality = _RULES[family](clean)
    if buckets.total == 0 and clean.total_tokens > 0:
        buckets, quality = (Buckets(unclassified=clean.total_tokens), Quality.UNCLASSIFIED)
    elif quality is Quality.COMPLETE and (rest := _unclassified_rest(clean, buckets)):
        buckets = buckets._replace(unclassified=rest)
        quality = Quality.UNCLASSIFIED
    return buckets, quality if clean == raw else Quality.INCONSISTENT


def _unclassified_rest(raw: RawTokens, buckets: Buckets) -> int:
    """Where upstream named one side only and a larger total, the rest belongs to no bucket."""
    one_side = (raw.input_tokens == 0) != (raw.output_tokens + raw.reasoning_tokens == 0)
    return max(0, raw.total_tokens - buckets.total) if one_side else 0


def _subset(raw: RawTokens) -> tuple[Buckets, Quality]:
    known = raw.cache_read_tokens_present or raw.cache_read_tokens
    read = min((raw.cache_read_tokens or 0) if known else raw.cached_tokens, raw.input_tokens)
    write = min(raw.cache_creation_tokens or 0, raw.input_tokens - read)
    visible, reasoning, quality = _output(raw, raw.input_tokens + raw.output_tokens)
    return Buckets(raw.input_tokens - read - write, read, write, visible, reasoning), quality


def _gemini(raw: RawTokens) -> tuple[Buckets, Quality]:
    read = min(raw.cache_read_tokens or raw.cached_tokens, raw.input_tokens)
    write = min(raw.cache_creation_tokens or 0, raw.input_tokens - read)
    # Prompt tokens of tool use stand only in the total before v7.2.97.
    both_sides = raw.input_tokens and raw.output_tokens + raw.reasoning_tokens
    known = raw.input_tokens + raw.output_tokens + raw.reasoning_tokens
    tool_use = max(0, raw.total_tokens - known) if both_sides else 0
    uncached = raw.input_tokens - read - write + tool_use
    return Buckets(uncached, read, write, raw.output_tokens, raw.reasoning_tokens), Quality.COMPLETE


def _claude(raw: RawTokens) -> tuple[Buckets, Quality]:
    if raw.cache_read_tokens is None:  # before v7.0.3 one number stood for reads, or for writes where nothing was read
        read, write = raw.cached_tokens, 0
    else:
        read, write = raw.cache_read_tokens, raw.cache_creation_tokens or 0
    visible, reasoning, quality = _output(raw, raw.input_tokens + read + write + raw.output_tokens)
    if raw.cache_read_tokens is None and read:
        quality = max(quality, Quality.ESTIMATED)
    return Buckets(raw.input_tokens, read, write, visible, reasoning), quality


def _unknown(raw: RawTokens) -> tuple[Buckets, Quality]:
    total = raw.total_tokens or raw.input_tokens + raw.output_tokens
    return Buckets(unclassified=total), Quality.UNCLASSIFIED if total else Quality.COMPLETE


def _output(raw: RawTokens, family_total: int) -> tuple[int, int, Quality]:
    """Split output into visible and reasoning, where the family counts reasoning inside output.

    Some upstreams of these families count it beside output; the total then exceeds the family's by just that much.
    """
    if raw.reasoning_tokens and raw.total_tokens == family_total + raw.reasoning_tokens:
        return raw.output_tokens, raw.reasoning_tokens, Quality.ESTIMATED
    reasoning = min(raw.reasoning_tokens, raw.output_tokens)
    quality = Quality.COMPLETE if reasoning == raw.reasoning_tokens else Quality.INCONSISTENT
    return raw.output_tokens - reasoning, reasoning, quality


_RULES = {Family.SUBSET: _subset, Family.GEMINI: _gemini, Family.CLAUDE: _claude, Family.UNKNOWN: _unknown}


def _credible(raw: RawTokens) -> RawTokens:
    """Return `raw` with each number that cannot be a count of tokens (contract K) taken as 0."""

    def count(number: int) -> int:
        return number if 0 <= number <= MOST_TOKENS else 0

    return RawTokens(
        input_tokens=count(raw.input_tokens),
        output_tokens=count(raw.output_tokens),
        reasoning_tokens=count(raw.reasoning_tokens),
        cached_tokens=count(raw.cached_tokens),
        total_tokens=count(raw.total_tokens),
        cache_read_tokens=None if raw.cache_read_tokens is None else count(raw.cache_read_tokens),
        cache_creation_tokens=None if raw.cache_creation_tokens is None else count(raw.cache_creation_tokens),
        cache_read_tokens_present=raw.cache_read_tokens_present,
    )
