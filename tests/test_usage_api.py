"""The API answers any question with names that its own filters take, and refuses what means nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rest_framework.test import APIClient

from channels_app.buckets import BUCKETS, choose, edges
from channels_app.comparison import compared_with
from channels_app.period import RANGES, read_period
from tests.factories import CLIENT_KEY, NOON, auth_file, auth_files, book, list_names, payload, zones
from usage.models import ApiKey, Instance

HOUR = timedelta(hours=1)
DAY = "2026-08-22"  # of NOON
ZONES = zones("UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")


@pytest.fixture
def booked(instance: Instance) -> Instance:
    """Seven records: three of codex, two of claude (one failed), two of nobody that is known."""
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    for number, index in enumerate(["dave", "dave", "dave", "bob", "bob", "gone", "gone"]):
        failed = number == 4
        key = CLIENT_KEY if number % 2 else ""
        book(instance, payload(
            NOON + number * HOUR, auth_index=index, request_id=str(number), api_key=key, failed=failed,
            fail={"status_code": 429 if failed else 200}, tokens={"input_tokens": 10 * (number + 1)},
        ))  # fmt: skip
    return instance


def get(api: APIClient, path: str = "", **query: Any) -> Any:
    answer = api.get(f"/api/usage/{path}", {"from": DAY, "to": DAY, **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def requests_by(answer: Any, dimension: str) -> dict[str, int]:
    return {row[dimension]["name"]: row["usage"]["requests"] for row in answer["rows"]}


def test_totals_and_each_breakdown_add_up(api: APIClient, booked: Instance) -> None:
    for dimension in ("server", "channel", "account", "source", "model", "key"):
        answer = get(api, by=dimension)
        assert sum(row["usage"]["requests"] for row in answer["rows"]) == answer["total"]["requests"] == 7
    assert requests_by(get(api, by="channel"), "channel") == {"codex": 3, "claude": 2, "Unknown channel": 2}
    assert requests_by(get(api, by="code"), "code") == {"429": 1}


def test_ids_of_an_answer_are_what_filters_take(api: APIClient, booked: Instance) -> None:
    for dimension in ("server", "channel", "model", "key"):
        for row in get(api, by=dimension)["rows"]:
            narrowed = get(api, **{dimension: row[dimension]["id"]})
            assert narrowed["total"] == row["usage"]


def test_the_tree_of_channels_takes_the_same_filters(api: APIClient, booked: Instance) -> None:
    query = {"from": DAY, "to": DAY, "status": "ok", "channel": ["claude", "unknown"]}
    answer = api.get("/api/channels/", query).json()
    assert {row["slug"]: row["usage"]["requests"] for row in answer["channels"]} == {"claude": 1, "unknown": 2}
    assert api.get("/api/channels/", {"channel": "nowhere"}).status_code == 400


def test_the_rest_is_added_up_and_the_unknown_is_no_rest(api: APIClient, booked: Instance) -> None:
    answer = get(api, by="channel", limit=1)
    assert [row["channel"]["id"] for row in answer["rows"]] == ["claude", "unknown"]
    assert answer["other"]["requests"] == 3


def test_two_dimensions_are_nested(api: APIClient, booked: Instance) -> None:
    rows = get(api, by=["channel", "key"])["rows"]
    assert {(row["channel"]["id"], row["key"]["id"] > 0, row["usage"]["requests"]) for row in rows} == {
        ("codex", True, 1), ("codex", False, 2), ("claude", True, 1), ("claude", False, 1),
        ("unknown", True, 1), ("unknown", False, 1),
    }  # fmt: skip


def test_a_series_has_an_interval_for_each_hour_and_adds_up(api: APIClient, booked: Instance) -> None:
    answer = get(api, "series/", by="channel", bucket="1h", sum=["requests", "failed"])
    assert len(answer["edges"]) == 25
    lines = {line["channel"]["id"]: line for line in answer["series"]}
    assert [sum(column) for column in zip(*(line["requests"] for line in lines.values()), strict=True)] == [
        1 if 12 <= hour < 19 else 0 for hour in range(24)
    ]
    assert lines["claude"]["failed"][16] == 1


def test_what_was_before_is_compared(api: APIClient, booked: Instance) -> None:
    answer = get(api, **{"from": "2026-08-22T16:00", "to": "2026-08-22T20:00", "cmp": "prev"})
    assert (answer["total"]["requests"], answer["previous"]["total"]["requests"]) == (3, 4)
    assert get(api)["previous"] is None


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"channel": "nowhere"}, "filters"), ({"code": "2000"}, "filters"), ({"by": "colour"}, "by"),
        ({"by": ["channel", "model", "key"]}, "by"), ({"cmp": "ever"}, "cmp"), ({"limit": "-1"}, "limit"),
        ({"from": "yesterday"}, "period"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_by_its_name(api: APIClient, query: dict[str, Any], name: str) -> None:
    answer = api.get("/api/usage/", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert "secret" not in answer.content.decode()


def test_a_bucket_that_is_too_fine_is_refused(api: APIClient) -> None:
    answer = api.get("/api/usage/series/", {"range": "90d", "bucket": "1m"})
    assert (answer.status_code, list(answer.json())) == (400, ["bucket"])
    assert api.get("/api/usage/series/", {"range": "all"}).status_code == 200


def test_no_key_is_shown(api: APIClient, booked: Instance) -> None:
    text = str(get(api, by=["key", "account"]))
    assert CLIENT_KEY not in text
    assert ApiKey.objects.get().key_mask in text


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "now", [NOON, datetime(2026, 11, 1, 9, 31, tzinfo=UTC), datetime(2026, 3, 8, 6, 59, tzinfo=UTC)]
)
@pytest.mark.parametrize("bucket", list(BUCKETS))
@pytest.mark.django_db
def test_buckets_cover_a_period_without_a_hole(zone: str, now: datetime, bucket: str) -> None:
    for name in RANGES.keys() - {"all"}:
        period = read_period({"range": name}, ZoneInfo(zone), now)
        try:
            found = edges(period, bucket)
        except ValueError:
            assert period.until - period.since > BUCKETS[bucket]
            continue
        assert (found[0], found[-1]) == (period.since, period.until)
        assert found == sorted(set(found))
        inner = [moment.astimezone(period.zone) for moment in found[1:-1]]
        assert {moment.second for moment in inner} <= {0}
        if bucket in ("1d", "1w", "1M"):
            assert {(moment.hour, moment.minute) for moment in inner} <= {(0, 0)}
        if bucket == "1w":
            assert {moment.weekday() for moment in inner} <= {0}
        if bucket == "1M":
            assert {moment.day for moment in inner} <= {1}
        if bucket == "6h":
            beside = [moment for moment in inner if (moment.hour % 6, moment.minute) != (0, 0)]
            assert {moment.astimezone(UTC).minute for moment in beside} <= {0}
            assert {(moment + timedelta(minutes=59)).hour % 6 for moment in beside} <= {0}


def test_the_bucket_that_is_chosen_is_easy_to_read() -> None:
    chosen = {name: choose(read_period({"range": name}, ZoneInfo("UTC"), NOON)) for name in RANGES}
    assert chosen == {
        "1h": "1m", "6h": "5m", "24h": "15m", "today": "15m", "yesterday": "15m", "7d": "1h", "30d": "6h", "90d": "1d",
        "mtd": "6h", "lastmonth": "6h", "all": "1M",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "comparison", "since", "until"),
    [
        ("24h", "prev", "2026-08-20T12:00", "2026-08-21T12:00"),
        ("today", "prev", "2026-08-21T00:00", "2026-08-21T12:00"),
        ("7d", "prev", "2026-08-09T00:00", "2026-08-15T12:00"),
        ("7d", "week", "2026-08-09T00:00", "2026-08-15T12:00"),
        ("30d", "week", "2026-06-19T00:00", "2026-07-18T12:00"),
        ("mtd", "prev", "2026-07-01T00:00", "2026-07-22T12:00"),
        ("lastmonth", "prev", "2026-06-01T00:00", "2026-07-01T00:00"),
        ("yesterday", "prev", "2026-08-20T00:00", "2026-08-21T00:00"),
    ],
)
def test_like_is_compared_with_like(name: str, comparison: str, since: str, until: str) -> None:
    before = compared_with(read_period({"range": name}, ZoneInfo("UTC"), NOON), comparison)
    assert before is not None
    assert [f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}" for moment in (before.since, before.until)] == [since, until]


def test_there_is_nothing_before_all_time() -> None:
    period = read_period({"range": "all"}, ZoneInfo("UTC"), NOON)
    assert compared_with(period, "prev") is None
    assert compared_with(read_period({}, ZoneInfo("UTC"), NOON), "off") is None
