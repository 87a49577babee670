"""Records go, their sums stay: nothing that was answered by days and hours is answered otherwise afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.stats import EVERYTHING, Conditions, Span, breakdown, series, totals
from tests.factories import CLIENT_KEY, NOON, book, examples, payload, rollup_rows, sums_of, undone, zones
from usage.accounting.payload import Payload
from usage.ingest import distribution, grains, rollup
from usage.ingest.ledger import Ledger
from usage.ingest.prices import price_unpriced
from usage.ingest.pruning import forget_clients, prunable, prune
from usage.models import ClientTraits, FailureText, Instance, ModelPrice, UsageRecord
from usage.models.fields import to_micros

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def payloads(count: int = 120, seed: int = 4) -> list[Payload]:
    random = Random(seed)
    return [
        payload(
            NOON + timedelta(minutes=random.randrange(-6 * 1440, 1440)), request_id=str(number),
            model=random.choice(["one-FAKE", "two-FAKE"]), auth_index=random.choice(["dave", "bob"]),
            api_key=random.choice([CLIENT_KEY, ""]), failed=random.random() < 0.2, error_text="no",
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture(params=zones("UTC", "Asia/Shanghai", "Asia/Kathmandu"))
def zone(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.TIME_ZONE = request.param
    return settings.TIME_ZONE


@pytest.fixture
def booked(zone: str, instance: Instance) -> Instance:
    book(instance, *payloads())
    return instance


def answers() -> list[Any]:
    """Of whole days and hours, by all dimensions."""
    start = grains.DAILY.start_of(to_micros(NOON - 7 * DAY))
    hours = [grains.HOURLY.start_of(to_micros(NOON - 7 * DAY)) + number * grains.HOUR for number in range(0, 9 * 24, 5)]
    days = [start + number * grains.DAY for number in range(10)]
    whole = Span(days[0], days[-1])
    by = [("source",), ("model",), ("key",), ("source", "key"), ("code",)]
    return [
        totals(whole, EVERYTHING),
        totals(whole, Conditions(failed=True)),
        *(breakdown(whole, EVERYTHING, dimensions) for dimensions in by),
        series(days, EVERYTHING, ["model"]),
        series(hours, EVERYTHING),
        series(hours, Conditions(failed=False), ["source"]),
    ]


def without_quarter_hours(rows: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Of what was pruned; hours answer for them."""
    tables = {grain.table for grain in grains.QUARTER_HOURS}
    return {row for row in rows if row[0] not in tables or row[1] >= rollup.records_since()}


def test_days_and_hours_are_answered_as_before(booked: Instance) -> None:
    before, rows = answers(), rollup_rows()
    until = NOON - 3 * DAY
    edge = grains.DAILY.start_of(to_micros(until))
    old = [row for row in UsageRecord.objects.all() if to_micros(row.requested_at) < edge]
    assert prunable(until) == len(old) > 20
    assert prune(until) == len(old)
    assert not UsageRecord.objects.filter(pk__in=[row.pk for row in old]).exists()
    assert not FailureText.objects.exclude(record__in=UsageRecord.objects.all()).exists()
    assert UsageRecord.objects.count() == 120 - len(old)
    assert rollup_rows() == without_quarter_hours(rows)
    assert answers() == before
    assert rollup.differences() == []
    assert (prunable(until), prune(until)) == (0, 0)


def test_what_was_pruned_never_comes_again(booked: Instance) -> None:
    prune(NOON - 3 * DAY)
    rows = rollup_rows()
    kept = UsageRecord.objects.count()
    counts = Ledger(booked).book(payloads(), ())
    assert (counts.new, counts.duplicate) == (0, 120)
    assert (UsageRecord.objects.count(), rollup_rows()) == (kept, rows)


def test_the_line_only_moves_on(booked: Instance) -> None:
    prune(NOON - 2 * DAY)
    line = rollup.records_since()
    assert prune(NOON - 5 * DAY) == 0
    assert rollup.records_since() == line


