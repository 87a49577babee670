"""The bulk path books like the collector does: each row once, the sums with it, and a batch as a whole or not at all."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from django.db import IntegrityError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOON, book, examples, payload, rollup_rows, undone
from usage.accounting.payload import DEDUP_BYTES
from usage.ingest import bulk, grains, rollup
from usage.ingest.insertion import COLUMNS, Row
from usage.models import Instance, UsageRecord
from usage.models.fields import to_micros

HOUR, DAY = grains.HOUR, 24 * grains.HOUR


@pytest.fixture
def like(instance: Instance) -> dict[str, Any]:
    """What a record says that is booked already, so that all that it points to is there."""
    book(instance, payload(request_id="first"))
    return UsageRecord.objects.values(*COLUMNS).get() | {"dedup_key": bytes(DEDUP_BYTES)}


def rows_like(like: dict[str, Any], count: int, seed: int = 1) -> list[Row]:
    random = Random(seed)
    return [
        tuple(
            (
                like
                | {
                    "requested_at": to_micros(NOON) + random.randrange(3 * DAY),
                    "received_at": to_micros(NOON) + 4 * DAY,
                    "dedup_key": random.randbytes(DEDUP_BYTES),
                    "failed": int(failed := random.random() < 0.2),
                    "status_code": random.choice([429, 500, None]) if failed else 200,
                    "api_key_id": like["api_key_id"] if random.random() < 0.8 else None,
                    "uncached_input": random.randrange(1_000),
                    "cost_nanousd": random.choice([None, 5_000]),
                    "ttft_ms": random.choice([None, 100]),
                    "latency_ms": 900,
                }
            ).values()
        )
        for _ in range(count)
    ]


@pytest.fixture(params=[1, 2], ids=["one at once", "two at once"])
def batches_of_50(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows share a transaction."""
    monkeypatch.setattr(bulk, "BATCH", 50)
    monkeypatch.setattr(bulk, "_BATCHES_AT_ONCE", {connection.vendor: request.param})
    return 50 * int(request.param)


def test_rows_are_booked_with_their_sums(like: dict[str, Any], batches_of_50: int) -> None:
    rows, told = rows_like(like, 330), []
    assert bulk.load(iter(rows), told.append) == 330
    assert told == [50] * 6 + [30]
    assert UsageRecord.objects.count() == 331
    assert rollup.differences() == []


def test_row_says_what_it_said(like: dict[str, Any]) -> None:
    (row,) = rows_like(like, 1)
    bulk.load([row])
    booked = UsageRecord.objects.exclude(pk=UsageRecord.objects.earliest("pk").pk).values(*COLUMNS).get()
    said = dict(zip(COLUMNS, row, strict=True))
    for name, value in booked.items():
        value = bytes(value) if name == "dedup_key" else to_micros(value) if name.endswith("_at") else value
        assert value == said[name], name


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_any_number_of_rows_is_counted_right(like: dict[str, Any], count: int) -> None:
    assert bulk.load(rows_like(like, count)) == count
    assert UsageRecord.objects.count() == count + 1
    assert rollup.differences() == []


def test_replay_adds_nothing(like: dict[str, Any], batches_of_50: int) -> None:
    rows = rows_like(like, 120)
    bulk.load(rows)
    before = rollup_rows()
    assert bulk.load(rows) == 0
    assert bulk.load(reversed(rows)) == 0
    assert rollup_rows() == before
    assert UsageRecord.objects.count() == 121


def test_twins_within_a_batch_are_booked_once(like: dict[str, Any]) -> None:
    rows = rows_like(like, 130)
    assert bulk.load(rows + rows[:40]) == 130
    assert rollup.differences() == []


@pytest.mark.parametrize(
    ("column", "at"),
    [(name, 49) for name in ("model_id", "alias_id", "api_key_id", "traits_id", "price_id", "client_id")]
    + [("source_id", at) for at in (0, 49, 119)],
)
def test_batch_with_a_row_that_points_to_nothing_is_refused_as_a_whole(
    like: dict[str, Any], batches_of_50: int, column: str, at: int
) -> None:
    rows = rows_like(like, 120)
    good = list(rows)
    place = COLUMNS.index(column)
    rows[at] = (*rows[at][:place], 987_654, *rows[at][place + 1 :])
    with pytest.raises(IntegrityError):
        bulk.load(rows)
    left = at // batches_of_50 * batches_of_50
    assert UsageRecord.objects.count() == 1 + left
    assert rollup.differences() == []
    assert bulk.load(good) == 120 - left
    assert UsageRecord.objects.count() == 121
    assert rollup.differences() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(st.data())
def test_order_overlap_and_batches_do_not_matter(
    like: dict[str, Any], monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    rows = rows_like(like, 60)
    parts = [*data.draw(st.lists(st.lists(st.sampled_from(rows), max_size=80), max_size=4)), rows]
    with undone():
        bulk.load(rows)
        at_once = rollup_rows()
    with undone():
        monkeypatch.setattr(bulk, "BATCH", data.draw(st.integers(1, 70)))
        monkeypatch.setattr(bulk, "_BATCHES_AT_ONCE", {connection.vendor: data.draw(st.integers(1, 3))})
        assert sum(bulk.load(part) for part in parts) == 60
        assert rollup_rows() == at_once
        assert rollup.differences() == []
