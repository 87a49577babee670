"""How busy a period was: averages without gaps, peaks, and who took part."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.stats import Span
from channels_app.stats.elapsed import elapsed
from tests.factories import CLIENT_KEY, NOON, auth_file, auth_files, book, list_names, payload
from usage.models import CollectionGap, Instance
from usage.models.fields import to_micros

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WHOLE = Span(to_micros(NOON), to_micros(NOON + HOUR))
AFTER = to_micros(NOON + 2 * HOUR)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + HOUR)


@pytest.fixture
def named(instance: Instance) -> Instance:
    files = [
        auth_file(f"{name}.json", "codex", email=f"{name}@example.com", auth_index=name) for name in ("dave", "bob")
    ]
    list_names(instance, auth_files=auth_files(*files))
    return instance


@pytest.fixture
def both(instance: Instance) -> list[Instance]:
    second = Instance(name="Second CPA", base_url="http://127.0.0.1:8")
    second.management_key = "mgmt-FAKE-0002"
    second.save()
    return [instance, second]


def gap(instance: Instance, first: float, last: float) -> None:
    CollectionGap.objects.create(
        instance=instance, since=NOON + first * MINUTE, until=NOON + last * MINUTE, cause=CollectionGap.Cause.AWAY
    )  # type: ignore[misc]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_answer_tells_how_busy_a_period_was(named: Instance, api: APIClient) -> None:
    tokens = {"input_tokens": 100, "output_tokens": 20}
    for number, (seconds, account, key) in enumerate(
        [(0, "dave", CLIENT_KEY), (59, "bob", ""), (60, "dave", ""), (90, "lost", ""), (91, "dave", CLIENT_KEY)]
    ):
        book(
            named,
            payload(
                NOON + timedelta(seconds=seconds),
                request_id=f"{number}",
                auth_index=account,
                api_key=key,
                tokens=tokens,
            ),
        )
    gap(named, 50, 70)
    day = f"from={NOON:%Y-%m-%dT%H:%M}&to={NOON + HOUR:%Y-%m-%dT%H:%M}&tz=UTC"
    answer = api.get(f"/api/rates/?{day}").json()
    assert answer["minutes"] == {"elapsed": 60, "in_gaps": 10, "recorded": 50}
    assert answer["average"] == {"requests": 5 / 50, "tokens": 600 / 50}
    assert answer["active"] == {"channels": 1, "accounts": 2, "models": 1, "keys": 1}
    requests, used = answer["peak"]["requests"], answer["peak"]["tokens"]
    assert (requests["value"], used["value"], requests["exact"], used["exact"]) == (3, 360, True, True)
    assert moment(requests["at"]) == moment(used["at"]) == NOON + MINUTE
    assert api.get(f"/api/rates/?{day}&account=99999").status_code == 400


def test_where_nothing_was_recorded_there_is_no_average(named: Instance, api: APIClient) -> None:
    gap(named, 0, 60)
    answer = api.get(f"/api/rates/?from={NOON:%Y-%m-%dT%H:%M}&to={NOON + HOUR:%Y-%m-%dT%H:%M}&tz=UTC").json()
    assert answer["average"] == {"requests": None, "tokens": None}
    assert answer["peak"]["requests"] == {"value": 0, "at": None, "exact": True}
    assert api.get("/api/rates/?range=all").status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(
        st.tuples(st.integers(0, 1), st.integers(-20, 80), st.integers(1, 50)),
        max_size=6,
        unique_by=lambda gap: gap[:2],
    ),
    servers=st.sampled_from([(0,), (1,), (0, 1), None]),
    now=st.integers(0, 90),
)
def test_gaps_are_counted_once_whichever_way_they_overlap(
    both: list[Instance], gaps: list[Any], servers: tuple[int, ...] | None, now: int
) -> None:
    CollectionGap.objects.all().delete()
    for server, first, length in gaps:
        gap(both[server], first, first + length)
    asked = None if servers is None else frozenset(both[server].pk for server in servers)
    found = elapsed(WHOLE, asked, to_micros(NOON + now * MINUTE))
    missing = [
        [
            server
            for server in servers or (0, 1)
            if any(one == server and first <= minute < first + length for one, first, length in gaps)
        ]
        for minute in range(min(now, 60))
    ]
    assert found.minutes == min(now, 60)
    assert found.in_gaps == pytest.approx(sum(map(bool, missing)))
    assert found.recorded == pytest.approx(sum(len(some) < len(servers or (0, 1)) for some in missing))
