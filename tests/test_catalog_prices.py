"""What the catalog knows becomes rows that cost the same, and what it says later becomes new rows: history stays."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.factories import NOON, book, payload
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.housekeeping import jobs
from usage.ingest import prices
from usage.ingest.catalog import Catalog
from usage.ingest.catalog_additions import additions
from usage.ingest.catalog_answers import Answer
from usage.ingest.prices import complement_prices
from usage.models import Instance, ModelPrice, UsageRecord
from usage.models.fields import to_micros

NOW, HOUR = to_micros(NOON), 3_600_000_000
ASKED = ("gpt-5.4", "codex")
NAME = "openai/m-FAKE"
BASE = Price("m-FAKE", 10, 20)
TIER = replace(BASE, service_tier="priority", input=30)
LONG = replace(BASE, above_input_tokens=200_000, input=40)
# What no price of ours can say. Something new of another version of the catalog is to be looked at.
LEFT_OUT = {
    "processing=batch", "speed=fast", "route=mistral/eu", "search_type=fast", "search_type=web",
    *(
        f"unit {name}"
        for name in (
            "cache_write_1h_mtok", "web_searches_kcount", "storage_searches_kcount", "audio_hours", "input_audio_hours",
            "input_audio_mtok", "output_audio_mtok", "cache_audio_read_mtok", "input_image_mtok", "output_image_mtok",
            "cache_image_read_mtok", "input_video_mtok", "output_video_mtok", "input_mchars", "output_citation_mtok",
            "input_document_kpages", "input_annotated_document_kpages", "input_text_messages_kcount",
        )
    ),
}  # fmt: skip


class TestComparison:
    def test_costs_are_those_of_the_catalogs_own_calculator(self, request: pytest.FixtureRequest) -> None:
        """To the nano-dollar, also by time of day, but for the few prices that are finer than ours."""
        all_of_them = request.config.getoption("--all-prices")
        size = ["--each", "200"] if all_of_them else ["--models", "150", "--each", "4"]
        command = [sys.executable, "-m", "tests.catalog_comparison", *size]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        assert found["unexplained"] == []
        assert found["counts"]["equal"] > 0.99 * found["counts"]["cases"]
        assert found["counts"]["models compared"] > 0.8 * found["counts"]["models"]
        assert set(found["left out"]) == LEFT_OUT

    def test_conditions_become_rows(self) -> None:
        """GPT-5.4 is $2.50, above 272,000 tokens $5; since 2026-10-12 priority is $5 and flex $1.25."""
        since = to_micros(datetime(2026, 10, 12, tzinfo=UTC))
        listed = PriceBook(Catalog().look_up([ASKED])[ASKED].prices)
        asked = [
            (NOW, "", 1), (NOW, "auto", 272_000), (NOW, "", 272_001), (since - 1, "priority", 1), (since, "priority", 1),
            (since, "priority", 272_001), (since - 1, "flex", 1), (since, "flex", 1), (since, "flex", 272_001),
        ]  # fmt: skip
        found = [listed.find("gpt-5.4", at, "codex", tier, tokens) for at, tier, tokens in asked]
        assert [one and one.input for one in found] == [
            2_500_000, 2_500_000, 5_000_000, 2_500_000, 5_000_000, 5_000_000, 2_500_000, 1_250_000, 2_500_000,
        ]  # fmt: skip


def row(price: Price, **fields: Any) -> ModelPrice:
    return ModelPrice.of(price, **{"origin": ModelPrice.Origin.CATALOG, "locked": False, "catalog_name": NAME} | fields)


def added(known: list[ModelPrice], *said: Price, name: str = NAME) -> list[Price]:
    return additions(known, Answer(name, said), NOW)


class TestAdditions:
    def test_new_model_gets_all_rows_and_then_no_more(self) -> None:
        said = [BASE, TIER, LONG, replace(BASE, effective_from=NOW + 1)]
        assert added([], *said) == said
        assert added([row(price) for price in said], *said) == []

    def test_row_of_before_there_were_conditions_gets_the_others(self) -> None:
        dated = replace(BASE, input=9, effective_from=5)
        assert added([row(replace(BASE, input=9), catalog_name="")], BASE, dated, TIER, LONG) == [dated, TIER, LONG]

    @pytest.mark.parametrize("known", [row(BASE), row(replace(BASE, input=9), catalog_name="")])
    def test_other_vendors_price_is_no_change(self, known: ModelPrice) -> None:
        assert added([known], replace(BASE, input=11), TIER, name="openrouter/m-FAKE") == []

    def test_changed_price_is_a_new_row_from_now_on(self) -> None:
        dearer = replace(BASE, input=11)
        assert added([row(BASE), row(TIER)], dearer, TIER) == [replace(dearer, effective_from=NOW)]
        later = [row(BASE), row(replace(dearer, effective_from=NOW - 1)), row(TIER)]
        assert added(later, dearer, TIER) == []

    def test_price_that_the_catalog_dates_comes_with_its_date_and_not_from_now_on(self) -> None:
        dated = replace(BASE, input=11, effective_from=NOW - 10)
        assert added([row(BASE)], BASE, dated) == [dated]

    def test_condition_that_the_catalog_dropped_costs_what_is_said_without_it(self) -> None:
        assert added([row(BASE), row(LONG)], BASE) == [replace(BASE, above_input_tokens=200_000, effective_from=NOW)]

    def test_time_of_day_comes_along_and_an_edge_that_moves_is_told_part_by_part(self) -> None:
        """Nights were from 20:00 until 04:00 and are from 22:00 until 06:00: 20:00 until 22:00 costs what days do."""
        night = replace(BASE, input=5, daily_from=20 * HOUR, daily_until=4 * HOUR)
        later = replace(night, daily_from=22 * HOUR, daily_until=6 * HOUR)
        assert added([row(BASE)], BASE, night) == [night]
        assert added([row(BASE), row(night)], BASE, night) == []
        new = added([row(BASE), row(night)], BASE, later)
        ours, theirs = PriceBook([BASE, night, *new]), PriceBook([BASE, later])
        for moment in range(NOW, NOW + 24 * HOUR, HOUR // 2):
            found, said = (book.find("m-FAKE", moment) for book in (ours, theirs))
            assert found and said and found.input == said.input
        assert ours.find("m-FAKE", NOW - 16 * HOUR + 1) is night  # yesterday at 20:00 it was night
        assert added([row(price) for price in (BASE, night, *new)], BASE, later) == []

    @pytest.mark.parametrize("hour", range(0, 24, 4))
    def test_change_by_day_is_the_same_whenever_it_is_looked_at(self, hour: int) -> None:
        night, dearer = replace(BASE, input=5, daily_from=20 * HOUR, daily_until=4 * HOUR), replace(BASE, input=11)
        moment = NOW + hour * HOUR
        found = additions([row(BASE), row(night)], Answer(NAME, (dearer, night)), moment)
        assert found == [replace(dearer, effective_from=moment)]

    def test_what_is_only_for_some_accounts_is_not_the_catalogs(self) -> None:
        own = row(replace(BASE, input=1, channel_id=1), origin=ModelPrice.Origin.MANUAL, locked=True)
        assert added([own], BASE, TIER) == [BASE, TIER]

    def test_time_of_day_does_not_come_before_what_a_person_decided(self) -> None:
        own = row(replace(BASE, input=1), origin=ModelPrice.Origin.MANUAL, locked=True)
        assert added([own], BASE, replace(BASE, daily_until=HOUR)) == []

    def test_what_a_person_decided_stays(self) -> None:
        own = row(replace(BASE, input=1), origin=ModelPrice.Origin.MANUAL, locked=True)
        assert added([own, row(TIER)], replace(BASE, input=11), replace(TIER, input=33), LONG) == []

    def test_person_who_decided_on_a_tier_decided_on_that_alone(self) -> None:
        own = row(replace(TIER, input=1), origin=ModelPrice.Origin.MANUAL, locked=True)
        assert added([own], BASE, TIER, replace(TIER, effective_from=NOW - 1), LONG) == [BASE, LONG]

    def test_before_a_persons_price_counts_the_catalogs_plain_one(self) -> None:
        own = row(replace(BASE, input=1, effective_from=NOW - 5), origin=ModelPrice.Origin.MANUAL, locked=True)
        assert added([own], BASE, TIER, LONG, replace(BASE, effective_from=NOW)) == [BASE]


@pytest.mark.django_db
class TestMeeting:
    def test_prices_of_an_older_version_are_complemented_by_the_housekeeping(self, instance: Instance) -> None:
        """What was priced before keeps its price and its row."""
        plain = ModelPrice.objects.create(
            pattern="gpt-5.4",
            input="2.5",
            cached_input="0.25",
            output=15,
            origin=ModelPrice.Origin.CATALOG,
            locked=False,
        )
        book(instance, payload(model="gpt-5.4"), payload(model="gpt-5.4", service_tier="priority", request_id="x"))
        assert not ModelPrice.objects.exclude(pk=plain.pk).exists()  # booking does not wait for the catalog
        with time_machine.travel(NOON + timedelta(days=1), tick=False):
            assert jobs.catalog().params["prices"] > 0
        late = payload(NOON.replace(month=11), model="gpt-5.4", response_service_tier="priority")
        book(instance, late)
        costs = dict(UsageRecord.objects.values_list("price__service_tier", "cost_nanousd"))
        assert costs == {"": 100 * 2_500 + 20 * 15_000, "priority": 100 * 5_000 + 20 * 30_000}
        assert UsageRecord.objects.filter(price=plain).count() == 2
        plain.refresh_from_db()
        assert plain.catalog_name == ""

    def test_nothing_is_complemented_twice_and_nothing_of_a_persons(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        book(instance, payload(model="gpt-5.4"))
        assert complement_prices([ASKED, ("gpt-5.4", "openrouter")]) == 0
        monkeypatch.setattr(prices, "_catalog", Catalog())
        monkeypatch.setattr(Catalog, "_ask", lambda *_: pytest.fail("the catalog is asked"))
        ModelPrice.objects.update(origin=ModelPrice.Origin.MANUAL)
        assert complement_prices([ASKED]) == 0
