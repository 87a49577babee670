"""At current prices everything costs what its records would cost if they came now, to the nano-dollar."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import time, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.stats import Basis, Conditions, Span, Usage, breakdown, series, taken_as_ordinary, totals
from tests.factories import NOON, auth_file, auth_files, book, examples, list_names, payload, sums_of, undone, zones
from tests.test_pricing import add_price
from tests.test_questions import OF_RECORD, ask, inside, questions
from usage.accounting.tokens import Buckets
from usage.ingest import grains, rollup
from usage.ingest.prices import load_prices, price_unpriced
from usage.ingest.pruning import prune
from usage.ingest.repricing import Scope, reprice
from usage.models import Account, Channel, Instance, ModelPrice, PriceMultiplier, UsageRecord
from usage.models.fields import EPOCH, to_micros

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVER = Span(0, to_micros(NOON + 90 * timedelta(days=1)))
MODELS = ("one-FAKE", "two-FAKE", "three-FAKE")
TIERS = ("", "default", "Priority", "flex")


@pytest.fixture(params=zones("UTC", "Asia/Kathmandu"))
def report_zone(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.TIME_ZONE = request.param
    return settings.TIME_ZONE


@pytest.fixture
def server(report_zone: str, instance: Instance) -> Instance:
    return introduce(instance)


def introduce(instance: Instance) -> Instance:
    """Name two of the three accounts that `fill` books records of."""
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    return instance


def fill(instance: Instance, seed: int, count: int = 60) -> None:
    """Records of three days, a third failed, a fifth without tokens, inputs on both sides of 1,000."""
    random = Random(seed)
    book(instance, *(
        payload(
            NOON + random.randrange(-36, 36) * HOUR + random.choice([0, 1, 40]) * timedelta(minutes=1),
            request_id=f"{seed}-{number}", model=random.choice(MODELS), failed=random.random() < 0.3,
            service_tier=random.choice(TIERS), provider=random.choice(["codex", "claude"]),
            auth_index=random.choice(["dave", "bob", "lost"]), tokens=random.choice(USED)(random),
        )
        for number in range(count)
    ))  # fmt: skip


USED = [lambda random: {}] + [
    lambda random: {
        "input_tokens": random.choice([999, 1_000, 1_001, 2_500, 777]), "output_tokens": random.randrange(500),
        "cached_tokens": random.randrange(700),
    }
] * 4  # fmt: skip


def at_current_prices(rows: Iterable[UsageRecord]) -> list[UsageRecord]:
    """The same records, as a ledger would book them that knows today's prices."""
    prices, rows = load_prices(), list(rows)
    for row in rows:
        buckets = Buckets(*(getattr(row, name) for name in grains.TOKENS))
        found = prices.find(
            row.model.name, to_micros(row.requested_at), row.source.provider, row.traits.tier, buckets.total_input,
            row.source.known_channel_id, row.source.account_id,
        )  # fmt: skip
        row.cost_nanousd = row.saved_nanousd = 0 if row.failed and not buckets.total else None
        if found:
            row.cost_nanousd, row.saved_nanousd = found.cost(buckets, failed=row.failed), found.saved(buckets)
    return rows


def records() -> list[UsageRecord]:
    return list(UsageRecord.objects.select_related("source__account", "model", "traits"))


def expected_sums(rows: Sequence[UsageRecord]) -> dict[str, int]:
    return sums_of(rows) or dict.fromkeys(grains.SUMS, 0)


def compare(since: int, until: int, asked: dict[str, list[str]], by: Sequence[str], basis: Basis) -> None:
    rows = records() if basis is Basis.RECORDED else at_current_prices(records())
    found, conditions = inside(rows, since, until, asked), ask(asked)
    assert asdict(totals(Span(since, until), conditions, basis)) == expected_sums(found)
    groups = defaultdict[tuple[int | None, ...], list[UsageRecord]](list)
    for row in found:
        if row.failed or "code" not in by:
            groups[tuple(OF_RECORD[name](row) for name in by)].append(row)
    answers = breakdown(Span(since, until), conditions, by, basis)
    assert {group: asdict(usage) for group, usage in answers.items()} == {
        group: sums_of(some) for group, some in groups.items()
    }


