"""A legacy snapshot is read detail by detail, whatever its names hold and wherever it ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import detail, sample
from usage.ingest.legacy import BrokenSnapshot, read_details


def snapshot(apis: Any, **beside: Any) -> bytes:
    return json.dumps({"failed_requests": 0, "usage": {**beside, "apis": apis}}).encode()


def api(**models: Any) -> dict[str, Any]:
    return {"total_requests": 1, "models": {name: {"details": details} for name, details in models.items()}}


def read(body: bytes) -> list[tuple[str, str, Any]]:
    return list(read_details(io.BytesIO(body)))


def test_sample_snapshot_yields_its_details_with_their_names() -> None:
    snapshot = sample("legacy_usage_v6_9")
    expected = [
        (identifier, model, entry)
        for identifier, one in snapshot["usage"]["apis"].items()
        for model, listed in one["models"].items()
        for entry in listed["details"]
    ]
    assert read(json.dumps(snapshot).encode()) == expected
    assert len(expected) == 7


@pytest.mark.parametrize(
    "name", ["sk.team.FAKE.1", "a.models.item", "usage.apis", "details", "item", "", "models", "鹿.\0"]
)
def test_identifiers_and_models_may_be_any_text(name: str) -> None:
    entry = detail(source="a.b")
    assert read(snapshot({name: api(**{name: [entry, entry]})})) == [(name, name, entry)] * 2


def test_what_else_looks_like_details_is_passed_over() -> None:
    beside = {
        "details": [1],
        "models": {"m": {"details": [2]}},
        "requests_by_day": {"details": 3},
        "apis_old": {"k": api(m=[4])},
    }
    nested = {"k": api(m=[detail()]) | {"details": [5], "other": {"m": {"details": [6]}}}}
    assert read(snapshot(nested, **beside)) == [("k", "m", detail())]
    assert read(json.dumps({"apis": {"k": api(m=[7])}, "usage": {"apis": {}}}).encode()) == []


def test_details_of_any_type_are_yielded_one_by_one() -> None:
    odd = [None, True, 3, 2.5, 2**70, "text", [], [[1], {"a": [2]}], {}, {"details": [{"details": []}]}]
    assert read(snapshot({"k": api(m=odd, n=[1])})) == [("k", "m", one) for one in odd] + [("k", "n", 1)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"usage": {}}', b'{"usage": {"apis": {}}}', b'{"usage": {"apis": null}}', b"{}", b"[]", b'"text"', b"null",
        snapshot({"k": {"models": {}}}), snapshot({"k": {"models": {"m": {"details": None}}}}), snapshot({"k": api(m=[])}),
        snapshot([["models"]]),
    ],
)  # fmt: skip
def test_snapshot_without_details_yields_none(body: bytes) -> None:
    assert read(body) == []


def test_details_of_v6_0_have_no_source() -> None:
    entry = {"timestamp": "2025-10-01T00:00:00Z", "tokens": {"input_tokens": 1}}
    assert read(snapshot({"k": api(m=[entry])})) == [("k", "m", entry)]


@given(st.data())
def test_half_a_snapshot_yields_what_is_whole_and_then_says_so(data: st.DataObject) -> None:
    entries = [detail(source=f"{number}@example.com") for number in range(3)]
    body = snapshot({"k": api(m=entries)})
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    found = []
    with pytest.raises(BrokenSnapshot):
        for _, _, entry in read_details(io.BytesIO(cut)):
            found.append(entry)
    whole = sum(json.dumps(entry).encode() in cut for entry in entries)
    assert found == entries[:whole]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"usage": }', b'{"usage": {"apis": {"k": NaN}}}', b"\xff\xff"])
def test_what_is_no_json_is_a_broken_snapshot(body: bytes) -> None:
    with pytest.raises(BrokenSnapshot):
        read(body)


def test_reason_holds_nothing_of_the_snapshot() -> None:
    with pytest.raises(BrokenSnapshot) as broken:
        read(b'{"usage": {"apis": {"sk-FAKE-secret-0001": oops}}}')
    assert "FAKE" not in str(broken.value)
