"""The API tells how long answers took, of any selection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from channels_app.stats import percentiles
from tests.factories import NOON, book, payload
from usage.ingest import distribution
from usage.models import Instance

HOUR = timedelta(hours=1)
DAY = "2026-08-22"  # of NOON


@pytest.fixture(autouse=True)
def booked(instance: Instance) -> None:
    """A hundred answers in the first hour after noon, of 10, 20, ... 1,000 ms, and one later of another model."""
    book(
        instance,
        *(
            payload(
                NOON + number * timedelta(seconds=30), request_id=str(number), latency_ms=10 * number, ttft_ms=number
            )
            for number in range(1, 101)
        ),
        payload(NOON + 3 * HOUR, request_id="later", model="slow-FAKE", latency_ms=60_000, ttft_ms=None),
        payload(NOON + 3 * HOUR, request_id="failed", latency_ms=77_777, failed=True),
    )


def get(api: APIClient, path: str = "", **query: Any) -> Any:
    answer = api.get(f"/api/latency/{path}", {"from": DAY, "to": DAY, **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_percentiles_of_few_are_exact(api: APIClient) -> None:
    total = get(api)["total"]
    assert total["latency"] == {"samples": 101, "p50": 510, "p90": 910, "p95": 960, "p99": 1_000, "approximate": False}
    assert total["ttft"] == {"samples": 100, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "approximate": False}


def test_percentiles_of_many_are_approximate_and_say_so(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution.fold(1)
    monkeypatch.setattr(percentiles, "MOST_EXACT", 0)
    latency = get(api)["total"]["latency"]
    assert latency["approximate"]
    assert latency["samples"] == 101
    assert latency["p95"] == pytest.approx(960, rel=0.05)


def test_each_dimension_has_its_own(api: APIClient) -> None:
    rows = {row["model"]["name"]: row for row in get(api, by="model")["rows"]}
    assert rows["slow-FAKE"]["latency"]["p50"] == 60_000
    assert rows["slow-FAKE"]["ttft"] == {
        "samples": 0,
        "p50": None,
        "p90": None,
        "p95": None,
        "p99": None,
        "approximate": False,
    }
    assert get(api, model="slow-FAKE")["total"]["latency"]["samples"] == 1
    assert get(api, status="fail")["total"]["latency"]["samples"] == 0


def test_a_series_has_what_each_interval_has(api: APIClient) -> None:
    answer = get(api, "series/", bucket="1h")
    (line,) = answer["series"]
    samples = [one["latency"]["samples"] for one in line["intervals"]]
    assert len(samples) == len(answer["edges"]) - 1 == 24
    assert [count for count in samples if count] == [100, 1]


@pytest.mark.parametrize("query", [{"by": "weather"}, {"range": "soon"}, {"model": "none-FAKE"}])
def test_what_means_nothing_is_refused(api: APIClient, query: dict[str, str]) -> None:
    assert api.get("/api/latency/", query).status_code == 400
