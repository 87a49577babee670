"""What response headers tell of an account's windows, and what of it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.factories import NOON, auth_file, auth_files, book, list_names, payload, undone
from tests.fake_cpa import Tokens
from tests.fake_cpa.quota_headers import quota_headers
from tests.traffic import fake_cpa, read_from
from usage.accounting.payload import Payload
from usage.accounting.quota import ALLOWED, readings
from usage.collection import sync_instance
from usage.ingest.sources import heal
from usage.models import Instance, QuotaWindow
from usage.models.fields import to_micros

AT = to_micros(NOON)
RESET = int(NOON.timestamp()) + 3_600
RESETS_AT = RESET * 1_000_000


def claude(headers: dict[str, Any] | None, at: datetime = NOON, **fields: Any) -> Payload:
    return payload(at, provider="claude", model="claude-opus-4-6", response_headers=headers, **fields)


def codex(headers: dict[str, Any] | None, at: datetime = NOON, **fields: Any) -> Payload:
    return payload(at, response_headers=headers, **fields)


def unified(window: str, used: str, reset: str = str(RESET)) -> dict[str, list[str]]:
    name = f"Anthropic-Ratelimit-Unified-{window}"
    return {f"{name}-Utilization": [used], f"{name}-Reset": [reset], f"{name}-Status": ["allowed"]}


def slot(name: str, used: str, **said: str) -> dict[str, list[str]]:
    said = {"Used-Percent": used} | {key.replace("_", "-").title(): value for key, value in said.items()}
    return {f"X-Codex-{name}-{key}": [value] for key, value in said.items()}


def told(record: Payload) -> dict[str, tuple[int, ...]]:
    """The windows of a record: use in hundredths of a percent, reset, length in minutes."""
    return {name: reading[1:] for name, reading in readings(record)}


def test_claude_tells_fractions_of_its_windows() -> None:
    headers = unified("5h", "0.0523") | unified("7d", "1.04") | unified("7d_sonnet", "0")
    assert told(claude(headers)) == {
        "5h": (523, RESETS_AT, 300),
        "7d": (10_400, RESETS_AT, 10_080),
        "7d_sonnet": (0, RESETS_AT, 10_080),
    }


def test_codex_tells_percents_and_lengths_in_either_order() -> None:
    week = slot("Primary", "88", window_minutes="10080", reset_after_seconds="60")
    hours = slot("Secondary", "12.5", window_minutes="300", reset_at=str(RESET))
    assert told(codex(week | hours)) == {"7d": (8_800, AT + 60_000_000, 10_080), "5h": (1_250, RESETS_AT, 300)}
    assert told(codex(slot("Primary", "3", window_minutes="43200"))) == {"30d": (300, 0, 43_200)}
    assert told(codex(slot("Primary", "41"))) == {"primary": (4_100, 0, 0)}


def test_a_window_that_an_account_does_not_have_is_none() -> None:
    assert told(codex(slot("Secondary", "0", window_minutes="0"))) == {}
    assert told(codex(slot("Secondary", "0", window_minutes="300"))) == {"5h": (0, 0, 300)}


def test_a_reading_is_of_the_first_token() -> None:
    ((_name, reading),) = readings(claude(unified("5h", "0.5"), ttft_ms=2_500))
    assert reading.seen_at == AT + 2_500_000


@pytest.mark.parametrize("used", ["", "much", "NaN", "Infinity", "-0.1", "10.01", "1e999999999"])
def test_what_is_no_share_tells_nothing(used: str) -> None:
    assert told(claude(unified("5h", used) | unified("7d", "0.5"))).keys() == {"7d"}


@pytest.mark.parametrize("reset", ["", "soon", "0", "-1", "99999999999", "1" * 5_000, "１８００００００００"])
def test_a_reset_that_is_no_time_of_ours_is_not_known(reset: str) -> None:
    assert told(claude(unified("5h", "0.5", reset))) == {"5h": (5_000, 0, 300)}


@pytest.mark.parametrize(
    "headers", [None, {}, [], "x", 7, {"Content-Type": ["x"]}, {"Anthropic-Ratelimit-Unified-5h-Utilization": 0.5}]
)
def test_other_headers_tell_nothing_and_cost_no_record(headers: Any) -> None:
    assert told(claude(headers)) == {}


def test_who_does_not_tell_of_an_account_is_not_read() -> None:
    assert told(claude(slot("Primary", "41"))) == {}
    assert told(payload(provider="openai-compatible-relay", response_headers=unified("5h", "0.5"))) == {}
    assert told(codex(slot("Primary", "41"), executor_type="CodexWebsocketsExecutor")) == {}
    assert told(codex(slot("Primary", "41"), executor_type="CodexExecutor")) != {}
    ahead = claude(unified("5h", "0.5"), at=NOON + timedelta(days=400))
    assert told(ahead) == {}  # its clock is wrong: it would be the newest for a year


def test_only_allowed_headers_are_read() -> None:
    names = [name for names in ALLOWED.values() for name in names]
    assert len(names) == len(set(names)) == 18
    assert all("Ratelimit-Unified-" in name or name.startswith("X-Codex-") for name in names)


# What of each window some records told, of an account that shows itself in two ways.
_PARTS = st.tuples(st.sampled_from(["5h", "7d", "7d_opus"]), st.integers(0, 120), st.integers(0, 3))
_RECORDS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["a", "b"]), st.lists(_PARTS, min_size=1, max_size=3)),
    min_size=1,
    max_size=8,
)


def _record(number: int, second: int, index: str, parts: list[tuple[str, int, int]]) -> Payload:
    headers: dict[str, list[str]] = {}
    for window, used, reset in parts:
        headers |= unified(window, f"{used / 100}", str(RESET + reset) if reset else "")
    return claude(headers, NOON + timedelta(seconds=second), auth_index=index, request_id=f"{number:08x}")


def _kept() -> set[tuple[Any, ...]]:
    rows = QuotaWindow.objects.values_list(
        "source__auth_index", "name", "used_percent", "resets_at", "minutes", "seen_at"
    )
    return set(rows)


@pytest.mark.django_db
@given(records=_RECORDS, data=st.data())
def test_the_newest_reading_stays_in_any_order_and_however_often(
    records: list[tuple[int, str, list[tuple[str, int, int]]]], data: st.DataObject
) -> None:
    payloads = [_record(number, *record) for number, record in enumerate(records)]
    shuffled = data.draw(st.permutations(payloads + payloads[: len(payloads) // 2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    instance = Instance.objects.first() or _instance()
    with undone():
        book(instance, *payloads)
        at_once = _kept()
        book(instance, *payloads)
        assert _kept() == at_once
    with undone():
        book(instance, *shuffled[:cut])
        book(instance, *shuffled[cut:])
        assert _kept() == at_once
    newest = {
        (index, window): max(at for at, name, parts in records for one, *_ in parts if (name, one) == (index, window))
        for _at, index, parts in records
        for window, *_ in parts
    }
    assert {(index, name): at for index, name, *_, at in at_once} == {
        key: NOON + timedelta(seconds=second) for key, second in newest.items()
    }


def _instance() -> Instance:
    instance = Instance(name="Test CPA", base_url="http://127.0.0.1:9", encrypted_key="x")
    instance.save()
    return instance


@pytest.mark.django_db
def test_an_older_reading_comes_too_late(instance: Instance) -> None:
    book(instance, claude(unified("5h", "0.50"), NOON))
    book(instance, claude(unified("5h", "0.40"), NOON - timedelta(seconds=1)), claude(None, NOON + timedelta(hours=1)))
    assert [row.used_percent for row in QuotaWindow.objects.all()] == [50]


@pytest.mark.django_db
def test_nothing_else_of_the_headers_is_stored(instance: Instance) -> None:
    headers = unified("5h", "0.5") | {"Set-Cookie": ["session=SECRET-cookie"], "X-Request-Id": ["req_SECRET"]}
    book(instance, claude(headers))
    row = QuotaWindow.objects.values().get()
    assert not any("SECRET" in str(value) for value in row.values())
    assert row["used_percent"] == 50


@pytest.mark.django_db
def test_from_the_headers_of_a_server_to_the_api(api: APIClient) -> None:
    with fake_cpa("7.2.140") as cpa:
        carol = cpa.credentials.add_oauth("claude", "carol@example.com")
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        now = cpa.clock.now_ns()
        for who, model in ((carol, "claude-opus-4-6"), (dave, "gpt-5.4")):
            cpa.emit(who, model, tokens=Tokens(uncached=5), response_headers=quota_headers(who, now))
        sync_instance(read_from(cpa))
    accounts = {one["account"]["name"]: one for one in api.get("/api/quota/").json()["accounts"]}
    assert accounts.keys() == {"carol@example.com", "dave@example.com"}
    for name, channel in (("carol@example.com", "claude"), ("dave@example.com", "codex")):
        assert accounts[name]["channel"]["name"] == channel
        assert [one["window"] for one in accounts[name]["windows"]] == ["5h", "7d"]
    said = float(quota_headers(carol, now)["Anthropic-Ratelimit-Unified-5h-Utilization"][0])
    assert accounts["carol@example.com"]["windows"][0]["used_percent"] == pytest.approx(said * 100)


@pytest.mark.django_db
def test_a_server_before_headers_tells_nothing() -> None:
    with fake_cpa("7.0.7") as cpa:
        carol = cpa.credentials.add_oauth("claude", "carol@example.com")
        cpa.emit(carol, "claude-opus-4-6", response_headers=unified("5h", "0.5"))
        sync_instance(read_from(cpa))
    assert not QuotaWindow.objects.exists()


@pytest.mark.django_db
def test_a_name_that_comes_later_names_the_window(instance: Instance, api: APIClient) -> None:
    book(instance, claude(unified("5h", "0.5"), auth_index="0f1e2d"))
    assert api.get("/api/quota/").json()["accounts"][0]["account"]["id"] is None
    file = auth_file("carol.json", "claude", email="carol@example.com", auth_index="0f1e2d")
    list_names(instance, auth_files=auth_files(file))
    heal(instance)
    assert api.get("/api/quota/").json()["accounts"][0]["account"]["name"] == "carol@example.com"