@pytest.mark.parametrize("minutes", [0, 20, 59])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"], indirect=True)
def test_without_records_an_hour_belongs_to_the_span_in_which_it_begins(booked: Instance, minutes: int) -> None:
    """So that spans that follow each other still add up to their whole, where days begin with an hour of UTC."""
    edges = [to_micros(NOON - 6 * DAY + timedelta(hours=7 * number, minutes=minutes)) for number in range(12)]
    prune(NOON)
    parts = series(edges, EVERYTHING, sums=["requests"]).groups[()]
    assert sum(part[0] for part in parts) == totals(Span(edges[0], edges[-1]), EVERYTHING).requests
    # Asked for alone, one source or key has what it has among all.
    quarters = [edges[0] + number * grains.HOUR // 4 for number in range(1, 600)]
    for dimension, one in (("source", "sources"), ("key", "api_keys")):
        for marks in (edges, quarters):
            for (pk,), line in series(marks, EVERYTHING, [dimension], sums=["requests"]).groups.items():
                assert series(marks, Conditions(**{one: frozenset([pk])}), sums=["requests"]).groups[()] == line


def test_a_wrong_sum_of_what_is_kept_is_mended_and_the_past_stays(booked: Instance) -> None:
    prune(NOON - 2 * DAY)
    rows = rollup_rows()
    assert rollup.rebuild() < len(rows)
    assert rollup_rows() == rows


def _book(instance: Instance, random: Random) -> None:
    Ledger(instance).book(random.sample(payloads(), 50), ())


def _price(instance: Instance, random: Random) -> None:
    pattern = random.choice(["one-FAKE", "two-FAKE"])
    ModelPrice.objects.get_or_create(pattern=pattern, defaults={"input": Decimal("1.5"), "output": Decimal(3)})
    price_unpriced()


def _prune(instance: Instance, random: Random) -> None:
    prune(NOON - random.randrange(7) * DAY)


def _rebuild(instance: Instance, random: Random) -> None:
    rollup.rebuild()


def _rebuild_some_days(instance: Instance, random: Random) -> None:
    first = to_micros(NOON + random.randrange(-7 * 24, 7 * 24) * timedelta(hours=1))
    rollup.rebuild(first, first + random.randrange(1, 3 * grains.DAY))
    distribution.rebuild(first, first + random.randrange(1, 3 * grains.DAY))


def _fold(instance: Instance, random: Random) -> None:
    distribution.fold(1)


STEPS: list[Callable[[Instance, Random], None]] = [_book, _price, _prune, _rebuild, _rebuild_some_days, _fold]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(10))
@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_sums_equal_records_after_anything_in_any_order(
    zone: str, instance: Instance, steps: list[Callable[[Instance, Random], None]], random: Random
) -> None:
    with undone():
        seen: dict[str, datetime] = {}
        for step in steps:
            step(instance, random)
            assert rollup.differences() == []
            assert distribution.differences() == []
            line = rollup.records_since()
            rows = list(UsageRecord.objects.all())
            assert all(to_micros(row.requested_at) >= line for row in rows)
            since = max(grains.HOURLY.end_of(line), 0)
            kept = [row for row in rows if to_micros(row.requested_at) >= since]
            whole = totals(Span(since, to_micros(NOON + 9 * DAY)), EVERYTHING)
            assert asdict(whole) == (sums_of(kept) or dict.fromkeys(grains.SUMS, 0))
            seen |= {row.request_id: row.requested_at for row in rows}
        # Each is in the sums once, whether its record is still there or not.
        assert totals(Span(0, to_micros(NOON + 9 * DAY)), EVERYTHING).requests == len(seen)


def test_the_command_counts_and_then_deletes(booked: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    out = StringIO()
    call_command("prune", "--days", "3", "--dry-run", stdout=out)
    assert UsageRecord.objects.count() == 120
    call_command("prune", "--days", "3", stdout=out)
    counted, deleted = (int(line.split()[0]) for line in out.getvalue().splitlines())
    assert counted == deleted == 120 - UsageRecord.objects.count() > 0
    with pytest.raises(CommandError, match="--days 0"):
        call_command("prune", "--days", "0")


def test_clients_are_forgotten_with_their_last_record(zone: str, instance: Instance) -> None:
    ledger = Ledger(instance)  # which goes on to know all of them

    def come(at: datetime, number: int, ip: str) -> None:
        assert ledger.book([payload(at, request_id=str(number), client_ip=ip)], ()).new == 1

    come(NOON - 5 * DAY, 1, "203.0.113.1")
    come(NOON - 5 * DAY, 2, "203.0.113.2")
    come(NOON, 3, "203.0.113.2")
    assert forget_clients() == 0
    assert prune(NOON - 2 * DAY) == 2
    assert set(ClientTraits.objects.values_list("ip", flat=True)) == {"203.0.113.2"}
    come(NOON + HOUR, 4, "203.0.113.1")
    records = UsageRecord.objects.select_related("client").order_by("requested_at")
    assert [row.client.ip for row in records if row.client] == ["203.0.113.2", "203.0.113.1"]
