"""Records, sums, pages, API and CSV tell one and the same cost, whatever was booked, priced, edited and repriced."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.stats import Basis
from tests.factories import NOON, undone
from tests.test_current_prices import at_current_prices, fill, happen, happenings, introduce, records
from tests.test_pricing import add_price
from tests.test_questions import inside
from usage.ingest import rollup
from usage.models import Instance
from usage.models.fields import to_micros

pytestmark = pytest.mark.django_db
# All that `fill` makes, as whole days.
DAYS = {"from": "2026-08-20", "to": "2026-08-24", "tz": "UTC"}
SINCE, UNTIL = (to_micros(NOON + days * timedelta(days=1)) for days in (-2.5, 2.5))
filters = st.sampled_from(
    [{}, {"channel": ["codex"]}, {"model": ["one-FAKE"]}, {"status": ["fail"]}, {"channel": ["unknown", "claude"]}]
)


@pytest.fixture
def server(instance: Instance) -> Instance:
    return introduce(instance)


# To make a failing sequence shorter would take minutes.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=3, phases=[Phase.generate])
@given(happened=happenings, asked=filters)
def test_records_sums_pages_api_and_csv_tell_one_cost(
    server: Instance, reader: Client, api: APIClient, happened: list[Any], asked: dict[str, list[str]]
) -> None:
    with undone():
        add_price("t*-FAKE", "1", "2")  # something costs something, whatever comes then
        fill(server, 99)
        for what in happened:
            happen(server, *what)
        assert rollup.differences() == []
        for basis in Basis:
            rows = records() if basis is Basis.RECORDED else at_current_prices(records())
            costs = [row.cost_nanousd for row in inside(rows, SINCE, UNTIL, asked)]
            told = dict(_told(reader, api, {**DAYS, **asked, "basis": str(basis)}))
            assert told == dict.fromkeys(told, sum(cost or 0 for cost in costs)), (basis, asked)
            assert len(told) == 15


def _told(reader: Client, api: APIClient, query: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield who tells a cost, and it, in nano-USD; of no priced requests 0."""
    yield "usage API", api.get("/api/usage/", query).json()["total"]["cost"]["nanousd"] or 0
    rows = api.get("/api/usage/", {**query, "by": ["channel", "model"]}).json()["rows"]
    yield "usage API by channel and model", sum(row["usage"]["cost"]["nanousd"] or 0 for row in rows)
    lines = api.get("/api/usage/series/", {**query, "by": "account", "sum": "cost_nanousd"}).json()["series"]
    yield "usage API by time", sum(sum(line["cost_nanousd"]) for line in lines)
    tree = api.get("/api/channels/", query).json()
    yield "channels API", tree["total"]["cost"]["nanousd"] or 0
    accounts = [account for channel in tree["channels"] for account in channel["accounts"]]
    yield "channels API, accounts", sum(account["usage"]["cost"]["nanousd"] or 0 for account in accounts)
    yield "records API", sum(row["cost"]["nanousd"] or 0 for row in _records(api, query))
    yield "records CSV", _of_csv(reader, "/records/", query)
    for name in ("channels", "models", "keys"):
        yield (
            f"{name} page",
            _figure(_text(reader, f"/{name}/", query), r'<tfoot>.*?<td class="cost"(.*?)(?:<button|</td>)'),
        )
        yield f"{name} CSV", _of_csv(reader, f"/{name}/", query)
    rows = json.loads(_text(reader, "/channels/", {**query, "format": "json"}))["rows"]
    yield "channels JSON", _nanousd(rows)
    yield "Overview", _figure(_text(reader, "/", query), r'id="card-cost">.*?<p class="value">(.*?)</p>')


def _of_csv(reader: Client, path: str, query: dict[str, Any]) -> int:
    """Return the sum of a column of a file; parts of rows are counted in these."""
    text = _text(reader, path, {**query, "format": "csv"}).removeprefix("\ufeff")
    return _nanousd(csv.DictReader(io.StringIO(text)))


def _nanousd(rows: Iterable[Mapping[str, Any]]) -> int:
    return int(sum(Decimal(row["est_cost_usd"] or 0) for row in rows if not row.get("part_of")) * 10**9)


def _records(api: APIClient, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All pages of the list."""
    answer = api.get("/api/records/", {**query, "limit": "200"}).json()
    yield from answer["records"]
    while answer["older"]:
        answer = api.get("/api/records/", {**query, "limit": "200", "before": answer["older"]}).json()
        yield from answer["records"]


def _text(client: Client, path: str, query: dict[str, Any]) -> str:
    answer: Any = client.get(path, query)
    assert answer.status_code == 200
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


def _figure(html: str, place: str) -> int:
    """Return the exact figure that stands in a place of a page; 0 where there is none, or no such place."""
    found = re.search(place, html, re.DOTALL)
    figure = re.search(r'data-value="(-?\d+)"', found[1]) if found else None
    return int(figure[1]) if figure else 0
