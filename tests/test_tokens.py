"""Token buckets: the worked examples of the contract, in each accounting version, and what must hold for any numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import payload
from usage.accounting.tokens import (
    MOST_TOKENS,
    Breakdown,
    Buckets,
    Family,
    Quality,
    RawTokens,
    family_of,
    family_of_model,
    split,
)

COMPAT = ("openai-compatible-relay", "OpenAICompatExecutor")


def raw(input: int = 0, output: int = 0, total: int = 0, **others: int) -> dict[str, Any]:
    """The `tokens` object of a record; `cached`, `reasoning`, `read` and `write` where they are not absent or 0."""
    numbers: dict[str, Any] = {
        "input_tokens": input,
        "output_tokens": output,
        "reasoning_tokens": others.get("reasoning", 0),
        "cached_tokens": others.get("cached", 0),
        "total_tokens": total,
    }
    if "read" in others:
        numbers |= {"cache_read_tokens": others["read"], "cache_read_tokens_present": True}
    if "write" in others:
        numbers["cache_creation_tokens"] = others["write"]
    return numbers


# name, provider and executor, tokens as upstream counted them, buckets: uncached, read, write, output, reasoning
EXAMPLES = [
    ("openai chat", "openai", "", raw(10, 6, 16, cached=4, reasoning=5), (6, 4, 0, 1, 5)),
    ("openai responses", "codex", "CodexExecutor", raw(10, 20, 30, cached=7, reasoning=9), (3, 7, 0, 11, 9)),
    ("codex with cache write", "codex", "CodexExecutor", raw(100, 20, 120, cached=30, write=40), (30, 30, 40, 20, 0)),
    ("openai-compat named anthropic", "openai-compatible-anthropic", "OpenAICompatExecutor", raw(100, 30, 130, reasoning=12, read=40, write=10), (50, 40, 10, 18, 12)),
    ("openai-compat named anthropic, of old", "anthropic", "", raw(100, 30, 130, reasoning=12, read=40, write=10), (50, 40, 10, 18, 12)),
    ("openai-compat stream", *COMPAT, raw(39320, 26, 39346, cached=33280), (6040, 33280, 0, 26, 0)),
    ("gemini", "gemini", "GeminiExecutor", raw(10, 2, 12, cached=4), (6, 4, 0, 2, 0)),
    ("gemini stream", "gemini", "", raw(17984, 2668, 21680, reasoning=1028), (17984, 0, 0, 2668, 1028)),
    ("vertex stream", "vertex", "GeminiVertexExecutor", raw(17984, 2668, 21680, reasoning=1028), (17984, 0, 0, 2668, 1028)),
    ("antigravity stream", "antigravity", "AntigravityExecutor", raw(17984, 2668, 21680, reasoning=1028), (17984, 0, 0, 2668, 1028)),
    ("gemini-cli stream", "gemini-cli", "", raw(17984, 2668, 21680, reasoning=1028), (17984, 0, 0, 2668, 1028)),
    ("aistudio stream", "aistudio", "AIStudioExecutor", raw(17984, 2668, 21680, reasoning=1028), (17984, 0, 0, 2668, 1028)),
    ("gemini-interactions", "gemini-interactions", "GeminiExecutor", raw(3, 4, 12, reasoning=5, cached=2), (1, 2, 0, 4, 5)),
    ("claude", "claude", "ClaudeExecutor", raw(3085, 253, 22859, cached=7, read=7, write=19514), (3085, 7, 19514, 253, 0)),
    ("claude thinking", "claude", "ClaudeExecutor", raw(2, 244, 45302, reasoning=40, read=44225, write=831), (2, 44225, 831, 204, 40)),
    ("kimi via messages", "claude", "KimiExecutor", raw(3085, 253, 22859, cached=7, read=7, write=19514), (3085, 7, 19514, 253, 0)),
    ("xai", "xai", "XAIExecutor", raw(2048, 640, 2688, cached=1024, reasoning=512), (1024, 1024, 0, 128, 512)),
    ("kimi", "kimi", "KimiExecutor", raw(2048, 640, 2688, cached=1024, reasoning=512), (1024, 1024, 0, 128, 512)),
    ("qwen", "qwen", "", raw(2048, 640, 2688, cached=1024, reasoning=512), (1024, 1024, 0, 128, 512)),
    ("iflow", "iflow", "", raw(2048, 640, 2688, cached=1024, reasoning=512), (1024, 1024, 0, 128, 512)),
]  # fmt: skip


def server_breakdown(buckets: Buckets, quality: str = "complete") -> dict[str, Any]:
    """What a server from v7.2.97 on says beside the tokens."""
    return {
        "schema_version": 2,
        "quality": quality,
        "total_tokens": buckets.total,
        "input": {
            "total_tokens": buckets.uncached_input + buckets.cache_read + buckets.cache_write,
            "uncached_tokens": buckets.uncached_input,
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


def split_record(**fields: Any) -> tuple[Buckets, Quality]:
    """Read a record and split its tokens, as the ledger does."""
    read = payload(**fields)
    return split(read.tokens, family_of(read.provider, read.executor_type or ""), read.breakdown)


@pytest.mark.parametrize("version", [None, 0, 2])
@pytest.mark.parametrize(
    ("provider", "executor", "tokens", "buckets"),
    [example[1:] for example in EXAMPLES],
    ids=[example[0] for example in EXAMPLES],
)
def test_worked_example(
    provider: str, executor: str, tokens: dict[str, int], buckets: tuple[int, ...], version: int | None
) -> None:
    expected = Buckets(*buckets)
    breakdown = server_breakdown(expected) if version else None
    found = split_record(
        provider=provider, executor_type=executor, tokens=tokens, accounting_version=version, token_breakdown=breakdown
    )
    assert found == (expected, Quality.COMPLETE)


def test_v2_is_believed_over_the_raw_numbers() -> None:
    expected = Buckets(15, 0, 0, 2, 3)
    tokens = raw(15, 2, 20, reasoning=3)
    assert split_record(
        provider="gemini", tokens=tokens, accounting_version=2, token_breakdown=server_breakdown(expected)
    ) == (expected, Quality.COMPLETE)


@pytest.mark.parametrize("version", [None, 0])
def test_tokens_of_tool_use_that_stand_only_in_the_total_are_input(version: int | None) -> None:
    found = split_record(provider="gemini", tokens=raw(10, 2, 20, reasoning=3), accounting_version=version)
    assert found == (Buckets(15, 0, 0, 2, 3), Quality.COMPLETE)


@pytest.mark.parametrize("total", [3338, 22859])
def test_the_total_of_claude_counts_for_nothing(total: int) -> None:
    """It left the cache out before v7.1.26."""
    found = split_record(provider="claude", tokens=raw(3085, 253, total, cached=7, read=7, write=19514))
    assert found == (Buckets(3085, 7, 19514, 253, 0), Quality.COMPLETE)


def test_one_number_for_the_cache_of_claude_is_an_estimate() -> None:
    found = split_record(provider="claude", tokens=raw(3085, 253, 3338, cached=7))
    assert found == (Buckets(3085, 7, 0, 253, 0), Quality.ESTIMATED)


def test_cached_tokens_of_claude_are_never_added_to_its_cache_fields() -> None:
    found = split_record(provider="claude", tokens=raw(5, 6, 31, cached=20, read=0, write=20))
    assert found == (Buckets(5, 0, 20, 6, 0), Quality.COMPLETE)


def test_present_zero_of_cache_read_is_a_zero() -> None:
    found = split_record(provider="codex", tokens=raw(100, 20, 120, cached=30, read=0))
    assert found == (Buckets(100, 0, 0, 20, 0), Quality.COMPLETE)


def test_absent_mark_of_cache_read_lets_cached_tokens_stand_in() -> None:
    tokens = raw(100, 20, 120, cached=30, read=0) | {"cache_read_tokens_present": False}
    assert split_record(provider="codex", tokens=tokens) == (Buckets(70, 30, 0, 20, 0), Quality.COMPLETE)


@pytest.mark.parametrize(
    ("version", "quality"), [(None, Quality.ESTIMATED), (0, Quality.ESTIMATED), (2, Quality.INCONSISTENT)]
)
def test_reasoning_beside_the_output_is_kept_whole(version: int | None, quality: Quality) -> None:
    """xAI behind an openai-compatibility entry; in v2 the server finds that inconsistent."""
    breakdown = server_breakdown(Buckets(unclassified=150), "inconsistent") if version else None
    found = split_record(
        provider=COMPAT[0], executor_type=COMPAT[1], tokens=raw(100, 20, 150, reasoning=30),
        accounting_version=version, token_breakdown=breakdown,
    )  # fmt: skip
    assert found == (Buckets(100, 0, 0, 20, 30), quality)


@pytest.mark.parametrize("version", [None, 0, 2])
@pytest.mark.parametrize("provider", ["codex", "gemini", "claude"])
def test_total_alone_is_unclassified(provider: str, version: int | None) -> None:
    expected = Buckets(unclassified=42)
    breakdown = server_breakdown(expected, "unclassified") if version else None
    found = split_record(provider=provider, tokens=raw(total=42), accounting_version=version, token_breakdown=breakdown)
    assert found == (expected, Quality.UNCLASSIFIED)


@pytest.mark.parametrize("version", [None, 0, 2])
@pytest.mark.parametrize("provider", ["codex", "gemini", "claude"])
@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (raw(10, 0, 15), Buckets(uncached_input=10, unclassified=5)),
        (raw(0, 10, 15), Buckets(output=10, unclassified=5)),
    ],
    ids=["input", "output"],
)
def test_rest_of_one_side_is_unclassified(
    provider: str, tokens: dict[str, int], expected: Buckets, version: int | None
) -> None:
    breakdown = server_breakdown(expected, "unclassified") if version else None
    found = split_record(provider=provider, tokens=tokens, accounting_version=version, token_breakdown=breakdown)
    assert found == (expected, Quality.UNCLASSIFIED)


def test_inconsistent_breakdown_gives_way_to_the_rules_and_is_flagged() -> None:
    breakdown = server_breakdown(Buckets(unclassified=20), "inconsistent")
    found = split_record(
        provider="codex", tokens=raw(10, 3, 20, cached=4, reasoning=1), accounting_version=2, token_breakdown=breakdown
    )
    assert found == (Buckets(6, 4, 0, 2, 1), Quality.INCONSISTENT)


@pytest.mark.parametrize(
    "damage",
    [
        {"total_tokens": 31},
        {"unclassified_tokens": -1},
        {"input": {"total_tokens": 10, "uncached_tokens": 11, "cache_read_tokens": -1}},
        {"input": {"total_tokens": 10, "uncached_tokens": 10, "cache_read_tokens": 7}},
        {"output": {"total_tokens": 20, "non_reasoning_tokens": 20, "reasoning_tokens": 9}},
        {"total_tokens": 2**70, "input": {"total_tokens": 2**70, "uncached_tokens": 2**70}, "output": {}},
        {"input": {}, "output": {}},
    ],
)
def test_breakdown_that_does_not_add_up_gives_way_to_the_rules_and_is_flagged(damage: dict[str, Any]) -> None:
    breakdown = server_breakdown(Buckets(3, 7, 0, 11, 9)) | damage
    found = split_record(
        provider="codex", tokens=raw(10, 20, 30, cached=7, reasoning=9), accounting_version=2, token_breakdown=breakdown
    )
    assert found == (Buckets(3, 7, 0, 11, 9), Quality.INCONSISTENT)


@pytest.mark.parametrize(("version", "is_believed"), [(None, False), (0, False), (1, False), (2, True), (3, True)])
def test_breakdown_counts_from_accounting_version_2_on(version: int | None, is_believed: bool) -> None:
    told, by_rules = Buckets(1, 2, 3, 4, 5), Buckets(100, 0, 0, 20, 0)
    buckets, _ = split_record(provider="codex", accounting_version=version, token_breakdown=server_breakdown(told))
    assert buckets == (told if is_believed else by_rules)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("bad", [-1, -(2**70), MOST_TOKENS + 1, 2**63, 2**70])
def test_incredible_number_counts_nothing_and_is_flagged(family: Family, bad: int) -> None:
    good, _ = split(RawTokens(output_tokens=20, total_tokens=20), family)
    assert split(RawTokens(input_tokens=bad, output_tokens=20, total_tokens=20), family) == (good, Quality.INCONSISTENT)


@pytest.mark.parametrize("family", Family)
def test_nothing_used_is_complete(family: Family) -> None:
    assert split(RawTokens(), family) == (Buckets(), Quality.COMPLETE)


@pytest.mark.parametrize(
    ("provider", "executor", "family"),
    [
        ("my-claude", "", Family.SUBSET),
        ("gemini-relay", "", Family.SUBSET),
        ("openrouter", "", Family.SUBSET),
        ("claude", "", Family.CLAUDE),
        ("Claude", "", Family.CLAUDE),
        ("aistudio", "", Family.GEMINI),
        ("", "", Family.SUBSET),
        ("my-claude", "OpenAICompatExecutor", Family.SUBSET),
        ("openai-compatible-anthropic", "OpenAICompatExecutor", Family.SUBSET),
        ("openai-compatible-claude", "", Family.SUBSET),
        ("openai-compatibility", "ClaudeExecutor", Family.SUBSET),
        ("claude", "KimiExecutor", Family.CLAUDE),
        ("kimi", "KimiExecutor", Family.SUBSET),
        ("codex", "CodexWebsocketsExecutor", Family.SUBSET),
        ("xai", "XAIWebsocketsExecutor", Family.SUBSET),
        ("antigravity", "AntigravityExecutor", Family.GEMINI),
        ("vertex", "GeminiVertexExecutor", Family.GEMINI),
        ("plugin-claude-x", "unknown", Family.CLAUDE),
        ("some-plugin", "unknown", Family.UNKNOWN),
    ],
)
def test_family_follows_the_executor_and_without_one_exact_providers(
    provider: str, executor: str, family: Family
) -> None:
    assert family_of(provider, executor) is family


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-sonnet-4-6", Family.CLAUDE),
        ("anthropic/Claude-X", Family.CLAUDE),
        ("gemini-3-pro", Family.GEMINI),
        ("glm-5", Family.SUBSET),
    ],
)
def test_model_alone_tells_a_likely_family(model: str, family: Family) -> None:
    assert family_of_model(model) is family


def test_unknown_family_classifies_nothing() -> None:
    assert split(RawTokens(10, 20, total_tokens=30), Family.UNKNOWN) == (
        Buckets(unclassified=30),
        Quality.UNCLASSIFIED,
    )


count = st.integers(0, 50) | st.integers(0, MOST_TOKENS)
number = count | st.integers(-(2**70), 2**70)


def raw_tokens(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[RawTokens]:
    return st.builds(
        RawTokens, numbers, numbers, numbers, numbers, numbers, st.none() | numbers, st.none() | numbers, st.booleans()
    )


@given(raw_tokens(number), st.sampled_from(Family))
def test_no_bucket_is_negative_or_incredible(tokens: RawTokens, family: Family) -> None:
    buckets, _ = split(tokens, family)
    assert all(0 <= tokens <= 5 * MOST_TOKENS for tokens in buckets)


@given(raw_tokens(count), st.sampled_from([Family.SUBSET, Family.GEMINI, Family.CLAUDE]))
def test_buckets_of_either_side_add_up_to_what_the_family_counts_there(tokens: RawTokens, family: Family) -> None:
    """No token is in two buckets, and none that upstream named is lost."""
    buckets, quality = split(tokens, family)
    side_in = buckets.uncached_input + buckets.cache_read + buckets.cache_write
    side_out = buckets.output + buckets.reasoning
    if family is Family.GEMINI:
        known = tokens.input_tokens + tokens.output_tokens + tokens.reasoning_tokens
        tool_use = side_in - tokens.input_tokens
        assert tool_use in (0, tokens.total_tokens - known)
        assert (buckets.output, buckets.reasoning) == (tokens.output_tokens, tokens.reasoning_tokens)
    else:
        beside = tokens.output_tokens + tokens.reasoning_tokens
        assert side_out in (tokens.output_tokens, beside)
        assert side_out == tokens.output_tokens or quality is Quality.ESTIMATED
    if family is Family.SUBSET:
        assert side_in == tokens.input_tokens
    if family is Family.CLAUDE:
        assert buckets.uncached_input == tokens.input_tokens
    if buckets.unclassified:
        assert buckets.total == tokens.total_tokens


@st.composite
def honest_usage(draw: st.DrawFn, family: Family) -> tuple[Buckets, RawTokens]:
    """Buckets as they truly were, with tokens on both sides, and the numbers of a server from v7.2.74 on for them."""
    true = Buckets(*(draw(st.integers(1, MOST_TOKENS // 5)) for _ in range(5)))
    if family is Family.GEMINI:
        true = Buckets(true.uncached_input, true.cache_read, 0, true.output, true.reasoning)
    cache = true.cache_read + true.cache_write
    raw = RawTokens(
        input_tokens=true.uncached_input + (0 if family is Family.CLAUDE else cache),
        output_tokens=true.output + (0 if family is Family.GEMINI else true.reasoning),
        reasoning_tokens=true.reasoning,
        cached_tokens=true.cache_read,
        total_tokens=true.total,
        cache_read_tokens=true.cache_read,
        cache_creation_tokens=true.cache_write,
        cache_read_tokens_present=True,
    )
    return true, raw


@given(st.data(), st.sampled_from([Family.SUBSET, Family.GEMINI, Family.CLAUDE]))
def test_honest_numbers_are_split_as_they_were(data: st.DataObject, family: Family) -> None:
    true, raw = data.draw(honest_usage(family))
    assert split(raw, family) == (true, Quality.COMPLETE)


@given(st.tuples(*[st.integers(0, MOST_TOKENS)] * 6), raw_tokens(number), st.sampled_from(Family))
def test_breakdown_that_holds_is_taken_as_it_is(numbers: tuple[int, ...], tokens: RawTokens, family: Family) -> None:
    told = Buckets(*numbers)
    read = payload(accounting_version=2, token_breakdown=server_breakdown(told)).breakdown
    assert isinstance(read, Breakdown)
    buckets, quality = split(tokens, family, read)
    assert buckets == told
    assert quality is (Quality.UNCLASSIFIED if told.unclassified else Quality.COMPLETE)
