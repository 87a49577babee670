"""Prices of one account, one channel, a time of day; multipliers: what is booked, what is repriced, what finds a price later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOON, auth_file, auth_files, book, list_names, payload
from tests.test_pricing import OWN, add_price
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets
from usage.ingest import prices, rollup
from usage.ingest.ledger import Ledger
from usage.ingest.price_conditions import fulfilling
from usage.ingest.prices import price_unpriced
from usage.ingest.repricing import Scope, preview, reprice
from usage.ingest.sources import heal
from usage.models import Account, Channel, Instance, ModelPrice, PriceMultiplier, RequestTraits, Source, UsageRecord
from usage.models.fields import to_micros

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
FILES = auth_files(
    auth_file("one.json", "codex", email="one@example.com", auth_index="1"),
    auth_file("two.json", "codex", email="two@example.com", auth_index="2"),
)

WITH_THIRD = auth_files(*FILES["files"], auth_file("three.json", "codex", email="three@example.com", auth_index="3"))


def add_multiplier(factor: str, **values: Any) -> PriceMultiplier:
    return PriceMultiplier.objects.create(factor=Decimal(factor), **values)


def account(name: str) -> Account:
    return Account.objects.get(email=f"{name}@example.com")


def costs() -> list[int | None]:
    """In thousandths of a cent, in the order of time."""
    found = UsageRecord.objects.order_by("requested_at").values_list("cost_nanousd", flat=True)
    return [None if cost is None else cost // 10_000 for cost in found]


def repriced() -> list[int | None]:
    """Also proves that the preview tells what happens, and that sums follow."""
    told = sum(change.after for step in preview(Scope()) for change in step.changes.values())
    list(reprice(Scope()))
    assert told == sum(cost or 0 for cost in UsageRecord.objects.values_list("cost_nanousd", flat=True))
    assert rollup.differences() == []
    return costs()


def of(index: str, minutes: int = 0, **fields: Any) -> Any:
    """A record of 120 tokens, of the account of that index."""
    return payload(NOON + timedelta(minutes=minutes), model=OWN, auth_index=index, **fields)


class TestBooking:
    def test_account_before_channel_before_any(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        add_price(OWN, "1", "1")
        add_price(OWN, "2", "2", channel=Channel.objects.get())
        add_price(OWN, "3", "3", account=account("one"))
        book(instance, of("1", 0), of("2", 1), of("9", 2))
        assert costs() == [36, 24, 12]
        assert repriced() == [36, 24, 12]

    def test_name_that_comes_later_changes_no_cost_but_repricing_does(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        add_price(OWN, "1", "1")
        add_price(OWN, "2", "2", channel=Channel.objects.get())
        add_multiplier("0.25", channel=Channel.objects.get())
        book(instance, of("3"))
        list_names(instance, auth_files=WITH_THIRD)
        book(instance, of("3", 1))  # by the list, before its source is healed
        assert costs() == [12, 6]
        heal(instance)
        price_unpriced()
        assert costs() == [12, 6]
        assert repriced() == [6, 6]

    def test_what_was_unpriced_has_a_price_once_it_is_named(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        add_price(OWN, "2", "2", channel=Channel.objects.get())
        book(instance, of("3"))
        assert price_unpriced() == 0
        list_names(instance, auth_files=WITH_THIRD)
        heal(instance)
        assert price_unpriced() == 1
        assert costs() == [24]
        assert rollup.differences() == []

    def test_edges_of_a_time_of_day(self, instance: Instance) -> None:
        """From 12:30 until 00:00, of records at noon and some minutes later."""
        add_price(OWN, "1", "1")
        add_price(OWN, "5", "5", daily_from=time(12, 30))
        book(instance, *(of("", minutes) for minutes in (29, 30, 719, 720)))
        assert costs() == repriced() == [12, 60, 60, 12]

    def test_multiplier_is_on_top_of_the_prices_own_and_of_what_came_since(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        add_price(OWN, "10", "10", multiplier=Decimal("0.5"), per_request=Decimal("0.00001"))
        add_multiplier("0.8", channel=Channel.objects.get())
        add_multiplier("0.3", account=account("one"), effective_from=NOON + HOUR)
        book(instance, of("1", 0), of("2", 1), of("1", 59), of("1", 60), of("9", 61))
        assert costs() == repriced() == [49, 49, 49, 19, 61]

    def test_ledger_takes_up_a_multiplier(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        add_price(OWN, "1", "1")
        ledger = Ledger(instance)
        ledger.book([of("1")], ())
        row = add_multiplier("0.5", account=account("one"))
        ledger.refresh_prices()
        ledger.book([of("1", 1)], ())
        row.factor = Decimal("0.25")
        row.save()
        ledger.refresh_prices()
        ledger.book([of("1", 2)], ())
        row.delete()
        ledger.refresh_prices()
        ledger.book([of("1", 3)], ())
        assert costs() == [12, 6, 3, 12]


class TestRows:
    @pytest.mark.parametrize("limit", ["account", "channel"])
    def test_same_conditions_twice_are_refused_also_for_any_account(self, instance: Instance, limit: str) -> None:
        list_names(instance, auth_files=FILES)
        whose = {"account": account("one"), "channel": Channel.objects.get()}[limit]
        for others in ({}, {limit: whose}, {"daily_from": time(1)}, {limit: whose, "daily_from": time(1)}):
            add_price(OWN, "1", "1", **others)
            with pytest.raises(IntegrityError), transaction.atomic():
                add_price(OWN, "2", "2", **others)

    def test_price_is_of_an_account_or_a_channel_and_of_a_time_that_has_an_end(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        price = ModelPrice(pattern=OWN, input=1, output=1, channel=Channel.objects.get(), account=account("one"))
        with pytest.raises(ValidationError) as told:
            price.full_clean()
        assert list(told.value.message_dict) == ["account"]
        price = ModelPrice(pattern=OWN, input=1, output=1, daily_from=time(16, 30), daily_until=time(16, 30))
        with pytest.raises(ValidationError) as told:
            price.full_clean()
        assert list(told.value.message_dict) == ["daily_until"]

    def test_multiplier_is_of_one_channel_or_one_account_and_once(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        for values in ({}, {"channel": Channel.objects.get(), "account": account("one")}):
            with pytest.raises(ValidationError):
                PriceMultiplier(factor=1, **values).full_clean()
            with pytest.raises(IntegrityError), transaction.atomic():
                add_multiplier("1", **values)
        add_multiplier("1", account=account("one"))
        with pytest.raises(ValidationError):
            PriceMultiplier(factor=2, account=account("one")).full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            add_multiplier("2", account=account("one"))

    def test_row_is_called_by_its_conditions(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        price = add_price(OWN, "1", "1", account=account("one"), daily_from=time(16, 30), daily_until=time(0, 30))
        assert str(price) == f"{OWN} · one@example.com · 16:30–00:30 UTC"
        assert str(add_multiplier("0.30", account=account("one"))) == "codex · one@example.com × 0.3"
        assert str(add_multiplier("2", channel=Channel.objects.get())) == "codex × 2"

    def test_row_says_what_its_price_says(self, instance: Instance) -> None:
        list_names(instance, auth_files=FILES)
        price = add_price(
            OWN, "1", "2", account=account("one"), daily_from=time(16, 30, 5, 6), daily_until=time(0, 30)
        ).price
        assert ModelPrice.of(price).price == Price(**{name: getattr(price, name) for name in _COLUMNS}, id=None)
        assert str(price.hours) == "16:30:05.000006–00:30 UTC"


_COLUMNS = (
    "pattern", "input", "output", "account_id", "daily_from", "daily_until",
)  # fmt: skip


class TestDeleting:
    def test_a_price_is_deleted_without_a_look_at_the_records_which_keep_its_number(self, instance: Instance) -> None:
        row = add_price(OWN, "1", "1")
        number = row.pk
        book(instance, of(""))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            row.delete()
        assert not [query["sql"] for query in queries if "usagerecord" in query["sql"]]
        record = UsageRecord.objects.get()
        assert (record.price_id, record.cost_nanousd) == (number, 120_000)
        assert add_price(OWN, "1", "1").pk > number
        assert repriced() == [12]
        assert UsageRecord.objects.get().price_id == ModelPrice.objects.get().pk


# What a record may be of, and prices for some of that.


@pytest.fixture
def records(instance: Instance) -> Iterator[None]:
    """Of each combination of some, unpriced, without the sums."""
    channel, other = (Channel.objects.create(name=name, kind="oauth") for name in ("one", "two"))
    named = Account.objects.create(instance=instance, channel=channel, label="named", provider="p")
    sources = [
        Source.objects.create(instance=instance, provider="P", auth_index="1", account=named, channel=other),
        Source.objects.create(instance=instance, provider="q", auth_index="2", channel=other),
        Source.objects.create(instance=instance, provider="É", auth_index="3"),
    ]
    traits = [
        RequestTraits.objects.create(service_tier=asked, billed_tier=billed)
        for asked, billed in (("", ""), ("T", ""), ("t", "u"))
    ]
    book(instance, payload(model=OWN))
    example = UsageRecord.objects.get()
    example.delete()
    numbers = iter(range(1_000))
    for source in sources:
        for trait in traits:
            for at in (NOON - HOUR, NOON, NOON + HOUR):
                for tokens in ((3, 3, 4), (10**9, 10**9, 10**9)):
                    example.pk, example.dedup_key = None, b"%07d" % next(numbers)
                    example.source, example.traits, example.requested_at = source, trait, at
                    example.uncached_input, example.cache_read, example.cache_write = tokens
                    example.save(force_insert=True)
    yield


words = st.sampled_from(["", "p", "Q", "é"])
clocks = st.sampled_from([0, 0, 12 * 3_600_000_000, 13 * 3_600_000_000])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_records_that_fulfil_conditions_are_those_that_have_a_price(records: None, data: st.DataObject) -> None:
    accounts = st.sampled_from([None, None, *Account.objects.values_list("pk", flat=True)])
    channels = st.sampled_from([None, None, *Channel.objects.values_list("pk", flat=True)])
    rows = st.builds(
        Price, st.just(OWN), st.just(1), st.just(1), account_id=accounts, channel_id=channels, provider=words,
        service_tier=st.sampled_from(["", "t", "U"]), daily_from=clocks, daily_until=clocks,
        above_input_tokens=st.sampled_from([0, 0, 9, 10, 3 * 10**9 - 1]),
        effective_from=st.sampled_from([0, to_micros(NOON), to_micros(NOON) + 1]),
    )  # fmt: skip
    given = data.draw(st.lists(rows, max_size=4))
    listed = PriceBook(given)
    expected = {
        record.pk
        for record in UsageRecord.objects.select_related("source__account", "traits")
        if listed.find(
            OWN, to_micros(record.requested_at), record.source.provider, record.traits.tier,
            Buckets(record.uncached_input, record.cache_read, record.cache_write).total_input,
            record.source.known_channel_id, record.source.account_id,
        )
    }  # fmt: skip
    assert set(fulfilling(given).values_list("pk", flat=True)) == expected


class TestUnpriced:
    def test_what_fulfils_no_condition_is_not_read_again(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        book(instance, *(of("", minutes) for minutes in range(9)))
        add_price(OWN, "1", "1", service_tier="flex")
        add_price(OWN, "1", "1", effective_from=NOON + timedelta(minutes=7))
        monkeypatch.setattr(prices, "_CHUNK", 1)
        assert price_unpriced() == 2
        monkeypatch.setattr(prices, "_is_priced", lambda *_: pytest.fail("a record is read"))
        assert price_unpriced() == 0
        assert costs() == [None] * 7 + [12, 12]

    def test_a_price_of_a_later_time_reads_the_index_from_then_on(self, instance: Instance) -> None:
        book(instance, of(""))
        rows = fulfilling([Price(OWN, 1, 1, effective_from=to_micros(NOON))]).filter(model=1, cost_nanousd=None)
        if connection.vendor == "sqlite":
            assert "record_unpriced (model_id=? AND requested_at>?" in rows.order_by("requested_at").explain()
