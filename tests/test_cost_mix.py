"""The cost of each type of token: parts are estimates by the prices of now, their sum is the cost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.stats import Usage
from channels_app.stats.cost_mix import OTHER, cost_by_kind
from tests.factories import NOON, examples, undone
from usage.ingest.grains import TOKENS
from usage.models import ModelName, ModelPrice
from usage.models.fields import to_micros

pytestmark = pytest.mark.django_db
NOW = to_micros(NOON)


def model(name: str, **prices: object) -> int:
    if prices:
        ModelPrice.objects.create(pattern=name, effective_from=NOON, **prices)
    return ModelName.objects.create(name=name).pk


def test_a_cost_is_divided_as_the_price_divides_it() -> None:
    pk = model("m", input=2, output=10, cached_input=Decimal("0.2"))
    usage = Usage(requests=1, uncached_input=100, cache_read=1_000, output=40, cost_nanousd=800_000)
    assert cost_by_kind({(pk,): usage}, NOW) == {"uncached_input": 200_000, "cache_read": 200_000, "output": 400_000}


def test_what_no_price_divides_is_of_its_own() -> None:
    deleted, each = model("deleted"), model("each", input=0, output=0, per_request=Decimal("0.5"))
    used = {(pk,): Usage(requests=1, output=40, cost_nanousd=7) for pk in (deleted, each)}
    assert cost_by_kind(used, NOW) == {OTHER: 14}


def test_what_has_no_cost_has_no_parts() -> None:
    assert cost_by_kind({(model("m", input=1, output=1),): Usage(requests=1, output=40)}, NOW) == {}


@settings(max_examples=examples(50))
@given(
    st.lists(st.integers(0, 10**12), min_size=6, max_size=6),
    st.lists(st.decimals(0, 1_000, places=6), min_size=5, max_size=5),
    st.integers(0, 10**15),
)
def test_parts_are_the_cost_to_the_last_nano_dollar(tokens: list[int], prices: list[Decimal], cost: int) -> None:
    names = ("input", "cached_input", "cache_write", "output", "reasoning")
    with undone():
        pk = model("m", **dict(zip(names, prices, strict=True)))
        usage = Usage(requests=1, cost_nanousd=cost, **dict(zip(TOKENS, tokens, strict=True)))
        parts = cost_by_kind({(pk,): usage}, NOW)
    assert sum(parts.values()) == cost
    assert all(part > 0 for part in parts.values())
    assert all(getattr(usage, kind) for kind in parts if kind != OTHER)
