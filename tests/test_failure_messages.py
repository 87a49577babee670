"""Failures of the same trouble have the same message, whatever numbers, ids and secrets it was told with."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module
from random import Random
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.stats import EVERYTHING, Conditions, Span, aggregate, breakdown
from channels_app.stats.failures import Kind, spreading
from tests.factories import NOON, book, payload, undone
from usage.accounting.failures import MOST_CHARACTERS, message_of, normalised
from usage.ingest import grains, pruning, rollup
from usage.models import FailureMessage, Instance, UsageRecord
from usage.models.fields import to_micros

HOUR = timedelta(hours=1)
SECRET = "sk-FAKE-upstream-0123456789abcdef"


def message(body: str) -> str:
    return normalised(message_of(body))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error":{"message":"Limit 30000, used 29,871. Try again in 1.28s.","type":"tokens"}}',
         "Limit <n>, used <n>. Try again in <n>."),
        ('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CSHoEeqs5"}',
         "Overloaded"),
        ('{"error":"{\\"detail\\":\\"The usage limit has been reached\\"}"}', "The usage limit has been reached"),
        ('[{"error":{"code":400,"status":"INVALID_ARGUMENT"}}]', "INVALID_ARGUMENT"),
        ('Post "https://api.example.com/v1?x=1": dial tcp 10.0.0.1:443: i/o timeout',
         'Post "<url>": dial tcp <n>: i/o timeout'),
        ("<html><head><title>502 Bad Gateway</title></head><body>…</body></html>", "<n> Bad Gateway"),
        ("no model gpt-5.4-mini for bob@example.com, request req_8fK2aB91cD", "no model gpt-5.4-mini for [redacted], request <id>"),
        ("id 550e8400-e29b-41d4-a716-446655440000 at 2026-11-23T10:00:00Z", "id <id> at <n>"),
        ("余额不足：还剩 3 次", "余额不足：还剩 <n> 次"),
        ('{"error": "cut off in the', '{"error": "cut off in the'),
        ('{"a": 1}', '{"a": <n>}'),
        ("  context \n canceled ", "context canceled"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_words_for_people_without_what_is_of_this_failure_alone(body: str, expected: str) -> None:
    assert message(body) == expected


@given(
    st.text(max_size=400)
    | st.recursive(
        st.text(max_size=9) | st.integers(),
        lambda part: st.lists(part) | st.dictionaries(st.sampled_from(["error", "message", "x"]), part),
    ).map(json.dumps)
)
def test_any_text_has_a_short_message_that_is_its_own(body: str) -> None:
    found = message(body)
    assert len(found) <= MOST_CHARACTERS and found == found.strip()


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_tell_no_two_messages_apart(one: int, other: int) -> None:
    assert message(f"used {one} of 5") == message(f"used {other} of 70000")


def failure(at: Any = NOON, code: int | None = 429, body: str = "slow down", **fields: Any) -> Any:
    return payload(at, failed=True, fail={"status_code": code, "body": body}, **fields)


def test_records_point_to_their_message_and_secrets_are_in_none(instance: Instance) -> None:
    hidden = "sk\\u002dFAKE-upstream-0123456789abcdef"  # JSON would say the key
    book(
        instance,
        failure(request_id="1", body="try again in 5 s"),
        failure(request_id="2", body="try again in 70 s"),
        failure(request_id="3", body=f"bad key {SECRET}", source=SECRET),
        failure(request_id="4", body=f'{{"error":{{"message":"bad key {hidden}"}}}}'),
        failure(request_id="5", body=""),
        payload(request_id="6"),
    )
    texts = dict(UsageRecord.objects.values_list("request_id", "message__text"))
    assert texts == {
        "1": "try again in <n> s", "2": "try again in <n> s", "3": "bad key [redacted]", "4": "bad key [redacted]",
        "5": None, "6": None,
    }  # fmt: skip
    assert FailureMessage.objects.count() == 2


BODIES = ("slow down", "try again in 5 s", "try again in 60 s", "")
SPANS = (Span(0, 2**62), Span(to_micros(NOON + 0.4 * HOUR), to_micros(NOON + 3.3 * HOUR)))


@pytest.fixture
def failures(instance: Instance) -> Instance:
    random = Random(8)
    book(instance, *(
        failure(
            NOON + random.random() * 40 * HOUR, random.choice([429, 500, None]), random.choice(BODIES), request_id=f"{number}",
            model=random.choice(["m1-FAKE", "m2-FAKE"]), auth_index=random.choice("abc"),
        ) if random.random() < 0.7 else payload(NOON + random.random() * 40 * HOUR, request_id=f"{number}")
        for number in range(120)
    ))  # fmt: skip
    return instance


def plain(span: Span) -> dict[Kind, list[UsageRecord]]:
    """The same of the records alone."""
    found: dict[Kind, list[UsageRecord]] = {}
    for row in UsageRecord.objects.filter(failed=True):
        if span.since <= to_micros(row.requested_at) < span.until:
            found.setdefault(Kind(row.status_code or 0, row.message_id or 0), []).append(row)
    return found


@pytest.mark.parametrize("span", SPANS)
def test_sums_by_message_are_those_of_the_records(failures: Instance, span: Span) -> None:
    expected = plain(span)
    counted = breakdown(span, EVERYTHING, ["code", "message"])
    assert {Kind(*group): usage.requests for group, usage in counted.items()} == {
        kind: len(rows) for kind, rows in expected.items()
    }
    for kind, rows in expected.items():
        assert aggregate(span, kind.among(EVERYTHING), (), ("requests",)) == [(len(rows),)]
    assert aggregate(span, Kind(429, 10**6).among(EVERYTHING), (), ("requests",)) == []
    assert aggregate(span, Kind(429, 1).among(Conditions(failed=False)), (), ("requests",)) == []


@pytest.mark.parametrize("span", SPANS)
def test_whom_each_kind_met_and_when(failures: Instance, span: Span) -> None:
    expected = plain(span)
    found = spreading(span, EVERYTHING, list(expected))
    assert found.keys() == expected.keys()
    for kind, rows in expected.items():
        moments = [to_micros(row.requested_at) for row in rows]
        assert (found[kind].first, found[kind].last) == (min(moments), max(moments))
        assert found[kind].models.keys() == {row.model_id for row in rows}
        assert sum(found[kind].channels.values()) == len(rows) == found[kind].models.total()


def test_what_was_pruned_keeps_its_messages_and_the_hour_of_its_first_and_last(failures: Instance) -> None:
    before = spreading(SPANS[0], EVERYTHING, list(plain(SPANS[0])))
    assert pruning.prune(NOON + timedelta(days=9))
    assert not UsageRecord.objects.exists()
    after = spreading(SPANS[0], EVERYTHING, list(before))
    for kind, one in after.items():
        assert (one.first, one.last) == tuple(
            moment // grains.HOUR * grains.HOUR for moment in (before[kind].first, before[kind].last)
        )
        assert one.models == before[kind].models
    assert rollup.differences() == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([429, 500, None]), st.sampled_from(BODIES), st.integers(0, 50)), max_size=8))
def test_sums_stay_equal_after_any_booking(instance: Instance, batch: list[tuple[int | None, str, int]]) -> None:
    with undone():
        for half in (batch[::2], batch[1::2], batch):  # the last comes again, and changes nothing
            book(instance, *(failure(NOON + hours * HOUR, code, body) for code, body, hours in half))
        assert rollup.differences() == []
        rollup.rebuild()
        assert rollup.differences() == []


def test_messages_are_named_by_the_upgrade(failures: Instance) -> None:
    """As of a database of before there were messages."""
    before = dict(UsageRecord.objects.values_list("request_id", "message__text"))
    UsageRecord.objects.update(message=None)
    FailureMessage.objects.all().delete()
    import_module("usage.migrations.0020_failure_messages")._name_messages(apps, connection.schema_editor())
    assert dict(UsageRecord.objects.values_list("request_id", "message__text")) == before
