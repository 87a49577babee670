"""The fake CPA keeps to the contract, release by release."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fake_cpa import FakeCPA, Tokens, faults
from tests.fake_cpa.garbage import ELEMENTS
from tests.fake_cpa.self_signed import self_signed
from tests.fake_cpa.traffic import Traffic
from tests.fake_cpa.versions import parse_version

KEY = "mgmt-FAKE-0001"
CLIENT = "sk-team-frontend-FAKE-0001"
RELAY = ("https://relay.example.net/anthropic", "sk-relay-FAKE-claude-0000000000000002")
OPENROUTER = ("https://openrouter.ai/api/v1", "sk-or-v1-FAKE-openrouter-key-00000000001")
NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)


def words(text: str) -> list[str]:
    return text.split()


RECORD_7_2_140 = words(
    "timestamp latency_ms ttft_ms source auth_index access_token_sha256 client_ip x_forwarded_for user_agent tokens "
    "failed generate fail response_headers accounting_version token_breakdown provider executor_type model alias "
    "endpoint auth_type api_key request_id reasoning_effort service_tier response_service_tier"
)
RECORD_6_10_8 = words(
    "timestamp latency_ms source auth_index tokens failed provider model alias endpoint auth_type api_key request_id"
)
AUTH_FILE_7_2_140 = words(
    "account account_type auth_index created_at disabled email failed id id_token label last_refresh modtime name path "
    "provider recent_requests runtime_only size source status status_message success type unavailable updated_at"
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    cpa: FakeCPA, path: str, *, key: str = KEY, method: str = "GET", body: object = None, **headers: str
) -> Answer:
    address = urlsplit(cpa.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    target = path if path in ("/", "/healthz") else f"/v0/management{path}"
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, target, content, {**authorization, **headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]


# --- Authentication (contract A) ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": KEY},
        {"X-Management-Key": KEY},
    ],
)
def test_the_key_is_accepted_in_three_places(headers: dict[str, str]) -> None:
    with FakeCPA() as cpa:
        assert call(cpa, "/usage-statistics-enabled", key="", **headers).json() == {"usage-statistics-enabled": True}


def test_an_empty_bearer_hides_the_second_header() -> None:
    with FakeCPA() as cpa:
        answer = call(cpa, "/config", key="", Authorization="Bearer ", **{"X-Management-Key": KEY})
        assert error_of(answer) == (401, "invalid management key")


def test_five_failures_ban_the_address_and_the_right_key_does_not_help() -> None:
    with FakeCPA() as cpa:
        cpa.clock.set(NOON)
        assert error_of(call(cpa, "/usage", key="")) == (401, "missing management key")
        for _ in range(4):
            assert error_of(call(cpa, "/config", key="wrong")) == (401, "invalid management key")
        cpa.clock.advance(2)
        banned = call(cpa, "/config")
        assert error_of(banned) == (403, "IP banned due to too many failed attempts. Try again in 29m58s")
        assert banned.headers["X-CPA-VERSION"] == "7.2.140"
        cpa.clock.advance(29 * 60 + 58)
        assert call(cpa, "/config").status == 200


def test_a_success_clears_the_count_and_so_do_two_idle_hours() -> None:
    with FakeCPA() as cpa:
        cpa.clock.set(NOON)
        for key in ("wrong",) * 4 + (KEY,) + ("wrong",) * 4:
            call(cpa, "/config", key=key)
        cpa.clock.advance(2 * 3600 + 1)
        call(cpa, "/config", key="wrong")
        assert call(cpa, "/config").status == 200


def test_old_releases_ban_only_remote_addresses() -> None:
    with FakeCPA("6.9.37", allow_remote=True) as cpa:
        for _ in range(6):
            assert call(cpa, "/config", key="wrong").status == 401
        remote = {"X-Forwarded-For": "198.51.100.7, 127.0.0.1"}
        statuses = [call(cpa, "/config", key="wrong", **remote).status for _ in range(6)]
        assert statuses == [401] * 5 + [403]


def test_remote_callers_are_refused_without_being_counted() -> None:
    with FakeCPA() as cpa:
        for _ in range(6):
            answer = call(cpa, "/config", **{"X-Forwarded-For": "198.51.100.7"})
            assert error_of(answer) == (403, "remote management disabled")


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("6.3.35", []),
        ("6.3.36", ["X-CPA-VERSION", "X-CPA-COMMIT", "X-CPA-BUILD-DATE"]),
        ("7.1.69", ["X-CPA-VERSION", "X-CPA-COMMIT", "X-CPA-BUILD-DATE", "X-CPA-SUPPORT-PLUGIN"]),
    ],
)
def test_version_headers(profile: str, names: list[str]) -> None:
    with FakeCPA(profile) as cpa:
        for key, status in ((KEY, 200), ("wrong", 401)):
            answer = call(cpa, "/config", key=key)
            assert answer.status == status
            assert [name for name in answer.headers if name.startswith("X-CPA")] == names


def test_unknown_paths_before_and_since_7_1_47() -> None:
    with FakeCPA("7.1.46") as cpa:
        old = call(cpa, "/nothing", key="wrong")
        assert (old.status, old.body, old.headers.get("X-CPA-VERSION")) == (404, b"404 page not found", None)
    with FakeCPA("7.1.47") as cpa:
        assert call(cpa, "/nothing", key="wrong").status == 401
        new = call(cpa, "/nothing")
        assert (new.status, new.body, new.headers["X-CPA-VERSION"]) == (404, b"", "7.1.47")


def test_management_off_and_home_mode_are_an_empty_404() -> None:
    with FakeCPA(management_key="") as off, FakeCPA() as home:
        home.home_mode = True
        for cpa in (off, home):
            answer = call(cpa, "/config")
            assert (answer.status, answer.body, answer.headers.get("X-CPA-VERSION")) == (404, b"", None)


def test_6_0_0_trusts_localhost_and_needs_a_restart_to_drop_its_secret() -> None:
    with FakeCPA("6.0.0") as cpa:
        assert call(cpa, "/config", key="").status == 200
        cpa.management_key = ""
        assert error_of(call(cpa, "/config")) == (403, "remote management key not set")


def test_every_answer_tells_the_time_of_the_server() -> None:
    with FakeCPA() as cpa:
        cpa.clock.set(NOON)
        cpa.clock.advance(-3600)
        for path, key in (("/config", KEY), ("/config", "wrong"), ("/nothing", KEY), ("/healthz", "")):
            assert call(cpa, path, key=key).headers["Date"] == "Sat, 22 Aug 2026 11:00:00 GMT"


def test_the_configuration_tells_the_retention_where_it_can_be_set() -> None:
    with FakeCPA("6.10.0") as old, FakeCPA("6.10.8", retention_seconds=600) as new:
        assert "redis-usage-queue-retention-seconds" not in call(old, "/config").json()
        assert call(new, "/config").json()["redis-usage-queue-retention-seconds"] == 600


# --- Which endpoint a release has (contract 0, B, C, H, I) ---


@pytest.mark.parametrize(
    ("profile", "usage", "queue"),
    [("6.0.0", 200, 404), ("6.9.49", 200, 404), ("6.10.0", 404, 404), ("6.10.8", 404, 400), ("dev", 404, 400)],
)
def test_the_probe_tells_the_releases_apart(profile: str, usage: int, queue: int) -> None:
    with FakeCPA(profile) as cpa:
        assert (call(cpa, "/usage").status, call(cpa, "/usage-queue?count=0").status) == (usage, queue)


def test_public_paths() -> None:
    with FakeCPA("6.0.0") as old, FakeCPA() as new:
        assert call(old, "/", key="").json()["version"] == "1.0.0"
        assert call(old, "/healthz", key="").status == 404
        assert "version" not in call(new, "/", key="").json()
        assert call(new, "/healthz", key="").json() == {"status": "ok"}


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"7\.2 is not|'7\.2' is not"):
        FakeCPA("7.2")


# --- The queue (contract C) ---


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "9223372036854775808"])
def test_a_wrong_count_pops_nothing(count: str) -> None:
    with FakeCPA() as cpa:
        cpa.emit(None, "m")
        assert error_of(call(cpa, f"/usage-queue?count={count}")) == (400, "count must be a positive integer")
        assert len(cpa.queue) == 1


def test_records_leave_once_and_oldest_first() -> None:
    with FakeCPA() as cpa:
        raws = [cpa.emit(None, f"m{number}").raw for number in range(5)]
        bodies = [call(cpa, f"/usage-queue{query}").body for query in ("", "?count=", "?count=100", "?count=100")]
        assert bodies[:2] == [b"[%b]" % raw for raw in raws[:2] if raw]
        assert [record["model"] for record in json.loads(bodies[2])] == ["m2", "m3", "m4"]
        assert bodies[3] == b"[]"
        assert cpa.handed_out == raws


def test_two_poppers_never_get_the_same_record_while_others_emit() -> None:
    with FakeCPA() as cpa, ThreadPoolExecutor(6) as threads:
        emitters = [threads.submit(lambda: [cpa.emit(None, "m").raw for _ in range(100)]) for _ in range(4)]
        poppers = [threads.submit(lambda: [call(cpa, "/usage-queue?count=7") for _ in range(20)]) for _ in range(2)]
        emitted = [raw for emitter in emitters for raw in emitter.result()]
        popped = [record for popper in poppers for answer in popper.result() for record in answer.json()]
        left = cpa.queue.pop(1000)
        assert sorted(filter(None, emitted)) == sorted(cpa.handed_out + left)
        assert len(popped) == len(cpa.handed_out)


def test_what_is_older_than_the_window_is_lost_at_the_next_touch() -> None:
    with FakeCPA(retention_seconds=30) as cpa:
        cpa.clock.set(NOON)
        old = cpa.emit(None, "old")
        cpa.clock.advance(31)
        new = cpa.emit(None, "new")
        assert call(cpa, "/usage-queue?count=9").body == b"[%b]" % (new.raw or b"")
        assert cpa.lost == [old.raw]


@pytest.mark.parametrize(("profile", "asked", "window"), [("6.10.0", 600, 60), ("7.0.7", 0, 60), ("7.0.7", 9999, 3600)])
def test_the_window_in_force(profile: str, asked: int, window: int) -> None:
    cpa = FakeCPA(profile, retention_seconds=asked)
    cpa.clock.set(NOON)
    cpa.emit(None, "m")
    cpa.clock.advance(window)
    assert len(cpa.pop(1)) == 1
    cpa.emit(None, "m")
    cpa.clock.advance(window + 1)
    assert cpa.pop(1) == []


def test_statistics_can_be_switched_and_nothing_is_recorded_while_off() -> None:
    with FakeCPA(statistics=False) as cpa:
        file = cpa.credentials.add_oauth("codex", "dave@example.com")
        assert cpa.emit(file, "gpt-5.4").raw is None
        assert call(cpa, "/usage-queue").body == b"[]"
        for body in ({"value": "yes"}, {"value": None}, [True], {}):
            answer = call(cpa, "/usage-statistics-enabled", method="PUT", body=body)
            assert error_of(answer) == (400, "invalid body")
        assert call(cpa, "/usage-statistics-enabled", method="PATCH", body={"value": True}).json() == {"status": "ok"}
        assert cpa.emit(file, "gpt-5.4").raw
        assert call(cpa, "/auth-files").json()["files"][0]["success"] == 2


def test_a_read_only_configuration_shows_a_value_that_is_not_in_force() -> None:
    with FakeCPA(statistics=False) as cpa:
        cpa.config_read_only = True
        answer = call(cpa, "/usage-statistics-enabled", method="PUT", body={"value": True})
        assert answer.status == 500
        assert answer.json()["error"].startswith("failed to save config: ")
        assert call(cpa, "/usage-statistics-enabled").json() == {"usage-statistics-enabled": True}
        assert cpa.emit(None, "m").raw is None


def test_bytes_that_are_no_json_become_a_string() -> None:
    with FakeCPA() as cpa:
        for raw in (b'{"half":', b"42", b"<&>", b"NaN"):
            cpa.enqueue_raw(raw)
        assert call(cpa, "/usage-queue?count=9").body == b'["{\\"half\\":",42,"\\u003c\\u0026\\u003e","NaN"]'


# --- Records (contract E, F) ---


def test_a_record_has_the_fields_of_its_release_in_the_order_of_the_struct() -> None:
    for profile, fields in (("7.2.140", RECORD_7_2_140), ("6.10.8", RECORD_6_10_8)):
        cpa = FakeCPA(profile)
        file = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
        emitted = cpa.emit(file, "gpt-5.4", response_service_tier="priority")
        assert list(json.loads(emitted.raw or b"")) == fields


def test_optional_fields_are_left_out() -> None:
    cpa = FakeCPA()
    key = cpa.credentials.add_key("claude-api-key", RELAY[1], base_url=RELAY[0])
    record = json.loads(cpa.emit(key, "m", status=499, error="context canceled").raw or b"")
    optional = {"access_token_sha256", "response_headers", "response_service_tier"}
    assert set(record) == set(RECORD_7_2_140) - optional
    assert (record["failed"], record["fail"]) == (True, {"status_code": 499, "body": "context canceled"})


@pytest.mark.parametrize(
    ("profile", "present"),
    [
        ("7.1.44", {"fail", "ttft_ms", "response_headers", "executor_type", "reasoning_effort", "service_tier"}),
        ("7.2.73", {"request_service_tier"}),
        ("7.2.74", set()),
        ("7.2.97", {"token_breakdown", "accounting_version", "generate"}),
        ("7.2.111", {"access_token_sha256", "client_ip"}),
        ("7.2.112", {"client_ip"}),
    ],
)
def test_fields_come_and_go(profile: str, present: set[str]) -> None:
    cpa = FakeCPA(profile)
    record = json.loads(cpa.emit(cpa.credentials.add_oauth("codex", "d@example.com"), "gpt-5.4").raw or b"")
    assert present <= set(record)
    assert ("request_service_tier" in record) == (profile == "7.2.73")
    assert ("access_token_sha256" in record) == (profile == "7.2.111")
    assert record["service_tier"] == ("auto" if parse_version(profile) >= (7, 2, 74) else "default")


def test_go_writes_the_bytes() -> None:
    cpa = FakeCPA()
    cpa.clock.set(NOON)
    nanoseconds = cpa.clock.now_ns()
    raws = [
        cpa.emit(None, "<a&b> \u2028ü", when=nanoseconds + fraction).raw or b"" for fraction in (0, 500_000_000, 42)
    ]
    assert b'"model":"\\u003ca\\u0026b\\u003e \\u2028\xc3\xbc"' in raws[0]
    stamps = [json.loads(raw)["timestamp"] for raw in raws]
    assert stamps == ["2026-08-22T12:00:00Z", "2026-08-22T12:00:00.5Z", "2026-08-22T12:00:00.000000042Z"]


TRUE = Tokens(uncached=2048, cache_read=15360, cache_write=1024, output=378, reasoning=832)


@pytest.mark.parametrize(
    ("profile", "provider", "raw", "bookable"),
    [
        ("7.2.140", "codex", (18432, 1210, 832, 15360, 15360, 1024, 19642), TRUE),
        ("7.2.55", "codex", (18432, 1210, 832, 15360, 0, 0, 19642), Tokens(3072, 15360, 0, 378, 832)),
        ("6.9.49", "codex", (18432, 1210, 832, 15360, 19642), Tokens(3072, 15360, 0, 378, 832)),
        ("7.2.140", "claude", (2048, 1210, 832, 15360, 15360, 1024, 19642), TRUE),
        ("7.2.97", "claude", (2048, 1210, 0, 15360, 15360, 1024, 19642), Tokens(2048, 15360, 1024, 1210)),
        ("7.1.25", "claude", (2048, 1210, 0, 15360, 15360, 1024, 3258), Tokens(2048, 15360, 1024, 1210)),
        ("6.10.8", "claude", (2048, 1210, 0, 15360, 3258), Tokens(2048, 15360, 0, 1210)),
        ("7.2.140", "antigravity", (18432, 378, 832, 15360, 15360, 0, 19642), Tokens(3072, 15360, 0, 378, 832)),
        ("6.3.35", "antigravity", (18432, 378, 832, 0, 19642), Tokens(18432, 0, 0, 378, 832)),
    ],
)
def test_raw_numbers_by_family_and_release(profile: str, provider: str, raw: tuple[int, ...], bookable: Tokens) -> None:
    cpa = FakeCPA(profile)
    emitted = cpa.emit(cpa.credentials.add_oauth(provider, "dave@example.com"), "m", tokens=TRUE)
    tokens = json.loads(emitted.raw or b"")["tokens"]
    tokens.pop("cache_read_tokens_present", None)
    assert tuple(tokens.values()) == raw
    assert emitted.tokens == bookable


@pytest.mark.parametrize(
    ("provider", "true", "extra", "quality", "bookable"),
    [
        ("codex", Tokens(unclassified=42), {}, "unclassified", Tokens(unclassified=42)),
        ("codex", Tokens(10, unclassified=5), {}, "unclassified", Tokens(10, unclassified=5)),
        ("codex", Tokens(6, 4, 0, 2, 1, 7), {}, "inconsistent", Tokens(6, 4, 0, 2, 1)),
        ("xai", Tokens(9, output=4, reasoning=5), {"additive_reasoning": True}, "inconsistent", Tokens(9, 0, 0, 4, 5)),
        ("antigravity", Tokens(10, output=2, reasoning=3, unclassified=5), {}, "inconsistent", Tokens(15, 0, 0, 2, 3)),
        ("claude", Tokens(2, 44225, 831, 204, 40), {}, "complete", Tokens(2, 44225, 831, 204, 40)),
    ],
)
def test_quality_of_the_breakdown(
    provider: str, true: Tokens, extra: dict[str, Any], quality: str, bookable: Tokens
) -> None:
    cpa = FakeCPA()
    emitted = cpa.emit(cpa.credentials.add_oauth(provider, "dave@example.com"), "m", tokens=true, **extra)
    breakdown = json.loads(emitted.raw or b"")["token_breakdown"]
    assert (breakdown["quality"], breakdown["total_tokens"]) == (quality, true.total)
    assert emitted.tokens == bookable


@pytest.mark.parametrize(
    ("profile", "provider"),
    [("7.2.20", "openrouter"), ("7.2.21", "openai-compatible-openrouter")],
)
def test_openai_compat_names(profile: str, provider: str) -> None:
    cpa = FakeCPA(profile)
    router = cpa.credentials.add_compat("OpenRouter", *OPENROUTER)
    assert cpa.emit(router.keys[0], "m").provider == provider


def test_kimi_through_messages_looks_like_claude_and_names_the_client_as_source() -> None:
    cpa = FakeCPA()
    kimi = cpa.credentials.add_oauth("kimi", name="kimi-1785542400123.json")
    raw = cpa.emit(kimi, "kimi-k2.5", endpoint="POST /v1/messages", client_key=CLIENT, tokens=TRUE).raw
    record = json.loads(raw or b"")
    assert (record["provider"], record["executor_type"], record["source"]) == ("claude", "ClaudeExecutor", CLIENT)
    assert record["tokens"]["input_tokens"] == TRUE.uncached
    assert cpa.emit(kimi, "kimi-k2.5").provider == "kimi"


def test_the_image_tool_gives_a_second_record_of_one_attempt() -> None:
    cpa = FakeCPA()
    file = cpa.credentials.add_oauth("codex", "dave@example.com")
    first = cpa.emit(file, "gpt-5.4", alias="gpt-main", client_key=CLIENT)
    second = cpa.emit_image(first, Tokens(uncached=60, output=1056))
    records = [json.loads(emitted.raw or b"") for emitted in (first, second)]
    for field in ("timestamp", "request_id", "auth_index", "source", "alias"):
        assert records[0][field] == records[1][field]
    assert records[1]["model"] == "gpt-image-2"
    assert file.success == 1


def test_sources_are_masked_before_6_3_36() -> None:
    for profile, source in (("6.3.35", "dave....com"), ("6.3.36", "dave@example.com")):
        cpa = FakeCPA(profile)
        raw = cpa.emit(cpa.credentials.add_oauth("codex", "dave@example.com"), "m").raw
        assert json.loads(raw or b"")["source"] == source


# --- auth_index (contract E; the last three were read from running servers) ---


@pytest.mark.parametrize(
    ("profile", "index"),
    [("7.2.140", "7c66a54bd182454d"), ("6.6.56", "d0ea97484ca307cf"), ("6.9.49", "d0ea97484ca307cf")],
)
def test_auth_index_of_a_file(profile: str, index: str) -> None:
    cpa = FakeCPA(profile)
    file = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
    assert cpa.emit(file, "gpt-5.4").auth_index == index
    cpa.credentials.rename(file, "codex-dave@example.com-pro.json")
    assert cpa.emit(file, "gpt-5.4").auth_index != index


def test_auth_index_of_listed_keys() -> None:
    cpa = FakeCPA()
    add = cpa.credentials.add_key
    vertex = ("https://zenmux.example.org/api", "vtx-FAKE-key-0000000000000000000000001")
    indexes = {
        cpa.auth_index_of(add("claude-api-key", RELAY[1], base_url=RELAY[0])): "5572486efc8f03f5",
        cpa.auth_index_of(add("gemini-api-key", "AIzaSyFAKE-gemini-key-0000000000000000001")): "f103dee8616c2be8",
        cpa.auth_index_of(add("vertex-api-key", vertex[1], base_url=vertex[0])): "fe1a28428a5aa61e",
        cpa.auth_index_of(cpa.credentials.add_compat("OpenRouter", *OPENROUTER).keys[0]): "e43d8a7ae2c8dd5f",
        cpa.auth_index_of(cpa.credentials.add_compat("local-llm", "http://10.0.0.5:11434/v1")): "72adcca1e8a431b1",
    }
    assert list(indexes) == list(indexes.values())


@pytest.mark.parametrize(
    ("profile", "port", "index"),
    [
        ("6.9.49", 18417, "23b5f3279bea5905"),
        ("6.10.8", 18418, "0aa2793b77fe5c4b"),
        ("7.2.140", 18419, "4ed00a3c2fa95217"),
    ],
)
def test_auth_index_as_a_real_server_computes_it(profile: str, port: int, index: str) -> None:
    cpa = FakeCPA(profile)
    base_url = f"http://127.0.0.1:{port}/deepseek/v1"
    deepseek = cpa.credentials.add_compat("deepseek", base_url, "sk-ds-FAKE-upstream-key-00000003")
    assert cpa.auth_index_of(deepseek.keys[0]) == index


def test_auth_index_is_a_number_from_6_3_56_to_6_6_55() -> None:
    with FakeCPA("6.6.55") as cpa:
        files = [cpa.credentials.add_oauth("codex", f"{name}@example.com") for name in ("a", "b")]
        assert [cpa.emit(file, "m").auth_index for file in files] == [0, 1]
        assert [file["auth_index"] for file in call(cpa, "/auth-files").json()["files"]] == [0, 1]


# --- The legacy snapshot (contract B) ---


def test_the_snapshot_adds_up() -> None:
    with FakeCPA("6.9.49") as cpa:
        file = cpa.credentials.add_oauth("codex", "dave@example.com")
        for hour in (9, 10, 10):
            when = NOON.replace(hour=hour)
            cpa.emit(file, "gpt-5.4", tokens=Tokens(10, output=5), client_key=CLIENT, when=when)
        cpa.emit(file, "gpt-5.4", status=500, when=NOON)
        answer = call(cpa, "/usage").json()
        usage = answer["usage"]
        assert (answer["failed_requests"], usage["success_count"], usage["total_tokens"]) == (1, 3, 45)
        assert usage["requests_by_hour"] == {"09": 1, "10": 2, "12": 1}
        assert usage["tokens_by_day"] == {"2026-08-22": 45}
        assert list(usage["apis"]) == ["POST /v1/chat/completions", CLIENT]
        model = usage["apis"][CLIENT]["models"]["gpt-5.4"]
        assert (model["total_requests"], model["total_tokens"], len(model["details"])) == (3, 45, 3)
        detail_fields = ["timestamp", "latency_ms", "source", "auth_index", "tokens", "failed"]
        assert list(model["details"][0]) == detail_fields
        assert call(cpa, "/usage/export").json()["usage"] == usage


@pytest.mark.parametrize(
    ("profile", "fields"),
    [("6.0.0", ["timestamp", "tokens"]), ("6.3.35", ["timestamp", "source", "tokens", "failed"])],
)
def test_old_details(profile: str, fields: list[str]) -> None:
    with FakeCPA(profile) as cpa:
        cpa.emit(None, "m", client_key=CLIENT)
        cpa.emit(None, "m", client_key=CLIENT, status=500)
        details = call(cpa, "/usage").json()["usage"]["apis"][CLIENT]["models"]["m"]["details"]
        assert list(details[0]) == fields
        assert len(details) == (2 if "failed" in fields else 1)


def test_a_long_snapshot_comes_in_chunks() -> None:
    with FakeCPA("6.9.37") as cpa:
        for number in range(2000):
            cpa.emit(None, f"m{number % 3}")
        answer = call(cpa, "/usage")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        models = answer.json()["usage"]["apis"]["POST /v1/chat/completions"]["models"]
        assert sum(len(model["details"]) for model in models.values()) == 2000


# --- Listings (contract G, H, I) ---


def test_auth_files_have_the_fields_of_their_release() -> None:
    for profile, fields in (("7.2.140", AUTH_FILE_7_2_140), ("6.3.13", ["email", "modtime", "name", "size", "type"])):
        with FakeCPA(profile) as cpa:
            cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
            (file,) = call(cpa, "/auth-files").json()["files"]
            assert sorted(file) == fields


def test_auth_files_are_sorted_filtered_and_follow_changes() -> None:
    with FakeCPA() as cpa:
        add = cpa.credentials.add_oauth
        zoe, carol = add("xai", "Zoe@example.com"), add("claude", "carol@example.com", note="mine", priority=3)
        names = [file["name"] for file in call(cpa, "/auth-files").json()["files"]]
        assert names == ["claude-carol@example.com.json", "xai-Zoe@example.com.json"]
        index = cpa.auth_index_of(carol)
        (found,) = call(cpa, f"/auth-files?auth_index={index}").json()["files"]
        assert (found["note"], found["priority"]) == ("mine", 3)
        cpa.credentials.remove(carol)
        zoe.disabled = True
        (left,) = call(cpa, "/auth-files").json()["files"]
        assert (left["email"], left["status"], left["disabled"]) == ("Zoe@example.com", "disabled", True)


def test_counters_and_recent_requests() -> None:
    with FakeCPA() as cpa:
        cpa.clock.set(NOON.replace(minute=25))
        file = cpa.credentials.add_oauth("claude", "carol@example.com")
        cpa.emit(file, "m")
        cpa.emit(file, "m", status=429)
        (listed,) = call(cpa, "/auth-files").json()["files"]
        assert (listed["success"], listed["failed"], len(listed["recent_requests"])) == (1, 1, 20)
        assert listed["recent_requests"][-1] == {"time": "12:20-12:30", "success": 1, "failed": 1}


@pytest.mark.parametrize(("profile", "empty"), [("6.9.28", None), ("6.9.29", [])])
def test_empty_lists(profile: str, empty: list[str] | None) -> None:
    with FakeCPA(profile) as cpa:
        for name in ("claude-api-key", "codex-api-key", "gemini-api-key", "vertex-api-key", "openai-compatibility"):
            assert call(cpa, f"/{name}").json() == {name: empty}
        assert call(cpa, "/api-keys").json() == {"api-keys": None}


def test_key_lists_of_today() -> None:
    with FakeCPA(client_keys=[CLIENT]) as cpa:
        cpa.credentials.add_key("claude-api-key", RELAY[1], base_url=RELAY[0])
        gemini = cpa.credentials.add_key("gemini-api-key", "AIzaSyFAKE-gemini-key-0000000000000000001")
        router = cpa.credentials.add_compat("OpenRouter", *OPENROUTER)
        assert call(cpa, "/claude-api-key").json() == {
            "claude-api-key": [
                {
                    "api-key": RELAY[1],
                    "base-url": RELAY[0],
                    "proxy-url": "",
                    "models": None,
                    "auth-index": "5572486efc8f03f5",
                }
            ]
        }
        gemini.disabled = True
        switched_off = {"api-key": gemini.api_key, "excluded-models": ["*"]}
        assert call(cpa, "/gemini-api-key").json() == {"gemini-api-key": [switched_off]}
        (entry,) = call(cpa, "/openai-compatibility").json()["openai-compatibility"]
        assert entry["api-key-entries"] == [{"api-key": OPENROUTER[1], "auth-index": "e43d8a7ae2c8dd5f"}]
        router.disabled = True
        (entry,) = call(cpa, "/openai-compatibility").json()["openai-compatibility"]
        assert entry["api-key-entries"] == [{"api-key": OPENROUTER[1]}]
        assert call(cpa, "/api-keys").json() == {"api-keys": [CLIENT]}


def test_key_lists_of_old() -> None:
    with FakeCPA("6.0.0") as cpa:
        cpa.credentials.add_key("gemini-api-key", "AIzaSyFAKE-gemini-key-0000000000000000001")
        cpa.credentials.add_compat("openrouter", *OPENROUTER)
        strings = call(cpa, "/generative-language-api-key").json()
        assert strings == {"generative-language-api-key": ["AIzaSyFAKE-gemini-key-0000000000000000001"]}
        (entry,) = call(cpa, "/openai-compatibility").json()["openai-compatibility"]
        assert entry == {"name": "openrouter", "base-url": OPENROUTER[0], "api-keys": [OPENROUTER[1]], "models": None}
        assert call(cpa, "/gemini-api-key").status == 404


@pytest.mark.parametrize(
    ("profile", "provider", "key"),
    [
        ("6.9.47", "openrouter", OPENROUTER[1]),
        ("6.9.48", "openrouter", "|".join(OPENROUTER)),
        ("7.2.21", "openai-compatible-openrouter", "|".join(OPENROUTER)),
        ("7.2.26", "openrouter", "|".join(OPENROUTER)),
    ],
)
def test_api_key_usage(profile: str, provider: str, key: str) -> None:
    with FakeCPA(profile) as cpa:
        router = cpa.credentials.add_compat("OpenRouter", *OPENROUTER)
        cpa.emit(router.keys[0], "m")
        entry = call(cpa, "/api-key-usage").json()[provider][key]
        if parse_version(profile) < (6, 9, 49):
            assert entry[-1]["success"] == 1
        else:
            assert (entry["success"], entry["failed"], len(entry["recent_requests"])) == (1, 0, 20)


# --- Faults (contract K) and the server itself ---


def test_a_fault_meets_the_requests_it_was_meant_for() -> None:
    with FakeCPA() as cpa:
        cpa.emit(None, "m")
        cpa.faults.next(faults.html_page(429, retry_after=7), path="/usage-queue", times=2)
        assert call(cpa, "/auth-files").status == 200
        answers = [call(cpa, "/usage-queue") for _ in range(3)]
        assert [answer.status for answer in answers] == [429, 429, 200]
        assert answers[0].headers["Retry-After"] == "7"
        assert len(answers[2].json()) == 1
        assert [(seen.status, seen.key_right) for seen in cpa.requests] == [
            (200, True),
            (429, True),
            (429, True),
            (200, True),
        ]


def test_an_answer_lost_after_the_pop_is_known() -> None:
    with FakeCPA() as cpa:
        emitted = cpa.emit(None, "m")
        cpa.faults.next(faults.die_after_pop())
        with pytest.raises(http.client.RemoteDisconnected):
            call(cpa, "/usage-queue?count=5")
        assert cpa.handed_out == cpa.undelivered == [emitted.raw]
        assert [(seen.method, seen.status) for seen in cpa.requests] == [("GET", 0)]


@pytest.mark.parametrize("fault", [faults.cut_body(40), faults.wrong_length(10)])
def test_broken_bodies(fault: faults.Fault) -> None:
    with FakeCPA() as cpa:
        cpa.emit(None, "m")
        cpa.faults.next(fault)
        with pytest.raises(http.client.IncompleteRead):
            call(cpa, "/usage-queue")
        assert len(cpa.undelivered) == 1


def test_a_streamed_snapshot_can_be_cut_too() -> None:
    with FakeCPA("6.9.49") as cpa:
        cpa.emit(None, "m")
        cpa.faults.next(faults.cut_body(40), path="/usage")
        with pytest.raises(http.client.IncompleteRead) as broken:
            call(cpa, "/usage")
        assert len(broken.value.partial) == 40


def test_other_spoilt_answers() -> None:
    with FakeCPA() as cpa:
        cpa.emit(None, "m")
        cpa.faults.next(faults.gzip())
        zipped = call(cpa, "/usage-queue")
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(zipped.body))) == 1
        cpa.faults.next(faults.redirect("https://elsewhere.example/"))
        assert call(cpa, "/config").headers["Location"] == "https://elsewhere.example/"
        cpa.faults.next(faults.not_json())
        assert call(cpa, "/config").body.startswith(b"<!doctype")
        cpa.faults.next(faults.slow_body(0.001, piece=10))
        assert call(cpa, "/config").json()["request-retry"] == 3
        cpa.faults.next(faults.hang(0.01))
        with pytest.raises(http.client.RemoteDisconnected):
            call(cpa, "/config")


def test_garbage_goes_in_front_of_the_records() -> None:
    with FakeCPA() as cpa:
        emitted = cpa.emit(None, "m")
        cpa.faults.next(faults.garbage(*ELEMENTS))
        elements = call(cpa, "/usage-queue").json()
        assert len(elements) == len(ELEMENTS) + 1
        assert elements[-1] == json.loads(emitted.raw or b"")
        assert elements[list(ELEMENTS).index("huge token")]["tokens"]["input_tokens"] == 2**70
        with pytest.raises(ValueError, match="is no kind of garbage"):
            faults.garbage("fish")


def test_a_restart_forgets_everything_and_keeps_the_port() -> None:
    with FakeCPA("6.9.49") as cpa:
        file = cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.emit(file, "m")
        before = cpa.base_url
        cpa.restart()
        assert cpa.base_url == before
        assert call(cpa, "/usage").json()["usage"]["total_requests"] == 0
        assert file.success == 0


def test_stopping_ends_a_request_that_hangs() -> None:
    with FakeCPA() as cpa:
        connection = http.client.HTTPConnection("127.0.0.1", cpa.port, timeout=5)
        cpa.faults.next(faults.hang())
        connection.request("GET", "/v0/management/config")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()


def test_tls(tmp_path: Path) -> None:
    server_side, certificate = self_signed(tmp_path)
    with FakeCPA(tls=server_side) as cpa:
        client_side = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", cpa.port, timeout=5, context=client_side)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        connection.close()
        assert cpa.base_url.startswith("https://")


def test_demo_history_is_the_same_for_the_same_seed() -> None:
    def history(seed: int) -> list[dict[str, Any]]:
        cpa = FakeCPA()
        cpa.clock.set(NOON)
        Traffic(cpa, seed).emit_history(300, days=30)
        return [json.loads(raw) for raw in cpa.pop(1000)]

    records = history(7)
    assert records == history(7)
    assert records != history(8)
    assert len(records) == 300
    assert {"claude", "codex", "antigravity", "xai", "openai-compatible-oldrelay"} <= {
        record["provider"] for record in records
    }
    assert any(record["failed"] for record in records)
