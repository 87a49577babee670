"""Which price is in force, and what tokens cost at it, to the nano-dollar."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOON, book, payload, rollup_rows, undone
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets, Family, RawTokens, split
from usage.ingest import grains, rollup
from usage.ingest.prices import load_prices, price_new_models, price_unpriced
from usage.models import Instance, ModelPrice, UsageHourly, UsageRecord
from usage.models.fields import to_micros

AT = to_micros(NOON)
count = st.integers(0, 10**9)
amount = st.integers(0, 10**9)
buckets = st.builds(Buckets, count, count, count, count, count, count)
maybe = st.none() | amount
prices = st.builds(
    Price, st.just("m"), amount, amount, maybe, maybe, maybe, per_request=amount, multiplier=st.integers(0, 999_999)
)
# Models that no catalog knows, so that only our own rows price them.
OWN = "house-model-FAKE"


def price(pattern: str, input: int = 1, effective_from: int = 0) -> Price:
    return Price(pattern, input, input, effective_from=effective_from)


def add_price(pattern: str, input: str, output: str, **others: Any) -> ModelPrice:
    return ModelPrice.objects.create(pattern=pattern, input=Decimal(input), output=Decimal(output), **others)


class TestPrecedence:
    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("gpt-5", "gpt-5"),
            ("GPT-5", "gpt-5"),
            ("gpt-5-mini", "gpt-5-*"),
            ("gpt-6", "gpt-*"),
            ("gpt-", "gpt-*"),
            ("openai/gpt-5", "*"),
            ("gpt-5\n-odd", "gpt-*"),
            ("", "*"),
        ],
    )
    def test_exact_name_before_the_longest_pattern(self, model: str, expected: str) -> None:
        listed = PriceBook(price(pattern) for pattern in ("*", "gpt-*", "gpt-5", "gpt-5-*"))
        found = listed.find(model, AT)
        assert found is not None
        assert found.pattern == expected

    def test_pattern_means_its_other_characters_literally(self) -> None:
        listed = PriceBook([price("gpt-4.1*"), price("a(b)[c]+*")])
        assert listed.find("gpt-4x1", AT) is None
        assert listed.find("gpt-4.1-mini", AT) is not None
        assert listed.find("a(b)[c]+d", AT) is not None

    def test_no_price_is_none_and_not_zero(self) -> None:
        assert PriceBook([]).find("m", AT) is None
        assert PriceBook([price("other")]).find("m", AT) is None
        assert not PriceBook([price("other")]).knows("m")

    def test_last_row_in_force_counts_in_whatever_order_rows_come(self) -> None:
        rows = [price("m", 1, 0), price("m", 2, AT), price("m", 3, AT + 10)]
        for listed in (PriceBook(rows), PriceBook(reversed(rows))):
            found = [listed.find("m", at) for at in (0, AT - 1, AT, AT + 9, AT + 10)]
            assert [one and one.input for one in found] == [1, 1, 2, 2, 3]

    def test_pattern_fills_in_before_the_exact_price_is_in_force(self) -> None:
        listed = PriceBook([price("m", 1, AT), price("*", 2)])
        assert [(one := listed.find("m", at)) and one.input for at in (AT - 1, AT)] == [2, 1]

    def test_price_that_is_not_yet_in_force_is_none(self) -> None:
        listed = PriceBook([price("m", 1, AT)])
        assert listed.find("m", AT - 1) is None
        assert listed.knows("m")

    @given(st.lists(st.text("ab*", min_size=1, max_size=4), unique=True, max_size=8), st.text("ab", max_size=5))
    def test_choice_is_that_of_the_rule_applied_by_hand(self, patterns: list[str], model: str) -> None:
        found = PriceBook(price(pattern) for pattern in patterns).find(model, AT)
        fitting = [one for one in patterns if re.fullmatch(one.replace("*", ".*"), model)]
        expected = min(fitting, key=lambda one: ("*" in one, -len(one), one), default=None)
        assert (found and found.pattern) == expected


class TestCost:
    def test_each_bucket_has_its_price(self) -> None:
        """$3 / $0.30 / $3.75 / $15 per 1M; reasoning is output, unclassified is input."""
        sonnet = Price("sonnet", 3_000_000, 15_000_000, 300_000, 3_750_000)
        assert sonnet.cost(Buckets(2, 44225, 831, 204, 40, 10)) == (
            12 * 3_000 + 44225 * 300 + 831 * 3_750 + 244 * 15_000
        )

    def test_absent_cache_prices_are_those_of_input(self) -> None:
        plain = Price("m", 2_000, 7_000)
        assert plain.cost(Buckets(1, 10, 100)) == 222

    @pytest.mark.parametrize(("tokens", "nano"), [(0, 0), (1, 0), (499, 0), (500, 1), (501, 1), (1499, 1), (1500, 2)])
    def test_half_a_nano_dollar_is_rounded_up_and_once(self, tokens: int, nano: int) -> None:
        one = Price("m", 1, 1)
        assert one.cost(Buckets(uncached_input=tokens)) == nano
        if tokens:
            assert one.cost(Buckets(1, 1, 1, tokens - 1, 1, 1)) == (tokens + 4 + 500) // 1000

    @given(prices, buckets)
    def test_cost_is_exact(self, price: Price, used: Buckets) -> None:
        cached = price.input if price.cached_input is None else price.cached_input
        written = price.input if price.cache_write is None else price.cache_write
        reasoning = price.output if price.reasoning is None else price.reasoning
        each = (price.input, cached, written, price.output, reasoning, price.input)
        listed = sum(Fraction(tokens * one, 1000) for tokens, one in zip(used, each, strict=True))
        exact = listed * Fraction(price.multiplier, 10_000) + price.per_request
        assert price.cost(used) == floor(exact + Fraction(1, 2))

    @pytest.mark.parametrize(("reasoning", "nano"), [(None, 70), (0, 20), (3_000, 35)])
    def test_reasoning_has_its_own_price_or_that_of_output(self, reasoning: int | None, nano: int) -> None:
        assert Price("m", 1_000, 10_000, reasoning=reasoning).cost(Buckets(output=2, reasoning=5)) == nano

    @pytest.mark.parametrize(
        ("multiplier", "nano"),
        [(10_000, 10_000_005), (3_000, 3_000_005), (3_333, 3_333_005), (0, 5), (20_000, 20_000_005)],
    )
    def test_multiplier_is_of_the_tokens_and_not_of_the_request(self, multiplier: int, nano: int) -> None:
        assert Price("m", 1_000_000, 0, per_request=5, multiplier=multiplier).cost(Buckets(10_000)) == nano

    def test_multiplied_price_is_rounded_once(self) -> None:
        """0.3 x 0.001 nano-USD x 1,667 tokens is 0.5001; each for itself would be rounded to nothing."""
        third = Price("m", 1, 1, multiplier=3_000)
        assert [third.cost(Buckets(tokens)) for tokens in (1_666, 1_667)] == [0, 1]

    def test_request_has_its_price_also_without_tokens_unless_it_failed(self) -> None:
        listed = Price("m", 1_000, 1_000, per_request=7)
        assert listed.cost(Buckets()) == 7
        assert listed.cost(Buckets(), failed=True) == 0
        assert listed.cost(Buckets(5), failed=True) == 12

    def test_sums_that_no_float_holds_are_exact(self) -> None:
        """10^12 tokens at $999,999.999999 per 1M, and one more at $0.000001."""
        assert Price("m", 999_999_999_999, 1).cost(Buckets(10**12)) == 999_999_999_999 * 10**9
        assert Price("m", 1, 1).cost(Buckets(10**12 + 500)) == 10**9 + 1

    def test_price_of_zero_is_free(self) -> None:
        assert Price("m", 0, 0).cost(Buckets(1, 2, 3, 4, 5, 6)) == 0

    @given(prices, buckets, st.sampled_from(grains.TOKENS), count)
    def test_more_tokens_never_cost_less(self, price: Price, used: Buckets, name: str, more: int) -> None:
        assert price.cost(used._replace(**{name: getattr(used, name) + more})) >= price.cost(used)

    @given(prices, buckets, st.sampled_from(["input", "output"]), amount)
    def test_a_higher_price_never_costs_less(self, price: Price, used: Buckets, name: str, more: int) -> None:
        assert replace(price, **{name: getattr(price, name) + more}).cost(used) >= price.cost(used)

    @given(prices, buckets, buckets)
    def test_parts_cost_what_the_whole_costs_but_for_one_rounding(
        self, price: Price, one: Buckets, two: Buckets
    ) -> None:
        whole = Buckets(*(a + b for a, b in zip(one, two, strict=True)))
        assert abs(price.cost(whole) + price.per_request - price.cost(one) - price.cost(two)) <= 1


class TestSavings:
    def test_reads_save_the_difference_and_writes_cost_it(self) -> None:
        """$3 / $0.30 / $3.75: each token read saves 2,700 nano-USD, each written costs 750 more."""
        sonnet = Price("sonnet", 3_000_000, 15_000_000, 300_000, 3_750_000)
        assert sonnet.saved(Buckets(2, 44225, 831, 204, 40, 10)) == 44225 * 2_700 - 831 * 750
        assert sonnet.saved(Buckets(cache_write=831)) == -831 * 750
        assert sonnet.saved(Buckets(1, 0, 0, 1, 1, 1)) == 0

    def test_without_prices_of_the_cache_nothing_is_saved(self) -> None:
        assert Price("m", 2_000, 7_000, multiplier=3_333).saved(Buckets(1, 10, 100)) == 0

    @pytest.mark.parametrize(
        ("read", "nano"), [(499, 0), (500, 1), (1499, 1), (-499, 0), (-500, 0), (-501, -1), (-1500, -1)]
    )
    def test_half_a_nano_dollar_is_rounded_up(self, read: int, nano: int) -> None:
        one = Price("m", 1, 1, cached_input=0) if read > 0 else Price("m", 1, 1, cached_input=2)
        assert one.saved(Buckets(cache_read=abs(read))) == nano

    @given(prices, buckets)
    def test_they_are_what_the_tokens_would_have_cost_as_input(self, price: Price, used: Buckets) -> None:
        plain = replace(price, cached_input=None, cache_write=None)
        exact = Fraction(
            sum((plain.rates[at] - price.rates[at]) * used[at] for at in range(6)) * price.multiplier, 10**7
        )
        assert price.saved(used) == floor(exact + Fraction(1, 2))
        assert abs(plain.cost(used) - price.cost(used) - price.saved(used)) <= 1


# USD per 1M tokens, as published, in nano-USD per 1,000 tokens.
GPT_5 = Price("gpt-5", 1_250_000, 10_000_000, 125_000)
GEMINI_25_PRO = Price("gemini-2.5-pro", 1_250_000, 10_000_000, 125_000)
SONNET = Price("claude-sonnet-4-5", 3_000_000, 15_000_000, 300_000, 3_750_000)


@pytest.mark.parametrize(
    ("price", "family", "raw", "nano"),
    [
        # 6 x 1.25 + 4 x 0.125 + (1 + 5) x 10 = 7.5 + 0.5 + 60 micro-USD
        (GPT_5, Family.SUBSET, {"input": 10, "output": 6, "cached": 4, "reasoning": 5, "total": 16}, 68_000),
        # 3 x 1.25 + 7 x 0.125 + (11 + 9) x 10 = 3.75 + 0.875 + 200
        (GPT_5, Family.SUBSET, {"input": 10, "output": 20, "cached": 7, "reasoning": 9, "total": 30}, 204_625),
        # (30 + 40) x 1.25 + 30 x 0.125 + 20 x 10 = 87.5 + 3.75 + 200; a cache write has no price of its own
        (
            GPT_5, Family.SUBSET,
            {"input": 100, "output": 20, "cached": 30, "cache_read": 30, "cache_creation": 40, "total": 120}, 291_250,
        ),
        # 17,984 x 1.25 + (2,668 + 1,028) x 10 = 22,480 + 36,960
        (
            GEMINI_25_PRO, Family.GEMINI,
            {"input": 17_984, "output": 2_668, "reasoning": 1_028, "total": 21_680}, 59_440_000,
        ),
        # (10 + 5) x 1.25 + (2 + 3) x 10 = 18.75 + 50: tokens of tool use stand in the total alone
        (GEMINI_25_PRO, Family.GEMINI, {"input": 10, "output": 2, "reasoning": 3, "total": 20}, 68_750),
        # 3,085 x 3 + 7 x 0.3 + 19,514 x 3.75 + 253 x 15 = 9,255 + 2.1 + 73,177.5 + 3,795
        (
            SONNET, Family.CLAUDE,
            {"input": 3_085, "output": 253, "cache_read": 7, "cache_creation": 19_514, "total": 3_338}, 86_229_600,
        ),
        # 2 x 3 + 44,225 x 0.3 + 831 x 3.75 + (204 + 40) x 15 = 6 + 13,267.5 + 3,116.25 + 3,660
        (
            SONNET, Family.CLAUDE,
            {
                "input": 2, "output": 244, "cache_read": 44_225, "cache_creation": 831, "reasoning": 40,
                "total": 45_302,
            },
            20_049_750,
        ),
        # 42 x 1.25, all that is known being the total
        (GPT_5, Family.SUBSET, {"total": 42}, 52_500),
    ],
)  # fmt: skip
def test_examples_of_the_contract_by_hand(price: Price, family: Family, raw: dict[str, int], nano: int) -> None:
    used, _quality = split(RawTokens(**{f"{name}_tokens": tokens for name, tokens in raw.items()}), family)
    assert price.cost(used) == nano


@pytest.mark.django_db
class TestPriceColumn:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.decimals(0, 999_999, places=6, allow_nan=False))
    def test_price_survives_the_database_exactly(self, usd: Decimal) -> None:
        with undone():
            row = ModelPrice.objects.create(pattern="m", input=usd, output=usd, cached_input=usd)
            row.refresh_from_db()
            assert (row.input, row.output, row.cached_input, row.cache_write) == (usd, usd, usd, None)
            assert ModelPrice.objects.filter(input=usd, output__lte=usd).exists()
            found = load_prices().find("m", AT)
            assert found is not None
            assert Decimal(found.input).scaleb(-6) == usd

    @given(prices, st.integers(0, 2**40))
    def test_row_says_what_the_price_says(self, price: Price, above: int) -> None:
        price = replace(price, provider="p", service_tier="t", above_input_tokens=above, effective_from=AT)
        with undone():
            row = ModelPrice.of(price)
            row.save()
            assert ModelPrice.objects.get().price == replace(price, id=row.pk)

    @pytest.mark.parametrize("name", ["reasoning", "per_request", "multiplier"])
    def test_decimals_that_would_be_lost_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"has more than \d decimals"):
            add_price("m", "1", "1", **{name: "0.0000000001"})

    def test_pattern_has_one_price_from_one_moment_on(self) -> None:
        add_price("m", "1", "1")
        add_price("m", "2", "2", effective_from=NOON)
        found = load_prices()
        assert [(one := found.find("m", at)) and one.input for at in (AT - 1, AT)] == [1_000_000, 2_000_000]


class TestBooking:
    def test_cost_of_a_record_is_that_of_the_price_in_force_at_its_time(self, instance: Instance) -> None:
        add_price(OWN, "1", "1")
        add_price(OWN, "2.5", "10", effective_from=NOON)
        book(instance, payload(NOON - timedelta(microseconds=1), model=OWN), payload(NOON, model=OWN))
        found = UsageRecord.objects.order_by("requested_at").values_list("cost_nanousd", flat=True)
        assert list(found) == [120_000, 100 * 2_500 + 20 * 10_000]

    def test_unpriced_stays_none_and_is_counted_as_unpriced(self, instance: Instance) -> None:
        book(instance, payload(model=OWN), payload(model=OWN, tokens={}))
        assert set(UsageRecord.objects.values_list("cost_nanousd", "price")) == {(None, None)}
        hour = UsageHourly.objects.get()
        assert (hour.requests, hour.priced_requests, hour.priced_tokens, hour.cost_nanousd) == (2, 0, 0, 0)
        assert price_unpriced() == 0

    def test_failure_that_used_nothing_cost_nothing_at_any_price(self, instance: Instance) -> None:
        book(instance, payload(model=OWN, failed=True, tokens={}))
        assert UsageRecord.objects.get().cost_nanousd == 0

    def test_failure_that_used_tokens_costs_them(self, instance: Instance) -> None:
        add_price(OWN, "1", "1")
        book(instance, payload(model=OWN, failed=True))
        assert UsageRecord.objects.get().cost_nanousd == 120_000

    def test_known_model_gets_the_catalogs_price_by_itself(self, instance: Instance) -> None:
        book(instance, payload(model="gpt-4o", provider="codex"))
        row = ModelPrice.objects.get(service_tier="")
        assert (row.pattern, row.origin, row.locked) == ("gpt-4o", ModelPrice.Origin.CATALOG, False)
        assert row.catalog_name == "openai/gpt-4o"
        record = UsageRecord.objects.get()
        assert record.price == row
        assert record.cost_nanousd == 100 * row.input * 1000 + 20 * row.output * 1000

    def test_conditions_of_a_price_are_those_of_the_record(self, instance: Instance) -> None:
        """What upstream says it billed counts, else what was asked for; the threshold counts the cache too."""
        add_price(OWN, "1", "1")
        add_price(OWN, "2", "2", service_tier="priority")
        add_price(OWN, "3", "3", above_input_tokens=99)
        add_price(OWN, "4", "4", provider="claude")
        few = {"input_tokens": 90, "output_tokens": 30, "total_tokens": 120}
        cached = {"input_tokens": 99, "output_tokens": 20, "cached_tokens": 50, "total_tokens": 119}
        asked: list[tuple[int, dict[str, Any]]] = [
            (120_000, {"tokens": few, "service_tier": "priority", "response_service_tier": "default"}),
            (240_000, {"tokens": few, "service_tier": "auto", "response_service_tier": "priority"}),
            (240_000, {"tokens": few, "service_tier": "priority"}),
            (119_000, {"tokens": cached}),
            (360_000, {"tokens": cached | {"input_tokens": 100, "total_tokens": 120}}),
            (480_000, {"provider": "claude"}),
        ]
        payloads = [payload(NOON + timedelta(minutes=n), model=OWN, **fields) for n, (_, fields) in enumerate(asked)]
        with undone():
            book(instance, *payloads)
            expected = [nano for nano, _ in asked]
            assert list(UsageRecord.objects.order_by("id").values_list("cost_nanousd", flat=True)) == expected
        rows = list(ModelPrice.objects.all())
        ModelPrice.objects.all().delete()
        book(instance, *payloads)
        ModelPrice.objects.bulk_create(rows)
        assert price_unpriced() == len(asked)
        assert list(UsageRecord.objects.order_by("id").values_list("cost_nanousd", flat=True)) == expected

    def test_price_of_some_requests_alone_leaves_the_others_to_the_catalog(self, instance: Instance) -> None:
        add_price("gpt-4o", "9", "9", service_tier="priority")
        add_price(OWN, "9", "9", service_tier="priority")
        book(instance, payload(model="gpt-4o"), payload(model=OWN))
        found = dict(UsageRecord.objects.values_list("model__name", "cost_nanousd"))
        assert found == {"gpt-4o": 100 * 2_500 + 20 * 10_000, OWN: None}
        assert [row.input for row in ModelPrice.objects.filter(pattern="gpt-4o", service_tier="priority")] == [9]
        assert price_unpriced() == 0

    def test_free_is_not_unpriced(self, instance: Instance) -> None:
        add_price(OWN, "0", "0")
        book(instance, payload(model=OWN))
        assert UsageRecord.objects.get().cost_nanousd == 0
        assert (UsageHourly.objects.get().priced_requests, UsageHourly.objects.get().priced_tokens) == (1, 120)

    def test_operators_pattern_is_not_overruled_by_the_catalog(self, instance: Instance) -> None:
        add_price("gpt-*", "1", "1")
        assert price_new_models([("gpt-4o", "codex")], load_prices()) == 0
        book(instance, payload(model="gpt-4o"))
        assert UsageRecord.objects.get().cost_nanousd == 120_000

    def test_later_price_reaches_what_came_before_it_and_no_more(self, instance: Instance) -> None:
        """A price in force since NOON prices the records since NOON; the rollup follows."""
        times = [NOON + timedelta(minutes=minutes) for minutes in range(-3, 3)]
        book(instance, *(payload(at, model=OWN) for at in times), payload(model="other-FAKE"))
        add_price(OWN, "1", "1", effective_from=NOON)
        assert price_unpriced() == 3
        assert price_unpriced() == 0
        priced = UsageRecord.objects.exclude(cost_nanousd=None).values_list("requested_at", "cost_nanousd")
        assert set(priced) == {(at, 120_000) for at in times[3:]}
        assert rollup.differences() == []

    def test_priced_later_is_priced_as_if_it_had_been_known(self, instance: Instance) -> None:
        payloads = [payload(NOON + timedelta(minutes=n), model=OWN, tokens={"input_tokens": n}) for n in range(5)]
        with undone():
            book(instance, *payloads)
            add_price(OWN, "1.234567", "1")
            price_unpriced()
            later = rollup_rows()
        add_price(OWN, "1.234567", "1")
        book(instance, *payloads)
        assert rollup_rows() == later

    def test_change_of_a_price_leaves_what_was_priced(self, instance: Instance) -> None:
        row = add_price(OWN, "1", "1")
        book(instance, payload(model=OWN))
        row.input = Decimal(9)
        row.save()
        assert price_unpriced() == 0
        assert UsageRecord.objects.get().cost_nanousd == 120_000


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({}, "m"),
        ({"provider": "codex", "service_tier": "flex", "above_input_tokens": 200_000}, "m · codex · flex · > 200,000"),
    ],
)
def test_row_is_called_by_its_conditions(conditions: dict[str, Any], text: str) -> None:
    assert str(ModelPrice(pattern="m", **conditions)) == text


def test_dates_of_prices_are_utc() -> None:
    assert ModelPrice().effective_from == datetime(1970, 1, 1, tzinfo=UTC)
