"""Records are priced anew: what is told before is what happens, sums follow, and it may be stopped anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOON, book, examples, payload, undone
from tests.test_pricing import add_price
from usage.ingest import grains, repricing, rollup
from usage.ingest.prices import load_prices, price_unpriced
from usage.ingest.repricing import Scope, preview, reprice
from usage.models import Instance, ModelPrice, UsageHourly, UsageRecord
from usage.models.fields import to_micros

pytestmark = pytest.mark.django_db
ONE, TWO = "one-FAKE", "two-FAKE"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "_CHUNK", 3)


def fill(instance: Instance, count: int = 10) -> None:
    """Records of two models in turn, an hour from one to the next, each of 120 tokens."""
    book(instance, *(
        payload(NOON + number * HOUR, model=(ONE, TWO)[number % 2], request_id=f"{number}") for number in range(count)
    ))  # fmt: skip


def costs() -> list[int | None]:
    return list(UsageRecord.objects.order_by("requested_at").values_list("cost_nanousd", flat=True))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reprice", *arguments, stdout=out)
    return out.getvalue()


def edit(**values: Any) -> None:
    ModelPrice.objects.update(**values)


class TestCommand:
    def test_it_tells_old_and_new_first_and_then_does_it(self, instance: Instance) -> None:
        add_price("*-FAKE", "1", "1")
        fill(instance)
        edit(multiplier=Decimal("0.3"))
        told = run("--from", "2026-08-22", "--dry-run")
        assert told.splitlines() == [
            "one-FAKE: $0.000600 -> $0.000180",
            "two-FAKE: $0.000600 -> $0.000180",
            "10 of 10 records change: $0.001200 -> $0.000360",
        ]
        assert costs() == [120_000] * 10
        assert run("--from", "2026-08-22") == f"{told}10 records repriced, and the sums with them.\n"
        assert costs() == [36_000] * 10
        assert rollup.differences() == []
        assert run("--from", "2026-08-22") == "0 of 10 records change: $0.000360 -> $0.000360\n"

    def test_only_those_days_and_that_model(self, instance: Instance) -> None:
        """The 22nd has twelve records from noon on, the 23rd the rest; odd ones are of TWO."""
        add_price("*-FAKE", "1", "1")
        fill(instance, 16)
        edit(multiplier=Decimal(2))
        run("--from", "2026-08-22", "--to", "2026-08-22", "--model", TWO)
        assert costs() == [240_000 if number % 2 and number < 12 else 120_000 for number in range(16)]
        run("--from", "2026-08-23")
        assert costs()[12:] == [240_000] * 4
        assert rollup.differences() == []

    def test_price_that_is_gone_leaves_its_records_unpriced_and_says_so(self, instance: Instance) -> None:
        add_price("*-FAKE", "1", "1")
        fill(instance)
        ModelPrice.objects.all().delete()
        add_price(ONE, "1", "1")
        assert "two-FAKE: $0.000600 -> $0.000000, unpriced records: 0 -> 5\n" in run("--from", "2026-08-22")
        assert costs() == [120_000, None] * 5
        assert rollup.differences() == []

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--from", "yesterday"), "'yesterday' is no day; write it as YYYY-MM-DD"),
            (("--from", "2026-08-23", "--to", "2026-08-22"), "--from 2026-08-23 is after --to 2026-08-22"),
            (("--from", "2026-08-22", "--model", "nobody"), "--model nobody: no record has this model"),
            ((), "--from"),
        ],
    )
    def test_what_means_nothing_is_refused(self, arguments: tuple[str, ...], words: str) -> None:
        with pytest.raises(CommandError, match=words):
            run(*arguments)

    def test_stopped_in_the_middle_it_tells_how_far_it_came_and_goes_on(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_price("*-FAKE", "1", "1")
        fill(instance)
        edit(multiplier=Decimal(2))
        with monkeypatch.context() as patched:
            patched.setattr(repricing, "_write", stop_after(2, repricing._write))
            with pytest.raises(CommandError, match=r"6 records repriced, all before 2026-08-22 17:00:00 UTC"):
                run("--from", "2026-08-22")
        assert costs() == [240_000] * 6 + [120_000] * 4
        assert rollup.differences() == []
        assert "4 records repriced" in run("--from", "2026-08-22")
        assert costs() == [240_000] * 10


def stop_after(calls: int, function: Callable[..., None]) -> Callable[..., None]:
    """Let `function` work so often, and then do its work and be stopped before that is committed."""
    left = [calls]

    def stopped(*arguments: Any) -> None:
        function(*arguments)
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return stopped


def test_records_of_one_moment_are_each_seen_once(instance: Instance) -> None:
    add_price("*-FAKE", "1", "1")
    book(instance, *(payload(NOON, model=ONE, request_id=f"{number}") for number in range(8)))
    edit(multiplier=Decimal(2))
    assert sum(step.records for step in preview(Scope())) == 8
    assert [step.records for step in reprice(Scope())] == [3, 3, 2]
    assert costs() == [240_000] * 8


def test_each_chunk_is_looked_for_from_where_the_last_one_ended(
    instance: Instance,
) -> None:
    """Of several lower bounds SQLite seeks by the first, and with each chunk would read more of what is done."""
    fill(instance)
    with CaptureQueriesContext(connection) as captured:
        list(preview(Scope(since=1)))
    looked = [one["sql"] for one in captured if "ORDER BY" in one["sql"] and "LIMIT 3" in one["sql"]]
    assert len(looked) == 5
    assert all(sql.count('"requested_at" >= ') == 1 for sql in looked)
    assert f'"requested_at" >= {to_micros(NOON + 8 * HOUR)} ' in looked[3]


def test_asking_takes_no_lock_and_few_queries(instance: Instance, django_assert_max_num_queries: Any) -> None:
    fill(instance)
    with django_assert_max_num_queries(2 + 5 + 4 + 6):  # prices, pruned; ids of each chunk, and rows; words
        assert sum(step.records for step in preview(Scope())) == 10


amounts = st.sampled_from(["0", "0.000001", "1", "2.5"])
conditions = st.fixed_dictionaries({
    "cached_input": st.sampled_from([None, "0.1", "2"]),
    "service_tier": st.sampled_from(["", "priority"]), "above_input_tokens": st.sampled_from([0, 99, 100]),
    "multiplier": st.sampled_from(["1", "0.3333"]), "per_request": st.sampled_from(["0", "0.000000001"]),
    "effective_from": st.sampled_from([NOON - HOUR, NOON + 2 * HOUR]),
})  # fmt: skip
patterns = st.sampled_from([ONE, TWO, "*-FAKE"])
number = st.integers(0, 5)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("book"), st.lists(st.tuples(number, st.booleans(), st.booleans()), min_size=1, max_size=4)),
        st.tuples(st.just("price"), patterns, amounts, conditions),
        st.tuples(st.just("edit"), number, amounts),
        st.tuples(st.just("delete"), number),
        st.tuples(st.just("reprice"), number, number),
        st.tuples(st.just("unpriced")),
    ),
    max_size=10,
)  # fmt: skip


class Life:
    """What happens to an instance's records and prices."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._booked = 0

    def book(self, kinds: list[tuple[int, bool, bool]]) -> None:
        for hour, failed, priority in kinds:
            self._booked += 1
            tokens = (
                {"tokens": {"input_tokens": 95 + hour * 2, "cached_tokens": 41 * (hour % 3), "output_tokens": 7}}
                if self._booked % 4
                else {"tokens": {}}
            )
            book(self._instance, payload(
                NOON + hour * HOUR, model=(ONE, TWO)[hour % 2], request_id=f"{self._booked}", failed=failed,
                service_tier="priority" if priority else "auto", **tokens,
            ))  # fmt: skip

    def price(self, pattern: str, amount: str, others: dict[str, Any]) -> None:
        ModelPrice.objects.bulk_create(
            [ModelPrice(pattern=pattern, input=amount, output=amount, **others)], ignore_conflicts=True
        )

    def edit(self, which: int, amount: str) -> None:
        for row in ModelPrice.objects.order_by("pk")[which : which + 1]:
            row.output = Decimal(amount)
            row.save()

    def delete(self, which: int) -> None:
        for row in ModelPrice.objects.order_by("pk")[which : which + 1]:
            row.delete()

    def reprice(self, since: int, hours: int) -> None:
        list(reprice(Scope(to_micros(NOON + since * HOUR), to_micros(NOON + (since + hours) * HOUR))))

    def unpriced(self) -> None:
        price_unpriced()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(operations)
