"""A record's cost as the API explains it: by hand, from the table, to the cost that was booked."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from rest_framework.test import APIClient

from tests.factories import NOON, auth_file, auth_files, book, examples, list_names, payload, undone
from tests.test_pricing import OWN, add_price, buckets, prices
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets
from usage.ingest.grains import TOKENS
from usage.models import Account, Instance, ModelPrice, PriceMultiplier, UsageRecord

NANO = Decimal("0.000000001")


def explanation(api: APIClient) -> dict[str, Any]:
    answer = api.get(f"/api/records/{UsageRecord.objects.get().pk}/").json()
    found: dict[str, Any] = answer["cost_explanation"] | {"booked": answer["cost"]["usd"]}
    return found


def by_hand(table: dict[str, Any]) -> Decimal:
    """Multiply out the table as its description says."""
    for line in table["lines"]:
        assert Decimal(line["usd"]) == line["tokens"] * Decimal(line["usd_per_million"]) / 10**6
    exact = sum(Decimal(line["usd"]) for line in table["lines"])
    assert exact == Decimal(table["tokens_usd"])
    factor = Decimal(table["account_multiplier"]["factor"]) if table["account_multiplier"] else 1
    rounded = (exact * Decimal(table["multiplier"]) * factor).quantize(NANO, ROUND_HALF_UP)
    return rounded + Decimal(table["per_request_usd"])


def test_table_multiplies_out_to_the_cost(api: APIClient, instance: Instance) -> None:
    row = add_price(
        OWN, "2.5", "10", cached_input="0.25", multiplier="0.3", per_request="0.01", service_tier="priority",
        above_input_tokens=99,
    )  # fmt: skip
    used = {"input_tokens": 100, "cached_tokens": 60, "output_tokens": 20, "reasoning_tokens": 5, "total_tokens": 120}
    book(instance, payload(model=OWN, tokens=used, response_service_tier="priority", service_tier="auto"))
    table = explanation(api)
    assert (table["outcome"], table["service_tier"], table["input_tokens"]) == ("multiplies_out", "priority", 100)
    lines = {line["bucket"]: (line["tokens"], line["usd_per_million"], line["usd"]) for line in table["lines"]}
    assert lines == {
        "uncached_input": (40, "2.500000", "0.000100000000"), "cache_read": (60, "0.250000", "0.000015000000"),
        "cache_write": (0, "2.500000", "0.000000000000"), "output": (15, "10.000000", "0.000150000000"),
        "reasoning": (5, "10.000000", "0.000050000000"), "unclassified": (0, "2.500000", "0.000000000000"),
    }  # fmt: skip
    assert (table["tokens_usd"], table["multiplier"], table["per_request_usd"]) == ("0.000315000000", "0.3", "0.01")
    assert table["usd"] == table["booked"] == "0.010094500"
    assert (table["price"]["id"], table["price"]["service_tier"], table["price"]["above_input_tokens"]) == (
        row.pk, "priority", 99,
    )  # fmt: skip


def test_multiplier_of_the_account_is_a_line_of_it(api: APIClient, instance: Instance) -> None:
    file = auth_file("one.json", "codex", email="one@example.com", auth_index="1")
    list_names(instance, auth_files=auth_files(file))
    account = Account.objects.get()
    add_price(OWN, "2.5", "10", multiplier="0.5", per_request="0.01", account=account)
    earlier = PriceMultiplier.objects.create(account=account, factor=Decimal("0.3333"))
    later = PriceMultiplier.objects.create(
        account=account, factor=Decimal(2), effective_from=NOON + timedelta(seconds=1)
    )
    book(instance, payload(NOON, model=OWN, auth_index="1"))
    table = explanation(api)
    assert table["outcome"] == "multiplies_out"
    assert (table["account_multiplier"]["id"], table["price"]["account"]) == (earlier.pk, account.pk)
    assert by_hand(table) == Decimal(table["usd"]) == Decimal(table["booked"]) == Decimal("0.010074993")
    later.effective_from = NOON
    later.save()
    table = explanation(api)
    assert (table["outcome"], table["account_multiplier"]["id"]) == ("price_changed", later.pk)
    assert by_hand(table) == Decimal(table["usd"]) == Decimal("0.010450000")


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(prices, buckets)
def test_any_table_multiplies_out_by_hand(api: APIClient, instance: Instance, price: Price, used: Buckets) -> None:
    with undone():
        book(instance, payload(model="no-price-FAKE"))
        row = ModelPrice.of(price)
        row.save()
        UsageRecord.objects.update(cost_nanousd=price.cost(used), price=row, **dict(zip(TOKENS, used, strict=True)))
        table = explanation(api)
        assert table["outcome"] == "multiplies_out"
        assert by_hand(table) == Decimal(table["usd"]) == Decimal(table["booked"])


def test_price_that_was_edited_or_deleted_since_is_named(api: APIClient, instance: Instance) -> None:
    row = add_price(OWN, "1", "1")
    book(instance, payload(model=OWN))
    row.input = Decimal(2)
    row.save()
    table = explanation(api)
    assert (table["outcome"], table["booked"], table["usd"]) == ("price_changed", "0.000120000", "0.000220000")
    row.delete()
    table = explanation(api)
    assert (table["outcome"], table["booked"], table["usd"], table["price"]) == (
        "price_deleted", "0.000120000", None, None,
    )  # fmt: skip
    assert table["lines"] == []


@pytest.mark.parametrize(("fields", "outcome"), [({}, "unpriced"), ({"failed": True, "tokens": {}}, "nothing_used")])
def test_record_without_a_price_has_no_table(
    api: APIClient, instance: Instance, fields: dict[str, Any], outcome: str
) -> None:
    book(instance, payload(model=OWN, **fields))
    table = explanation(api)
    assert (table["outcome"], table["lines"], table["usd"]) == (outcome, [], None)


def test_failure_that_used_nothing_pays_nothing_for_the_request(api: APIClient, instance: Instance) -> None:
    add_price(OWN, "1", "1", per_request="0.5")
    book(instance, payload(model=OWN, failed=True, tokens={}))
    table = explanation(api)
    assert (table["outcome"], by_hand(table), table["usd"]) == ("multiplies_out", 0, "0.000000000")
