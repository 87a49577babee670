"""The strip of requests over time: it is all that the filters match, told by the sums, and narrows the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from random import Random

import pytest
import time_machine
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels_app.records_page.page import RecordsPage
from channels_app.records_page.query import read_records_query
from channels_app.volume_strip import VolumeStrip
from tests.factories import auth_file, auth_files, book, list_names, payload
from usage.models import CollectionGap, Instance, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ledger(instance: Instance) -> Instance:
    """200 records of five days, of two channels; every seventh failed."""
    names = (("dave", "codex"), ("bob", "claude"))
    listed = (auth_file(f"{name}.json", kind, email=f"{name}@example.com", auth_index=name) for name, kind in names)
    list_names(instance, auth_files=auth_files(*listed))
    random = Random(3)
    book(instance, *(
        payload(
            NOW - random.random() * 120 * HOUR, request_id=f"{number}", auth_index=random.choice(["dave", "bob"]),
            failed=number % 7 == 0, fail={"status_code": 429 if number % 7 == 0 else 200},
            latency_ms=1_000 + number, tokens={"input_tokens": number, "total_tokens": number},
        )
        for number in range(200)
    ))  # fmt: skip
    return instance


def strip_of(query: str) -> VolumeStrip:
    return RecordsPage(read_records_query(QueryDict(query), NOW), NOW).strip


def drawn(strip: VolumeStrip) -> list[tuple[int, int]]:
    succeeded, failed = strip.series
    return [(ok or 0, fail or 0) for ok, fail in zip(succeeded.values, failed.values, strict=True)]


def counted(strip: VolumeStrip, **conditions: object) -> list[tuple[int, int]]:
    """The same, record by record."""
    found = Counter[tuple[int, bool]]()
    for row in UsageRecord.objects.filter(**conditions):
        at = sum(edge <= row.requested_at for edge in strip.timeline.edges) - 1
        found[at, row.failed] += 1
    return [(found[at, False], found[at, True]) for at in range(strip.timeline.begun)]


@pytest.mark.parametrize(
    ("query", "conditions"),
    [
        ("", {}),
        ("range=30d", {}),
        ("range=24h", {}),
        ("bucket=1d", {}),
        ("channel=codex", {"source__account__channel__slug": "codex"}),
        ("status=fail&code=429", {"failed": True}),
        ("status=ok", {"failed": False}),
        ("min_tokens=100", {}),
    ],
)
def test_it_is_all_that_the_filters_match(ledger: Instance, query: str, conditions: dict[str, object]) -> None:
    strip = strip_of(query)
    assert drawn(strip) == counted(strip, requested_at__gte=strip.timeline.edges[0], **conditions)
    assert strip.total == sum(map(sum, drawn(strip))) > 0


@pytest.mark.parametrize("query", ["", "range=30d", "channel=codex", "status=fail"])
def test_whole_hours_are_told_by_the_sums_alone(ledger: Instance, query: str) -> None:
    page = RecordsPage(read_records_query(QueryDict(query), NOW), NOW)
    with CaptureQueriesContext(connection) as queries:
        assert page.strip.total
    read = [one["sql"] for one in queries if re.search(r"\bSUM\(|COUNT\(", one["sql"])]
    assert read and not any(f"{UsageRecord._meta.db_table} " in sql for sql in read)


def test_each_time_narrows_the_page_to_it(reader: Client, ledger: Instance) -> None:
    html = reader.get("/records/?channel=codex&min_tokens=1").content.decode()
    addresses = [unescape(one) for one in re.findall(r'data-from="[^"]*"><a href="([^"]*)" data-swap>', html)]
    assert len(addresses) == 6 * 24 + 11
    strip = strip_of("channel=codex")
    at = max(range(len(addresses)), key=lambda one: sum(drawn(strip)[one]))
    narrowed = strip_of(addresses[at].removeprefix("?"))
    assert (
        narrowed.total == sum(drawn(strip)[at]) and "channel=codex" in addresses[at] and "min_tokens=1" in addresses[at]
    )
    assert 'class="chip" href="?channel=codex' in reader.get(f"/records/{addresses[at]}").content.decode()


def test_what_only_records_know_is_said_not_to_be_applied(reader: Client, ledger: Instance) -> None:
    html = reader.get("/records/?min_tokens=100&q=gpt&channel=codex").content.decode()
    assert "Not applied here: Tokens ≥ 100, Search: gpt</li>" in html
    assert "Not applied here" not in reader.get("/records/?channel=codex").content.decode()


def test_where_nothing_was_collected_it_is_hatched(reader: Client, ledger: Instance) -> None:
    since = NOW.replace(minute=0) - 30 * HOUR
    CollectionGap.objects.create(instance=ledger, since=since, until=since + 3 * HOUR, cause="away")
    strip = strip_of("")
    (gap,) = strip.timeline.gap_stretches
    assert gap.last - gap.first == 2
    assert "url(#p-gap)" in reader.get("/records/").content.decode()


@pytest.mark.parametrize("address", ["/explore/?channel=codex", "/explore/?mode=scatter&channel=codex&min_tokens=100"])
def test_it_stands_below_what_is_explored(reader: Client, ledger: Instance, address: str) -> None:
    html = reader.get(address).content.decode()
    assert 'id="chart-volume"' in html
    assert ("Not applied here: Tokens ≥ 100" in html) == ("scatter" in address)
    total = strip_of("channel=codex").series[0].total
    assert f"Succeeded <b>{total}</b>" in re.sub(r"\s+", " ", re.sub(r"<(?!/?b\b)[^>]*>", "", html))