# The login of an account, or the name of a channel.
owners = st.sampled_from(
    [{}] * 6 + [{"account": "dave"}, {"account": "bob"}, {"channel": "codex"}, {"channel": "claude"}]
)
# By the second one all day, or over midnight.
times_of_day = {
    "daily_from": st.sampled_from([time(0)] * 9 + [time(13, 40), time(22)]),
    "daily_until": st.just(time(0)),
}


def price_rows(amounts: st.SearchStrategy[str], multipliers: st.SearchStrategy[str]) -> Any:
    return st.fixed_dictionaries({
        "pattern": st.sampled_from([*MODELS, "*-FAKE", "t*-FAKE"]),
        "whose": owners, "provider": st.sampled_from(["", "", "", "codex", "Claude"]), **times_of_day,
        "service_tier": st.sampled_from(["", "", "", "priority", "FLEX", "default"]),
        "above_input_tokens": st.sampled_from([0, 0, 0, 1_000, 2_000]),
        "effective_from": st.sampled_from([EPOCH, EPOCH, *(NOON + hours * HOUR for hours in (-30, -7, 5.7, 20))]),
        "input": amounts, "output": amounts, "cached_input": st.none() | amounts, "cache_write": st.none() | amounts,
        "reasoning": st.none() | amounts, "per_request": st.sampled_from(["0", "0", "0.000000001"]),
        "multiplier": multipliers,
    })  # fmt: skip


# By the second a token costs no whole nano-USD.
prices = price_rows(st.sampled_from(["0", "1", "2.5", "30"]), st.sampled_from(["1", "0.3"])) | price_rows(
    st.sampled_from(["1", "0.000001", "0.0187"]), st.sampled_from(["1", "0.3333"])
)
number = st.integers(0, 9)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("book"), number),
        st.tuples(st.just("price"), prices),
        st.tuples(st.just("price"), prices),
        st.tuples(
            st.just("multiplier"), owners.filter(bool), st.sampled_from(["0", "0.3", "0.3333", "1", "2.5"]),
            st.sampled_from([EPOCH, NOON - 7.3 * HOUR]),
        ),
        st.tuples(st.just("edit"), number, st.sampled_from(["1", "7.5", "0.000001"])),
        st.tuples(st.just("delete"), number),
        st.tuples(st.just("reprice"), st.integers(-40, 40)),
        st.tuples(st.just("unpriced")),
    ),
    min_size=3,
    max_size=12,
)  # fmt: skip
moments = st.builds(
    lambda hours, rest: to_micros(NOON + hours * HOUR) + rest,
    st.integers(-40, 40), st.sampled_from([-1, 0, 0, 0, 1]) | st.integers(0, 3_600_000_000),
)  # fmt: skip


def happen(instance: Instance, name: str, *arguments: Any) -> None:
    match name:
        case "book":
            fill(instance, arguments[0], 25)
        case "price":
            values = dict(arguments[0])
            price = ModelPrice(**named(values.pop("whose")), **values)
            ModelPrice.objects.bulk_create([price], ignore_conflicts=True)
        case "multiplier":
            whose, factor, since = arguments
            multiplier = PriceMultiplier(**named(whose), factor=Decimal(factor), effective_from=since)
            PriceMultiplier.objects.bulk_create([multiplier], ignore_conflicts=True)
        case "edit":
            for row in ModelPrice.objects.order_by("pk")[arguments[0] : arguments[0] + 1]:
                row.input = Decimal(arguments[1])
                row.save()
        case "delete":
            ModelPrice.objects.filter(
                pk__in=ModelPrice.objects.order_by("pk")[arguments[0] :][:1].values("pk")
            ).delete()
        case "reprice":
            list(reprice(Scope(to_micros(NOON + arguments[0] * HOUR))))
        case "unpriced":
            price_unpriced()