def test_sums_equal_the_records_whatever_happens_to_prices(instance: Instance, happened: list[tuple[Any, ...]]) -> None:
    with undone():
        life = Life(instance)
        for name, *arguments in happened:
            getattr(life, name)(*arguments)
            of_records, of_sums = (
                [value or 0 for value in rows.aggregate(Sum("cost_nanousd"), Sum("saved_nanousd")).values()]
                for rows in (UsageRecord.objects.all(), UsageHourly.objects.all())
            )
            assert of_records == of_sums
        assert rollup.differences() == []
        told = list(preview(Scope()))
        list(reprice(Scope()))
        assert rollup.differences() == []
        assert sum(change.after for step in told for change in step.changes.values()) == sum(
            cost or 0 for cost in costs()
        )
        assert_as_if_they_came_now()


def assert_as_if_they_came_now() -> None:
    """Each cost is what a ledger that knows today's prices would book."""
    prices = load_prices()
    for row in UsageRecord.objects.select_related("model", "source", "traits"):
        buckets = repricing.Buckets(*(getattr(row, name) for name in grains.TOKENS))
        found = prices.find(
            row.model.name, to_micros(row.requested_at), row.source.provider, row.traits.tier, buckets.total_input
        )
        expected: tuple[int | None, ...] = (0, 0, None) if row.failed and not buckets.total else (None, None, None)
        if found:
            expected = found.cost(buckets, failed=row.failed), found.saved(buckets), found.id
        assert (row.cost_nanousd, row.saved_nanousd, row.price_id) == expected
