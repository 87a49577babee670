"""Records and details are read as far as they can be; what cannot be is refused in words that hold no value."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import CLIENT_KEY, NOON, detail, legacy_payload, payload, record, sample
from usage.accounting.payload import (
    DEDUP_BYTES,
    Payload,
    Twins,
    Unreadable,
    read_detail,
    read_record,
    read_timestamp,
)
from usage.models.fields import from_micros, to_micros

SECRET = "sk-FAKE-never-to-be-shown-0001"
OPTIONAL = (
    "executor_type", "auth_type", "auth_index", "source", "api_key", "alias", "endpoint", "request_id",
    "reasoning_effort", "service_tier", "response_service_tier", "latency_ms", "ttft_ms", "generate", "fail",
    "accounting_version", "token_breakdown",
)  # fmt: skip


def test_newest_record_is_read_field_by_field() -> None:
    first = sample("usage_queue_v7_2")[0]
    read = read_record(json.dumps(first).encode())
    named = {name: getattr(read, name) for name in OPTIONAL if name not in ("fail", "token_breakdown")}
    assert named == {name: first.get(name) for name in named}
    assert (read.provider, read.model, read.failed, read.status_code) == ("codex", "gpt-5.4", False, 200)
    assert read.tokens.cache_creation_tokens == 1024
    assert read.breakdown is not None
    assert read.breakdown.input.uncached_tokens == 2048
    assert not read.damaged


def test_oldest_record_of_the_queue_lacks_most_fields() -> None:
    for old in sample("usage_queue_v6_10"):
        read = read_record(json.dumps(old).encode())
        assert not read.damaged
        assert read.breakdown is None
        assert read.tokens.cache_read_tokens is None


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_field_may_be_absent_or_null(name: str) -> None:
    fields = json.loads(record())
    fields.pop(name, None)
    absent = read_record(json.dumps(fields).encode())
    null = read_record(json.dumps(fields | {name: None}).encode())
    assert getattr(absent, name) is None
    assert getattr(null, name) is None
    assert not absent.damaged
    assert not null.damaged


@pytest.mark.parametrize("name", ["timestamp", "model", "failed", "tokens"])
def test_missing_field_that_every_version_has_is_refused_by_name(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        payload(**{name: None})


def test_unknown_fields_are_passed_over() -> None:
    read = payload(of_the_future={"a": [1, {"b": None}]}, response_headers={"Set-Cookie": ["x"]})
    assert not read.damaged
    assert read.tokens.input_tokens == 100


@pytest.mark.parametrize("raw", [b'"a string"', b'"{\\"timestamp\\": 1}"', b"[]", b"12", b"null", b"true", b"", b"{"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_record(raw)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp", 1_787_401_267), ("timestamp", SECRET), ("model", {"name": SECRET}), ("model", None),
        ("failed", SECRET), ("failed", 1), ("tokens", SECRET), ("tokens", [SECRET]), ("tokens", {"input_tokens": SECRET}),
        ("tokens", {"input_tokens": True}), ("api_key", [SECRET]), ("source", {"key": SECRET}), ("auth_index", True),
        ("auth_index", [SECRET]), ("latency_ms", SECRET), ("fail", SECRET), ("fail", {"body": {"key": SECRET}}),
        ("token_breakdown", SECRET), ("generate", SECRET), ("request_id", 12),
    ],
)  # fmt: skip
def test_wrong_type_is_refused_in_words_that_name_the_field_and_not_its_value(name: str, value: Any) -> None:
    raw = json.dumps(json.loads(record()) | {name: value}).encode()
    with pytest.raises(Unreadable) as refused:
        read_record(raw)
    assert name in str(refused.value)
    assert SECRET not in str(refused.value)
    assert CLIENT_KEY not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"api_key": "' + SECRET.encode() + b'", "timestamp": ',
        b'{"api_key": "' + SECRET.encode() + b'", \xff}',
        b'{"latency_ms": "", "api_key": "' + SECRET.encode() + b'", \xff}',
        SECRET.encode(),
        b'"' + SECRET.encode() + b'"',
    ],
)
def test_broken_json_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read_record(raw)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("bad", ["1.5", "1e300", "NaN", "Infinity", "-Infinity", str(2**63), str(2**70), str(-(2**70))])
@pytest.mark.parametrize("name", ["latency_ms", "ttft_ms"])
def test_bad_number_counts_as_0_and_marks_the_record(name: str, bad: str) -> None:
    raw = record(**{name: 424242}).replace(b"424242", bad.encode())
    read = read_record(raw)
    assert getattr(read, name) == 0
    assert read.damaged
    assert read.tokens.input_tokens == 100


@pytest.mark.parametrize("bad", ["1.5", "1e300", "NaN", "Infinity", "-Infinity"])
def test_bad_number_of_tokens_counts_as_0_and_leaves_the_others(bad: str) -> None:
    raw = record(tokens={"input_tokens": 424242, "output_tokens": 20}).replace(b"424242", bad.encode())
    read = read_record(raw)
    assert (read.tokens.input_tokens, read.tokens.output_tokens) == (0, 20)
    assert read.damaged


@pytest.mark.parametrize(("written", "meant"), [("12.0", 12), ("1e3", 1000), ("-0.0", 0), ("0.0", 0)])
def test_whole_number_in_the_form_of_a_float_is_that_number(written: str, meant: int) -> None:
    read = read_record(record(latency_ms=424242).replace(b"424242", written.encode()))
    assert read.latency_ms == meant
    assert not read.damaged


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        read_record(raw)
    except Unreadable:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["timestamp", "model", "failed", "tokens", "provider", *OPTIONAL]), json_values)
def test_any_value_in_any_field_is_read_or_refused(name: str, value: Any) -> None:
    raw = json.dumps(json.loads(record()) | {name: value}).encode()
    try:
        read = read_record(raw)
    except Unreadable:
        return
    texts = (read.model, read.provider, read.source, read.api_key, read.alias, read.request_id, read.fail and read.fail.body)  # fmt: skip
    for text in filter(None, texts):
        text.encode()  # what is no Unicode could not be stored, nor made a digest of


@pytest.mark.parametrize("deep", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 600 + b"1" + b"}" * 600])
@pytest.mark.parametrize("latency", [b"1", b"1.5", b'"x"'])
def test_endless_nesting_is_refused_or_passed_over(deep: bytes, latency: bytes) -> None:
    raw = record()[:-1] + b', "latency_ms": ' + latency + b', "deep": ' + deep + b"}"
    try:
        read_record(raw)
    except Unreadable:
        pass


@pytest.mark.parametrize("lone", ["\ud800", "\udfff\ud800", "a\ud83d"])
def test_lone_surrogates_do_not_reach_the_ledger(lone: str) -> None:
    """JSON can write them, and no database can store them."""
    for broken in (record(source=lone), record(source=lone, latency_ms=1.5)):
        try:
            read_record(broken).source.encode()  # type: ignore[union-attr]
        except Unreadable:
            pass


def test_text_of_any_script_is_kept() -> None:
    assert payload(source="鹿\u202e\U0001f98c\0").source == "鹿\u202e\U0001f98c\0"


def test_a_megabyte_of_error_is_read() -> None:
    read = payload(
        failed=True, fail={"status_code": 502, "body": "x" * 1_000_000}, response_headers={"A": ["y" * 500_000]}
    )
    assert (read.status_code, read.error_text) == (502, "x" * 1_000_000)


def test_success_has_no_error_text() -> None:
    assert payload(fail={"status_code": 200, "body": "fine"}).error_text == ""
    assert payload(failed=True).error_text == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-08-22T12:21:07Z", "2026-08-22T12:21:07+00:00"),
        ("2026-08-22T12:21:07.1Z", "2026-08-22T12:21:07.100000+00:00"),
        ("2026-08-22T12:21:07.118402999Z", "2026-08-22T12:21:07.118402+00:00"),
        ("2026-08-22T12:21:07.9999999999Z", "2026-08-22T12:21:07.999999+00:00"),
        ("2026-08-22T20:21:07+08:00", "2026-08-22T12:21:07+00:00"),
        ("2026-08-22T17:51:07.000000301+05:30", "2026-08-22T12:21:07+00:00"),
        ("2026-08-22T00:21:07-12:00", "2026-08-22T12:21:07+00:00"),
    ],
)
def test_timestamp_is_cut_to_microseconds_of_utc(text: str, meant: str) -> None:
    assert from_micros(read_timestamp(text)) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+08:00", "1970-01-01T00:00:00Z", "2019-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z", "2026-08-22T12:21:07", "2026-08-22", "2026-13-01T00:00:00Z",
        "1787401267", "", "now", "\0",
    ],
)  # fmt: skip
def test_timestamp_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match=r"timestamp"):
        read_timestamp(text)


@given(st.datetimes(datetime(2020, 1, 2), datetime(2099, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_timestamp_of_any_zone_survives_the_way_there_and_back(moment: datetime) -> None:
    moment = moment.astimezone(UTC)
    assert from_micros(read_timestamp(moment.isoformat())) == moment


def test_identity_of_a_record_is_its_raw_bytes() -> None:
    raw = record(request_id="9f2c41ab")
    assert read_record(raw).dedup_key == hashlib.blake2b(raw, digest_size=16).digest()[:DEDUP_BYTES]
    assert read_record(raw).dedup_key == read_record(bytes(raw)).dedup_key
    assert read_record(raw + b" ").dedup_key != read_record(raw).dedup_key
    assert read_record(raw).requested_at == to_micros(NOON)


class TestDetail:
    def test_sample_snapshot_is_read_whole(self) -> None:
        apis = sample("legacy_usage_v6_9")["usage"]["apis"]
        twins = Twins()
        read = [
            read_detail(identifier, model, entry, twins)
            for identifier, api in apis.items()
            for model, listed in api["models"].items()
            for entry in listed["details"]
        ]
        assert len({one.dedup_key for one in read}) == 7
        assert sum(one.tokens.total_tokens for one in read) == 34753
        assert sum(one.failed for one in read) == 1

    @pytest.mark.parametrize(
        ("identifier", "api_key", "endpoint"),
        [
            (CLIENT_KEY, CLIENT_KEY, None),
            ("POST /v1/chat/completions", None, "POST /v1/chat/completions"),
            ("GET /v1/responses", None, "GET /v1/responses"),
            ("unknown", None, None),
            ("claude", None, None),
            ("POSTAGE-FAKE-key", "POSTAGE-FAKE-key", None),
        ],
    )
    def test_identifier_is_the_clients_key_or_a_route(
        self, identifier: str, api_key: str | None, endpoint: str | None
    ) -> None:
        read = legacy_payload(detail(), identifier)
        assert (read.api_key, read.endpoint, read.provider) == (api_key, endpoint, "")

    def test_oldest_detail_has_but_time_and_tokens(self) -> None:
        read = legacy_payload({"timestamp": NOON.isoformat(), "tokens": {"input_tokens": 3}})
        assert (read.source, read.auth_index, read.failed, read.tokens.input_tokens) == (None, None, False, 3)

    def test_twins_stay_two_and_every_snapshot_numbers_them_alike(self) -> None:
        def keys(*entries: dict[str, Any]) -> list[bytes]:
            twins = Twins()
            return [read_detail(CLIENT_KEY, "gpt-5.4", entry, twins).dedup_key for entry in entries]

        one, other = detail(source="a@example.com"), detail(source="b@example.com")
        first = keys(one, one, other)
        assert len(set(first)) == 3
        assert keys(one, other, one, one)[:3] == [first[0], first[2], first[1]]

    @pytest.mark.parametrize(
        "change",
        [
            {"timestamp": "2026-08-22T12:00:00.000000001Z"}, {"source": "x"}, {"auth_index": "7"}, {"failed": True},
            *({"tokens": {name: 1}} for name in ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens")),
        ],
    )  # fmt: skip
    def test_every_part_of_the_tuple_tells_details_apart(self, change: dict[str, Any]) -> None:
        plain = detail(timestamp="2026-08-22T12:00:00Z", tokens={})
        assert legacy_payload(plain).dedup_key != legacy_payload(plain | change).dedup_key

    def test_identifier_and_model_tell_details_apart(self) -> None:
        keys = {
            legacy_payload(detail(), identifier, model).dedup_key
            for identifier in ("a", "b")
            for model in ("m", "n")
        }  # fmt: skip
        assert len(keys) == 4

    @pytest.mark.parametrize(
        "written", ["2026-08-22T12:00:00Z", "2026-08-22T20:00:00+08:00", "2026-08-22T12:00:00.000Z"]
    )
    def test_instant_is_the_same_in_whatever_offset_it_is_written(self, written: str) -> None:
        """The server writes its local offset, which summer time changes."""
        assert legacy_payload(detail(timestamp=written)).dedup_key == legacy_payload(detail()).dedup_key

    @pytest.mark.parametrize("entry", [None, 3, "text", [], [["x"]]])
    def test_what_is_no_object_is_refused(self, entry: Any) -> None:
        with pytest.raises(Unreadable, match="object"):
            legacy_payload(entry)

    @pytest.mark.parametrize(
        ("name", "value"), [("tokens", SECRET), ("tokens", None), ("source", [SECRET]), ("timestamp", SECRET)]
    )
    def test_refusal_names_the_field_and_not_its_value(self, name: str, value: Any) -> None:
        with pytest.raises(Unreadable) as refused:
            legacy_payload(detail(**{name: value}))
        assert name in str(refused.value)
        assert SECRET not in str(refused.value)

    @given(st.sampled_from(["timestamp", "tokens", "source", "failed", "auth_index", "latency_ms"]), json_values)
    def test_any_value_in_any_field_is_read_or_refused(self, name: str, value: Any) -> None:
        try:
            read = legacy_payload(detail() | {name: value})
        except Unreadable:
            return
        assert isinstance(read, Payload)
        (read.source or "").encode()