def named(whose: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for what, name in whose.items():
        is_account = what == "account"
        found[what] = Account.objects.get(auth_index=name) if is_account else Channel.objects.get(slug=name)
    return found


with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(12))


@with_database
@given(st.data())
def test_whatever_happened_both_bases_are_those_of_the_records(server: Instance, data: st.DataObject) -> None:
    with undone():
        fill(server, 99)
        for what in data.draw(happenings):
            happen(server, *what)
        assert rollup.differences() == []
        for _question in range(3):
            since, until = sorted((data.draw(moments), data.draw(moments)))
            asked = data.draw(questions())
            by = data.draw(st.lists(st.sampled_from(sorted(OF_RECORD)), min_size=1, max_size=2, unique=True))
            for basis in Basis:
                compare(since, until, asked, by, basis)


@with_database
@given(st.data())
def test_a_series_at_current_prices_is_that_of_the_records(server: Instance, data: st.DataObject) -> None:
    with undone():
        fill(server, 99)
        for what in data.draw(happenings):
            happen(server, *what)
        edges = sorted(data.draw(st.lists(moments, min_size=2, max_size=7, unique=True)))
        by = data.draw(st.sampled_from([(), ("channel",), ("model",), ("key",)]))
        sums = data.draw(st.sampled_from([grains.SUMS, ("cost_nanousd",), ("requests", "saved_nanousd")]))
        groups = series(edges, Conditions(), by, sums, Basis.CURRENT).groups
        rows, seen = at_current_prices(records()), 0
        for place, (since, until) in enumerate(pairwise(edges)):
            for group, line in groups.items():
                some = [
                    row for row in inside(rows, since, until, {}) if tuple(OF_RECORD[name](row) for name in by) == group
                ]
                assert dict(zip(sums, line[place], strict=True)) == {name: expected_sums(some)[name] for name in sums}
                seen += len(some)
        assert seen == len(inside(rows, edges[0], edges[-1], {}))


class TestPruned:
    """Of pruned records only sums are left."""

    @pytest.fixture
    def pruned(self, server: Instance) -> list[UsageRecord]:
        """What there was, with prices of a tier and of a token that costs no whole nano-USD."""
        fill(server, 5)
        add_price("one-FAKE", "1", "2")
        add_price("one-FAKE", "3", "4", service_tier="flex")
        add_price("two-FAKE", "2.5", "10", cached_input=Decimal("0.25"))
        add_price("three-FAKE", "0.0187", "1")
        before = at_current_prices(records())
        prune(NOON)
        assert len(before) > UsageRecord.objects.count() > 0
        return before

    def test_sums_of_whole_prices_are_priced_exactly(self, pruned: list[UsageRecord]) -> None:
        self.compare(pruned, "two-FAKE", 0)

    def test_fractions_are_rounded_together(self, pruned: list[UsageRecord]) -> None:
        self.compare(pruned, "three-FAKE", len(pruned))

    def test_what_may_be_special_is_ordinary_and_counted(self, pruned: list[UsageRecord]) -> None:
        some = [row for row in pruned if row.model.name == "one-FAKE"]
        usage = totals(EVER, Conditions(models=frozenset({some[0].model_id})), Basis.CURRENT)
        kept = {row.pk for row in records()}
        gone = [row for row in some if row.pk not in kept]
        assert taken_as_ordinary(EVER, Conditions()) >= len(gone) > 0
        ordinary = sum(row.uncached_input + row.cache_read + 2 * row.output_tokens for row in gone) * 1_000
        assert usage.cost_nanousd == ordinary + sum(row.cost_nanousd or 0 for row in some if row.pk in kept)

    def compare(self, rows: Sequence[UsageRecord], model: str, off: int) -> None:
        some = [row for row in rows if row.model.name == model]
        usage = totals(EVER, Conditions(models=frozenset({some[0].model_id})), Basis.CURRENT)
        expected = sums_of(some)
        assert abs(usage.cost_nanousd - expected.pop("cost_nanousd")) <= off
        assert abs(usage.saved_nanousd - expected.pop("saved_nanousd")) <= off
        assert expected.items() <= asdict(usage).items()


