"""Which price a request has: one documented order, and an explanation that agrees with it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOON
from usage.accounting.price_book import PriceBook, Verdict
from usage.accounting.pricing import Price
from usage.models.fields import to_micros

AT = to_micros(NOON)
LONG = 200_000
PLAIN = Price("m", 1, 1)


def winner(*prices: Price, **request: object) -> Price | None:
    asked = {"model": "m", "at": AT} | request
    return PriceBook(prices).find(**asked)  # type: ignore[arg-type]


class TestConditions:
    @pytest.mark.parametrize(
        ("tokens", "tier"), [(0, False), (1, False), (LONG - 1, False), (LONG, False), (LONG + 1, True), (10**12, True)]
    )
    def test_threshold_is_a_cliff_just_above_it(self, tokens: int, tier: bool) -> None:
        above = replace(PLAIN, above_input_tokens=LONG)
        assert winner(PLAIN, above, input_tokens=tokens) is (above if tier else PLAIN)

    def test_highest_threshold_below_the_input_counts(self) -> None:
        rows = [replace(PLAIN, above_input_tokens=above) for above in (0, 32_000, 128_000)]
        found = [winner(*rows, input_tokens=tokens) for tokens in (32_000, 32_001, 128_000, 128_001)]
        assert found == [rows[0], rows[1], rows[1], rows[2]]

    @pytest.mark.parametrize(
        ("tier", "expected"),
        [("priority", "priority"), ("PRIORITY", "priority"), ("flex", "flex"), ("default", ""), ("auto", ""), ("", "")],
    )
    def test_service_tier_has_its_own_price_and_others_the_common_one(self, tier: str, expected: str) -> None:
        rows = {word: replace(PLAIN, service_tier=word) for word in ("", "priority", "flex")}
        assert winner(*rows.values(), service_tier=tier) is rows[expected]

    def test_provider_is_CPAs_name_in_any_case(self) -> None:
        codex = replace(PLAIN, provider="Codex")
        assert winner(PLAIN, codex, provider="codex") is codex
        assert winner(PLAIN, codex, provider="openai") is PLAIN
        assert winner(codex, provider="openai") is None

    def test_conditions_that_nobody_fulfils_are_no_price_and_not_zero(self) -> None:
        rows = (replace(PLAIN, service_tier="flex"), replace(PLAIN, above_input_tokens=9), replace(PLAIN, provider="x"))
        assert winner(*rows) is None
        assert PriceBook(rows).knows("m")


class TestPrecedence:
    # From the first to the last: each wins over all that follow.
    ORDER = (
        replace(PLAIN, provider="codex", service_tier="flex", above_input_tokens=LONG, effective_from=AT),
        replace(PLAIN, provider="codex", service_tier="flex", above_input_tokens=LONG),
        replace(PLAIN, provider="codex", service_tier="flex", effective_from=AT),
        replace(PLAIN, provider="codex", above_input_tokens=LONG),
        replace(PLAIN, provider="codex"),
        replace(PLAIN, service_tier="flex", above_input_tokens=LONG),
        replace(PLAIN, service_tier="flex"),
        replace(PLAIN, above_input_tokens=LONG),
        replace(PLAIN, effective_from=AT),
        PLAIN,
        replace(PLAIN, pattern="m*", provider="codex", service_tier="flex", above_input_tokens=LONG, effective_from=AT),
        replace(PLAIN, pattern="m*"),
        replace(PLAIN, pattern="*", provider="codex"),
        replace(PLAIN, pattern="*"),
    )

    def test_each_criterion_counts_before_all_that_follow(self) -> None:
        for first in range(len(self.ORDER)):
            for rows in (self.ORDER[first:], tuple(reversed(self.ORDER[first:]))):
                found = winner(*rows, provider="codex", service_tier="flex", input_tokens=LONG + 1)
                assert found is self.ORDER[first]

    def test_more_specific_pattern_wins_by_its_base_row(self) -> None:
        """A shorter pattern's tier would be another model's."""
        base, tier = replace(PLAIN, pattern="gpt-5*"), replace(PLAIN, pattern="gpt-*", service_tier="priority")
        assert winner(base, tier, model="gpt-5.4", service_tier="priority") is base
        assert winner(base, tier, model="gpt-4", service_tier="priority") is tier

    def test_order_of_the_rows_does_not_matter(self) -> None:
        rows = (PLAIN, replace(PLAIN, service_tier="flex"), replace(PLAIN, pattern="*"), replace(PLAIN, provider="p"))
        for provider, tier in (("p", "flex"), ("q", "flex"), ("q", "")):
            found = {winner(*some, provider=provider, service_tier=tier) for some in permutations(rows)}
            assert len(found) == 1


words = st.sampled_from(["", "p", "q"])
tokens = st.sampled_from([0, 9, 10, 11, 20, 21])
moments = st.sampled_from([0, AT - 1, AT, AT + 1])
rows = st.builds(
    Price, st.sampled_from(["m", "m*", "*m", "*", "mm", "n"]), st.integers(0, 9), st.integers(0, 9), provider=words,
    service_tier=words, above_input_tokens=tokens, effective_from=moments,
)  # fmt: skip
books = st.lists(
    rows, max_size=12,
    unique_by=lambda row: (row.pattern, row.provider, row.service_tier, row.above_input_tokens, row.effective_from),
)  # fmt: skip


def chosen_by_hand(prices: list[Price], model: str, provider: str, tier: str, tokens: int) -> Price | None:
    """The rule as the README tells it, one criterion after the other."""
    left = [
        one for one in prices
        if re.fullmatch(one.pattern.replace("*", ".*"), model) and one.provider in ("", provider)
        and one.service_tier in ("", tier) and one.effective_from <= AT
        and (one.above_input_tokens == 0 or tokens > one.above_input_tokens)
    ]  # fmt: skip
    for criterion in (
        lambda one: ("*" not in one.pattern, len(one.pattern), [-ord(sign) for sign in one.pattern]),
        lambda one: one.provider != "",
        lambda one: one.service_tier != "",
        lambda one: one.above_input_tokens,
        lambda one: one.effective_from,
    ):
        best = max(map(criterion, left), default=None)
        left = [one for one in left if criterion(one) == best]
    return left[0] if left else None


@given(books, st.sampled_from(["m", "mm", "M", "x"]), words, words, tokens)
def test_choice_is_that_of_the_rule_applied_by_hand(
    prices: list[Price], model: str, provider: str, tier: str, tokens: int
) -> None:
    book = PriceBook(prices)
    expected = chosen_by_hand(prices, model.lower(), provider, tier, tokens)
    assert book.find(model, AT, provider, tier, tokens) is expected
    assert book.find(model, AT, provider, tier, tokens) is expected  # remembered


@given(books, words, words, tokens)
def test_explanation_agrees_with_the_choice(prices: list[Price], provider: str, tier: str, tokens: int) -> None:
    book = PriceBook(prices)
    judged = book.explain("m", AT, provider, tier, tokens)
    assert [one.price for one in judged if one.verdict is Verdict.WINS] == [
        one for one in (book.find("m", AT, provider, tier, tokens),) if one
    ]
    assert {id(one.price) for one in judged} == {id(one) for one in prices if one.pattern in ("m", "m*", "*m", "*")}


def test_each_price_that_does_not_win_has_its_reason() -> None:
    prices = {
        Verdict.WINS: replace(PLAIN, provider="p", service_tier="t", above_input_tokens=10, effective_from=2),
        Verdict.OLDER: replace(PLAIN, provider="p", service_tier="t", above_input_tokens=10, effective_from=1),
        Verdict.LOWER_THRESHOLD: replace(PLAIN, provider="p", service_tier="t", effective_from=3),
        Verdict.ANY_TIER: replace(PLAIN, provider="p", above_input_tokens=11),
        Verdict.ANY_PROVIDER: replace(PLAIN, service_tier="t"),
        Verdict.PATTERN_BEHIND: replace(PLAIN, pattern="*", provider="p", service_tier="t"),
        Verdict.OTHER_PROVIDER: replace(PLAIN, provider="other"),
        Verdict.OTHER_TIER: replace(PLAIN, service_tier="other"),
        Verdict.INPUT_TOO_SHORT: replace(PLAIN, above_input_tokens=12),
        Verdict.NOT_YET: replace(PLAIN, effective_from=AT + 1),
    }
    judged = PriceBook([*prices.values(), replace(PLAIN, pattern="n")]).explain("m", AT, "p", "t", 12)
    assert {one.verdict: one.price for one in judged} == prices
    assert set(prices) == set(Verdict)


def test_contenders_are_those_that_some_request_of_the_time_may_have() -> None:
    since, until = AT - 100, AT
    conditional = replace(PLAIN, provider="p", service_tier="t", above_input_tokens=10)
    later, earlier = replace(PLAIN, effective_from=AT - 50), replace(PLAIN, effective_from=AT - 200)
    found = [conditional, later, earlier]
    hidden = [PLAIN, replace(PLAIN, pattern="*"), replace(PLAIN, effective_from=AT)]
    assert PriceBook([*hidden, *found]).contenders("m", since, until) == found


@given(books, words, words, tokens, st.integers(0, 3))
def test_who_wins_is_among_the_contenders(prices: list[Price], provider: str, tier: str, tokens: int, ago: int) -> None:
    book = PriceBook(prices)
    found = book.find("m", AT - ago, provider, tier, tokens)
    assert found is None or any(one is found for one in book.contenders("m", AT - 3, AT + 1))
