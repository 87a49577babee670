"""`/api/prices/resolve/`: which price counts, and why the others do not."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.factories import NOON
from tests.test_pricing import OWN, add_price
from usage.accounting.price_book import Verdict
from usage.models import Account, Channel, Instance, PriceMultiplier
from usage.prices.resolution import _REASONS

PATH = "/api/prices/resolve/"
pytestmark = pytest.mark.django_db


def resolved(api: APIClient, **query: str) -> dict[str, Any]:
    answer = api.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_the_price_that_counts_and_why_the_others_do_not(api: APIClient) -> None:
    rows = {
        "wins": add_price(OWN, "5", "30", service_tier="priority", above_input_tokens=200_000, reasoning="40"),
        "lower_threshold": add_price(OWN, "4", "20", service_tier="priority"),
        "any_tier": add_price(OWN, "2.5", "15", effective_from=NOON),
        "other_provider": add_price(OWN, "1", "1", provider="claude"),
        "not_yet": add_price(OWN, "9", "9", service_tier="priority", effective_from=NOON + timedelta(days=2)),
        "pattern_behind": add_price("house-*", "1", "1"),
    }
    add_price("other-*", "1", "1")
    found = resolved(
        api, model=OWN.upper(), provider="codex", tier="Priority", input_tokens="200001", at="2026-08-23T00:00:00Z"
    )
    assert {one["verdict"]: one["price"]["id"] for one in found["prices"]} == {
        verdict: row.pk for verdict, row in rows.items()
    }
    assert all(one["reason"] for one in found["prices"])
    price = found["price"]
    assert price["id"] == rows["wins"].pk
    assert (price["input"], price["cached_input"], price["reasoning"], price["multiplier"]) == ("5", None, "40", "1")
    assert (price["effective_from"], price["origin"], price["locked"]) == ("1970-01-01T00:00:00Z", "manual", True)


def test_channel_account_and_time_of_day_decide_too(api: APIClient, instance: Instance) -> None:
    channel, other = (Channel.objects.create(name=name, kind="oauth") for name in ("codex", "other"))
    account = Account.objects.create(instance=instance, channel=channel, label="team")
    add_price(OWN, "1", "1")
    add_price(OWN, "2", "2", channel=channel)
    add_price(OWN, "3", "3", account=account, daily_from=time(20), daily_until=time(4))
    multiplier = PriceMultiplier.objects.create(channel=channel, factor=Decimal("0.3"))

    def answer(**query: str) -> tuple[str, Any]:
        found = resolved(api, model=OWN, **query)
        return found["price"]["input"], found["multiplier"] and found["multiplier"]["id"]

    assert answer() == answer(channel="other") == ("1", None)
    assert answer(channel="codex") == ("2", multiplier.pk)
    assert answer(account=f"{account.pk}", at="2026-08-22T12:00:00Z") == ("2", multiplier.pk)
    assert answer(account=f"{account.pk}", channel="codex", at="2026-08-22T03:59:59Z") == ("3", multiplier.pk)
    assert answer(account=f"{account.pk}", at="2026-08-22T04:00:00Z") == ("2", multiplier.pk)
    wrong = api.get(PATH, {"model": OWN, "channel": "other", "account": account.pk})
    assert (wrong.status_code, list(wrong.json())) == (400, ["account"])
    assert other.slug == "other"


@pytest.mark.parametrize(
    ("at", "usd"), [("2026-08-22", "1"), ("2026-08-22T11:59:59Z", "1"), ("2026-08-22T20:00:00+08:00", "2"), ("", "2")]
)
def test_time_is_a_moment_or_a_day_and_without_it_is_now(api: APIClient, at: str, usd: str) -> None:
    add_price(OWN, "1", "1")
    add_price(OWN, "2", "2", effective_from=NOON)
    assert resolved(api, model=OWN, at=at)["price"]["input"] == usd


def test_model_without_a_price_is_unpriced_and_free_is_not(api: APIClient) -> None:
    assert resolved(api, model=OWN) == {"price": None, "prices": [], "multiplier": None}
    add_price(OWN, "0", "0")
    assert resolved(api, model=OWN)["price"]["input"] == "0"


@pytest.mark.parametrize(
    ("query", "name", "words"),
    [
        ({}, "model", "Name a model"),
        ({"model": " "}, "model", "Name a model"),
        ({"model": "x" * 301}, "model", "model has 301 characters; it may have 300 at most"),
        ({"model": "m", "tier": "x" * 301}, "tier", "300 at most"),
        ({"model": "m", "input_tokens": "-1"}, "input_tokens", "input_tokens=-1 is not a whole number"),
        ({"model": "m", "input_tokens": "1e3"}, "input_tokens", "input_tokens=1e3 is not"),
        ({"model": "m", "input_tokens": "٣"}, "input_tokens", "is not a whole number"),
        ({"model": "m", "input_tokens": "9" * 19}, "input_tokens", "18 digits at most"),
        ({"model": "m", "channel": "nowhere"}, "channel", "There is no channel “nowhere”; give its slug."),
        ({"model": "m", "channel": "\0"}, "channel", "There is no channel"),
        ({"model": "m", "account": "team"}, "account", "There is no account team; give its number."),
        ({"model": "m", "account": "9" * 30}, "account", "There is no account 999"),
        ({"model": "m", "at": "yesterday"}, "at", "at=yesterday is neither a time"),
        ({"model": "m", "at": "2026-13-01"}, "at", "at=2026-13-01 is neither"),
    ],
)
def test_what_means_nothing_is_refused_beside_its_parameter(
    api: APIClient, query: dict[str, str], name: str, words: str
) -> None:
    answer = api.get(PATH, query)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert words in str(answer.json()[name])


def test_it_needs_a_right(client: Client) -> None:
    assert client.get(PATH, {"model": "m"}).status_code == 401


def test_each_verdict_has_its_words() -> None:
    assert set(_REASONS) == set(Verdict)