def test_a_price_counts_from_its_moment_on(server: Instance) -> None:
    add_price("one-FAKE", "1", "1")
    add_price("one-FAKE", "5", "5", effective_from=NOON + timedelta(minutes=20))
    book(server, *(payload(NOON + minute * timedelta(minutes=1), model="one-FAKE") for minute in (19, 20, 300)))
    ModelPrice.objects.update(multiplier=Decimal(2))
    assert totals(EVER, Conditions()).cost_nanousd == 120 * (1 + 5 + 5) * 1_000
    assert totals(EVER, Conditions(), Basis.CURRENT).cost_nanousd == 2 * 120 * (1 + 5 + 5) * 1_000


def test_what_is_asked_of_nothing_costs_nothing(server: Instance) -> None:
    add_price("one-FAKE", "0.0187", "1", service_tier="flex")
    add_price("one-FAKE", "0.0187", "1")
    book(server, payload(model="one-FAKE"))
    for nothing in (Conditions(sources=frozenset()), Conditions(api_keys=frozenset())):
        assert totals(EVER, nothing, Basis.CURRENT) == Usage()
        assert taken_as_ordinary(EVER, nothing) == 0
    assert totals(Span(0, 0), Conditions(), Basis.CURRENT) == Usage()


def test_what_had_no_price_has_that_of_now(server: Instance, api: APIClient) -> None:
    book(server, payload(model="one-FAKE"), payload(model="two-FAKE"))
    add_price("one-FAKE", "1", "1")
    day = {"from": "2026-08-22", "to": "2026-08-22"}
    assert api.get("/api/usage/", day).json()["total"]["cost"]["pricing"] == "unpriced"
    answer = api.get("/api/usage/", {**day, "basis": "current", "by": "model"}).json()
    assert answer["cost_basis"] == {"prices": "current", "taken_as_ordinary": 0}
    assert (answer["total"]["cost"]["nanousd"], answer["total"]["cost"]["pricing"]) == (120_000, "partial")
    tree = api.get("/api/channels/", {**day, "basis": "current"}).json()
    assert tree["total"] == answer["total"]
    lines = api.get("/api/usage/series/", {**day, "basis": "current", "sum": "cost_nanousd"}).json()["series"]
    assert sum(lines[0]["cost_nanousd"]) == 120_000
    assert UsageRecord.objects.filter(cost_nanousd=None).count() == 2
    assert "basis=new" in str(api.get("/api/usage/", {**day, "basis": "new"}).json()["basis"])


def test_the_page_says_by_which_prices(client: Client, admin_user: Any, server: Instance) -> None:
    book(server, payload(model="one-FAKE", tokens={"input_tokens": 1_000_000, "cached_tokens": 900_000}))
    add_price("one-FAKE", "10", "1", cached_input=Decimal(1))
    client.force_login(admin_user)
    recorded, current = (
        client.get("/channels/", {"range": "all", **asked}).content.decode() for asked in ({}, {"basis": "current"})
    )
    assert ">unpriced<" in recorded and "saved" not in recorded and "?basis=current&amp;range=all" in recorded
    assert "At current prices" in current and "$1.90" in current
    assert re.search(r"saved ≈ <span[^>]*>\$8.10</span>", current)
    assert 'name="basis" value="current"' in current
    assert "basis=nonsense was not found" in client.get("/channels/?basis=nonsense").content.decode()
