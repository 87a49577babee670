"""Token numbers three ways: as they truly were, as the server reports them, as a careful reader can book them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tests.fake_cpa.versions import Profile


class Family(Enum):
    """How an upstream counts (contract F)."""

    SUBSET = "cache is in input, reasoning is in output"
    GEMINI = "cache is in input, reasoning is beside output"
    CLAUDE = "cache is beside input, reasoning is in output"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the attempt truly used, in buckets that never overlap.

    `unclassified` is what the upstream has in its total but in no other number.
    """

    uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    unclassified: int = 0

    @property
    def input(self) -> int:
        return self.uncached + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.input + self.output + self.reasoning + self.unclassified


NO_TOKENS = Tokens()


@dataclass(frozen=True, slots=True)
class Counts:
    """The raw numbers of one record."""

    input: int
    output: int
    reasoning: int
    cached: int
    cache_read: int
    cache_creation: int
    total: int

    def fields(self) -> dict[str, int | bool]:
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "reasoning_tokens": self.reasoning,
            "cached_tokens": self.cached,
            "cache_read_tokens": self.cache_read,
            "cache_read_tokens_present": True,
            "cache_creation_tokens": self.cache_creation,
            "total_tokens": self.total,
        }


def count(tokens: Tokens, family: Family, provider: str, profile: Profile, *, additive: bool = False) -> Counts:
    """What this release reports. `additive`: a subset upstream that counts reasoning beside output (xAI does)."""
    if family is Family.CLAUDE:
        return _count_claude(tokens, profile)
    beside = family is Family.GEMINI or additive
    read = tokens.cache_read
    if family is Family.GEMINI and not profile.does("gemini cached tokens"):
        read = 0
    return Counts(
        input=tokens.input,
        output=tokens.output + (0 if beside else tokens.reasoning),
        reasoning=tokens.reasoning,
        cached=read,
        cache_read=read if profile.does("cache_read everywhere") else 0,
        cache_creation=tokens.cache_write if _reports_cache_creation(family, provider, profile) else 0,
        total=tokens.total,
    )


def _reports_cache_creation(family: Family, provider: str, profile: Profile) -> bool:
    if family is Family.GEMINI:
        return False
    return profile.does("codex cache creation" if provider == "codex" else "cache_read everywhere")


def _count_claude(tokens: Tokens, profile: Profile) -> Counts:
    if tokens.unclassified:
        raise ValueError("a Claude upstream sends no total of its own, so it cannot have unclassified tokens")
    output = tokens.output + tokens.reasoning
    has_fields = profile.does("claude cache fields")
    return Counts(
        input=tokens.uncached,
        output=output,
        reasoning=tokens.reasoning if profile.does("claude reasoning") else 0,
        cached=tokens.cache_read or tokens.cache_write,
        cache_read=tokens.cache_read if has_fields else 0,
        cache_creation=tokens.cache_write if has_fields else 0,
        total=tokens.total if profile.does("claude total has cache") else tokens.uncached + output,
    )


@dataclass(frozen=True, slots=True)
class Classified:
    """The server's own accounting v2: a quality word and its buckets."""

    quality: str
    buckets: Tokens

    def breakdown(self) -> dict[str, object]:
        buckets = self.buckets
        return {
            "schema_version": 2,
            "quality": self.quality,
            "total_tokens": buckets.total,
            "input": {
                "total_tokens": buckets.input,
                "uncached_tokens": buckets.uncached,
                "cache_read_tokens": buckets.cache_read,
                "cache_write_tokens": buckets.cache_write,
            },
            "output": {
                "total_tokens": buckets.output + buckets.reasoning,
                "non_reasoning_tokens": buckets.output,
                "reasoning_tokens": buckets.reasoning,
            },
            "unclassified_tokens": buckets.unclassified,
        }


def classify(counts: Counts, family: Family) -> Classified:
    if family is Family.CLAUDE:
        whole = counts.input + counts.cache_read + counts.cache_creation + counts.output
        uncached = counts.input
    else:
        whole = counts.input + counts.output + (counts.reasoning if family is Family.GEMINI else 0)
        uncached = counts.input - counts.cache_read - counts.cache_creation
    visible = counts.output - (0 if family is Family.GEMINI else counts.reasoning)
    rest = counts.total - whole
    one_side = family is Family.SUBSET and not (counts.input and counts.output)
    if min(uncached, visible, rest) < 0 or (rest and not one_side):
        return Classified("inconsistent", Tokens(unclassified=counts.total))
    buckets = Tokens(uncached, counts.cache_read, counts.cache_creation, visible, counts.reasoning, rest)
    return Classified("unclassified" if rest else "complete", buckets)


def bookable(true: Tokens, family: Family, counts: Counts, profile: Profile, classified: Classified | None) -> Tokens:
    """What a careful reader can know from the record: the truth, less what this release does not tell."""
    if classified and classified.quality != "inconsistent":
        return classified.buckets
    if true.unclassified == true.total:
        return true
    if family is Family.CLAUDE:
        return _bookable_claude(true, counts, profile)
    hidden_read = true.cache_read - counts.cached
    hidden_write = true.cache_write - counts.cache_creation
    # Gemini's surplus is tool-use prompt; elsewhere no number says what it was.
    surplus = true.unclassified if family is Family.GEMINI else 0
    return Tokens(
        uncached=true.uncached + hidden_read + hidden_write + surplus,
        cache_read=counts.cached,
        cache_write=counts.cache_creation,
        output=true.output,
        reasoning=true.reasoning,
    )


def _bookable_claude(true: Tokens, counts: Counts, profile: Profile) -> Tokens:
    hidden_reasoning = true.reasoning - counts.reasoning
    booked = replace(true, output=true.output + hidden_reasoning, reasoning=counts.reasoning)
    if profile.does("claude cache fields"):
        return booked
    # One number stood for both: reads, or writes where nothing was read.
    return replace(booked, cache_read=counts.cached, cache_write=0)
