"""Which price a request has: one documented order, and an explanation that agrees with it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOON
from usage.accounting.multipliers import Multiplier
from usage.accounting.price_book import PriceBook, Verdict
from usage.accounting.pricing import LIST_PRICE, Price
from usage.accounting.tokens import Buckets
from usage.models.fields import to_micros

AT = to_micros(NOON)
LONG = 200_000
MINUTE, HOUR = 60_000_000, 3_600_000_000
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

    def test_account_and_channel_are_those_and_no_others(self) -> None:
        account, channel = replace(PLAIN, account_id=7), replace(PLAIN, channel_id=7)
        assert winner(PLAIN, account, channel=1, account=7) is account
        assert winner(PLAIN, account, channel=7, account=1) is PLAIN
        assert winner(PLAIN, channel, channel=7, account=1) is channel
        assert winner(PLAIN, channel, channel=1, account=7) is PLAIN

    def test_unknown_account_has_the_price_for_any(self) -> None:
        rows = (PLAIN, replace(PLAIN, account_id=7), replace(PLAIN, channel_id=7))
        assert winner(*rows) is winner(*rows, channel=None, account=None) is PLAIN
        assert winner(*rows[1:]) is None

    @pytest.mark.parametrize(
        ("minutes", "holds"),
        [(-1, False), (0, True), (239, True), (240, True), (479, True), (480, False), (720, False)],
    )
    def test_time_of_day_holds_from_its_first_minute_to_before_its_last_also_over_midnight(
        self, minutes: int, holds: bool
    ) -> None:
        """From 20:00 until 04:00, at minutes after 20:00."""
        night = replace(PLAIN, daily_from=20 * HOUR, daily_until=4 * HOUR)
        at = AT + 8 * HOUR + minutes * MINUTE  # AT is noon
        assert winner(PLAIN, night, at=at) is (night if holds else PLAIN)
        edge = at + 7 * 24 * HOUR - 1  # a week later, a microsecond before
        assert winner(PLAIN, night, at=edge) is (night if 0 < minutes <= 480 else PLAIN)

    def test_time_until_midnight_and_from_midnight_on(self) -> None:
        late, early = replace(PLAIN, daily_from=18 * HOUR), replace(PLAIN, daily_until=6 * HOUR)
        found = [winner(PLAIN, late, early, at=AT + hours * HOUR) for hours in (5, 6, 11, 12, 17, 18)]
        assert found == [PLAIN, late, late, early, early, PLAIN]

    def test_conditions_that_nobody_fulfils_are_no_price_and_not_zero(self) -> None:
        rows = (replace(PLAIN, service_tier="flex"), replace(PLAIN, above_input_tokens=9), replace(PLAIN, provider="x"))
        assert winner(*rows) is None
        assert PriceBook(rows).knows("m")


class TestPrecedence:
    # From the first to the last: each wins over all that follow.
    ORDER = (
        replace(PLAIN, account_id=7, provider="codex"),
        replace(PLAIN, account_id=7),
        replace(PLAIN, channel_id=3, provider="codex"),
        replace(PLAIN, channel_id=3, service_tier="flex"),
        replace(PLAIN, channel_id=3),
        replace(PLAIN, provider="codex", service_tier="flex", above_input_tokens=LONG, effective_from=AT),
        replace(PLAIN, provider="codex", service_tier="flex", above_input_tokens=LONG),
        replace(PLAIN, provider="codex", service_tier="flex", effective_from=AT),
        replace(PLAIN, provider="codex", daily_until=13 * HOUR),
        replace(PLAIN, provider="codex", above_input_tokens=LONG),
        replace(PLAIN, provider="codex"),
        replace(PLAIN, service_tier="flex", above_input_tokens=LONG),
        replace(PLAIN, service_tier="flex"),
        replace(PLAIN, daily_from=11 * HOUR, daily_until=13 * HOUR),
        replace(PLAIN, daily_until=13 * HOUR, above_input_tokens=LONG),
        replace(PLAIN, daily_until=13 * HOUR),
        replace(PLAIN, above_input_tokens=LONG),
        replace(PLAIN, effective_from=AT),
        PLAIN,
        replace(PLAIN, pattern="m*", account_id=7),
        replace(PLAIN, pattern="m*", provider="codex", service_tier="flex", above_input_tokens=LONG, effective_from=AT),
        replace(PLAIN, pattern="m*"),
        replace(PLAIN, pattern="*", provider="codex"),
        replace(PLAIN, pattern="*"),
    )

    def test_each_criterion_counts_before_all_that_follow(self) -> None:
        for first in range(len(self.ORDER)):
            for rows in (self.ORDER[first:], tuple(reversed(self.ORDER[first:]))):
                found = winner(
                    *rows, provider="codex", service_tier="flex", input_tokens=LONG + 1, channel=3, account=7
                )
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
owners = st.sampled_from([None, None, 1, 2])
# AT is noon.
clocks = st.sampled_from([0, 0, 11 * HOUR, 12 * HOUR, 13 * HOUR])
rows = st.builds(
    Price, st.sampled_from(["m", "m*", "*m", "*", "mm", "n"]), st.integers(0, 9), st.integers(0, 9), provider=words,
    service_tier=words, above_input_tokens=tokens, effective_from=moments, channel_id=owners, account_id=owners,
    daily_from=clocks, daily_until=clocks,
).filter(lambda row: row.daily_from != row.daily_until or row.daily_from == 0)  # fmt: skip
books = st.lists(
    rows, max_size=12,
    unique_by=lambda row: (
        row.pattern, row.account_id, row.channel_id, row.provider, row.service_tier, row.hours, row.above_input_tokens,
        row.effective_from,
    ),
)  # fmt: skip
requests = st.fixed_dictionaries({
    "at": st.just(AT), "provider": words, "service_tier": words, "input_tokens": tokens, "channel": owners,
    "account": owners,
})  # fmt: skip


def chosen_by_hand(prices: list[Price], model: str, asked: dict[str, Any]) -> Price | None:
    """The rule as the README tells it, one criterion after the other."""
    left = [
        one for one in prices
        if re.fullmatch(one.pattern.replace("*", ".*"), model) and one.provider in ("", asked["provider"])
        and one.account_id in (None, asked["account"]) and one.channel_id in (None, asked["channel"])
        and one.service_tier in ("", asked["service_tier"]) and one.effective_from <= AT
        and (one.above_input_tokens == 0 or asked["input_tokens"] > one.above_input_tokens)
        and any(  # by the hour
            (one.daily_from + number * HOUR) % (24 * HOUR) == 12 * HOUR
            for number in range(((one.daily_until - one.daily_from) // HOUR) % 24 or 24)
        )
    ]  # fmt: skip
    for criterion in (
        lambda one: ("*" not in one.pattern, len(one.pattern), [-ord(sign) for sign in one.pattern]),
        lambda one: one.account_id is not None,
        lambda one: one.channel_id is not None,
        lambda one: one.provider != "",
        lambda one: one.service_tier != "",
        lambda one: (-((one.daily_until - one.daily_from) % (24 * HOUR) or 24 * HOUR), -one.daily_from),
        lambda one: one.above_input_tokens,
        lambda one: one.effective_from,
    ):
        best = max(map(criterion, left), default=None)
        left = [one for one in left if criterion(one) == best]
    return left[0] if left else None


@given(books, st.sampled_from(["m", "mm", "M", "x"]), requests)
def test_choice_is_that_of_the_rule_applied_by_hand(prices: list[Price], model: str, asked: dict[str, Any]) -> None:
    book = PriceBook(prices)
    expected = chosen_by_hand(prices, model.lower(), asked)
    assert book.find(model, **asked) is expected
    assert book.find(model, **asked) is expected  # remembered


@given(books, requests)
def test_explanation_agrees_with_the_choice(prices: list[Price], asked: dict[str, Any]) -> None:
    book = PriceBook(prices, [Multiplier(5_000, channel_id=1)])
    judged = book.explain("m", **asked)
    found = book.find("m", **asked)
    assert [replace(one.price, factor=found.factor) for one in judged if one.verdict is Verdict.WINS and found] == [
        one for one in (found,) if one
    ]
    assert {id(one.price) for one in judged} == {id(one) for one in prices if one.pattern in ("m", "m*", "*m", "*")}


def test_each_price_that_does_not_win_has_its_reason() -> None:
    best = replace(
        PLAIN, account_id=7, channel_id=3, provider="p", service_tier="t", daily_from=11 * HOUR, daily_until=13 * HOUR,
        above_input_tokens=10, effective_from=2,
    )  # fmt: skip
    prices = {
        Verdict.WINS: best,
        Verdict.OLDER: replace(best, effective_from=1),
        Verdict.LOWER_THRESHOLD: replace(best, above_input_tokens=9),
        Verdict.LONGER_HOURS: replace(best, daily_from=0),
        Verdict.ANY_TIER: replace(best, service_tier=""),
        Verdict.ANY_PROVIDER: replace(best, provider=""),
        Verdict.ANY_CHANNEL: replace(best, channel_id=None),
        Verdict.ANY_ACCOUNT: replace(best, account_id=None),
        Verdict.PATTERN_BEHIND: replace(best, pattern="*"),
        Verdict.OTHER_ACCOUNT: replace(best, account_id=8),
        Verdict.OTHER_CHANNEL: replace(best, channel_id=8),
        Verdict.OTHER_PROVIDER: replace(best, provider="other"),
        Verdict.OTHER_TIER: replace(best, service_tier="other"),
        Verdict.OTHER_HOURS: replace(best, daily_from=13 * HOUR, daily_until=11 * HOUR),
        Verdict.INPUT_TOO_SHORT: replace(best, above_input_tokens=12),
        Verdict.NOT_YET: replace(best, effective_from=AT + 1),
    }
    judged = PriceBook([*prices.values(), replace(PLAIN, pattern="n")]).explain("m", AT, "p", "t", 12, 3, 7)
    assert {one.verdict: one.price for one in judged} == prices
    assert set(prices) == set(Verdict)


def test_contenders_are_those_that_some_request_of_the_time_may_have() -> None:
    since, until = AT - 100, AT
    conditional = replace(PLAIN, provider="p", service_tier="t", above_input_tokens=10)
    later, earlier = replace(PLAIN, effective_from=AT - 50), replace(PLAIN, effective_from=AT - 200)
    found = [conditional, later, earlier]
    hidden = [PLAIN, replace(PLAIN, pattern="*"), replace(PLAIN, effective_from=AT)]
    assert PriceBook([*hidden, *found]).contenders("m", since, until) == found


@given(books, requests, st.integers(0, 3))
def test_who_wins_is_among_the_contenders(prices: list[Price], asked: dict[str, Any], ago: int) -> None:
    book = PriceBook(prices)
    found = book.find("m", **asked | {"at": AT - ago})
    assert found is None or any(one is found for one in book.contenders("m", AT - 3, AT + 1))


class TestMultipliers:
    """Of account 7 in channel 3, at AT and just before."""

    def factor(self, *multipliers: Multiplier, at: int = AT, channel: int | None = 3, account: int | None = 7) -> int:
        found = PriceBook([PLAIN], multipliers).find("m", at, channel=channel, account=account)
        assert found is not None
        assert replace(found, factor=LIST_PRICE) == PLAIN
        return found.factor

    def test_accounts_own_comes_before_its_channels(self) -> None:
        both = (Multiplier(5_000, channel_id=3), Multiplier(3_000, account_id=7))
        assert self.factor(*both) == 3_000
        assert self.factor(*both, account=8) == self.factor(*both, account=None) == 5_000
        assert self.factor(*both, channel=4, account=8) == self.factor(*both, channel=None, account=None) == LIST_PRICE

    def test_an_id_of_the_other_kind_is_another(self) -> None:
        assert self.factor(Multiplier(5_000, channel_id=7), Multiplier(3_000, account_id=3)) == LIST_PRICE

    def test_the_last_that_came_into_force_counts_from_that_moment_on(self) -> None:
        some = (Multiplier(1, None, 7, AT - 9), Multiplier(LIST_PRICE, None, 7, AT), Multiplier(5_000, 3))
        for multipliers in (some, tuple(reversed(some))):
            found = [self.factor(*multipliers, at=at) for at in (AT - 10, AT - 9, AT - 1, AT, AT + 1)]
            assert found == [5_000, 1, 1, LIST_PRICE, LIST_PRICE]

    def test_it_multiplies_tokens_beside_the_prices_own_and_is_rounded_once(self) -> None:
        """1,499 nano-dollars: x 0.5 x 0.3333 = 249.8, x 0.7 x 0.9999 = 1049.2."""
        price = Price("m", 1, 1, multiplier=5_000, per_request=9)
        buckets = Buckets(uncached_input=1_499_000)
        assert replace(price, factor=3_333).cost(buckets) == 250 + 9
        assert replace(price, multiplier=7_000, factor=9_999).cost(buckets) == 1_049 + 9
        assert replace(price, factor=0).cost(buckets) == 9
