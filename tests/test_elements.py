"""An answer of the queue is taken apart into the very bytes of its elements, however damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import record, sample
from usage.ingest.elements import split_elements


def test_sample_answer_is_split_into_its_records() -> None:
    records = sample("usage_queue_v7_2")
    found = split_elements(json.dumps(records).encode())
    assert [json.loads(raw) for raw in found.raw] == records
    assert found.rest == b""


def test_bytes_of_an_element_are_those_that_came() -> None:
    """They are a record's identity: the order of keys, spaces and escapes are part of it."""
    raws = [b'{ "b":1,  "a":"\\u003c" }', b'"text"', b"12.50", b"null", b"[ 1 ]"]
    assert split_elements(b" [ " + b" ,\n".join(raws) + b"\n]\n").raw == raws


@pytest.mark.parametrize("body", [b"[]", b" [ ] \n"])
def test_empty_answer_has_no_elements_and_no_rest(body: bytes) -> None:
    found = split_elements(body)
    assert (found.raw, found.rest) == ([], b"")


@pytest.mark.parametrize("body", [b'{"error": "x"}', b"<html></html>", b"null", b'"a"', b"\xff\xfe"])
def test_what_is_no_array_is_all_rest_with_a_reason(body: bytes) -> None:
    found = split_elements(body)
    assert (found.raw, found.rest) == ([], body)
    assert found.reason


@given(st.data())
def test_answer_cut_anywhere_keeps_every_whole_element_and_loses_no_byte(data: st.DataObject) -> None:
    raws = [record(request_id=f"{number:08x}", source="鹿") for number in range(3)]
    body = b"[" + b",".join(raws) + b"]"
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    found = split_elements(cut)
    whole = sum(cut.startswith(b"[" + b",".join(raws[:number])) for number in (1, 2, 3))
    assert found.raw == raws[:whole]
    assert cut.endswith(found.rest)
    between = cut[1 + len(b",".join(raws[:whole])) : len(cut) - len(found.rest)]
    assert between.strip(b",") == b""
    assert found.reason


@pytest.mark.parametrize("damage", [b"NaN", b'{"latency_ms": NaN}', b'{"a": -Infinity}', b'"\\ud800"'])
def test_element_that_is_no_strict_json_does_not_harm_the_others(damage: bytes) -> None:
    before, after = record(request_id="1"), record(request_id="2")
    found = split_elements(b"[" + b", ".join([before, damage, after]) + b"]")
    assert found.raw == [before, damage, after]
    assert found.rest == b""


@pytest.mark.parametrize("damage", [b"{bad}", b'{"a": }', b"\xff", b'{"a": "\xff"', b"[" * 100_000])
def test_elements_before_the_damage_are_kept_and_the_rest_is_told(damage: bytes) -> None:
    before, after = record(request_id="1"), record(request_id="2")
    found = split_elements(b"[" + before + b"," + damage + b"," + after + b"]")
    assert found.raw == [before]
    assert found.rest == damage + b"," + after + b"]"
    assert found.reason


def test_wrong_utf_8_inside_a_text_stays_as_it_came() -> None:
    damaged = b'{"source": "\xff"}'
    assert split_elements(b"[" + damaged + b"]").raw == [damaged]


@given(st.binary(max_size=40) | st.text('[]{},:"ab1 \\', max_size=40).map(str.encode))
def test_no_body_makes_it_fail(body: bytes) -> None:
    found = split_elements(body)
    assert b"".join(found.raw) + found.rest in body or len(found.raw) > 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(json_values, max_size=5))
def test_any_array_is_split_into_its_values(values: list[Any]) -> None:
    found = split_elements(json.dumps(values).encode())
    assert [json.loads(raw) for raw in found.raw] == values
    assert found.rest == b""
