from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from channels_app.charts.matrix import Axis, Matrix
from channels_app.charts.unit import TOKENS as OF_TOKENS
from tests.pages import exact, rows, text
from tests.sample_usage import TOKENS, make_sample_usage
from usage.ingest import rollup
from usage.models import ApiKey, Instance, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
EACH = sum(TOKENS)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    """Alice's 70 requests have a key with a name, codex' 40 one without, the other 64 none."""
    make_sample_usage(instance, timezone.now())
    for number, (alias, account) in enumerate([("Frontend", "alice@example.com"), ("", "team@example.org")]):
        key = ApiKey.objects.create(key_digest=bytes([number]) * 16, key_mask=f"sk-t...000{number}", alias=alias)
        UsageRecord.objects.filter(source__account__label=account).update(api_key=key)
    rollup.rebuild()
    return instance


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/keys/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def key() -> ApiKey:
    return ApiKey.objects.get(key_mask="sk-t...0000")


def test_keys_have_names_and_masks_and_what_has_no_key_is_a_row(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert [(row["name"], row["requests"], row["models"], row["channels"]) for row in rows(html)] == [
        ("Frontend", "70", "2", "1"), ("No key", "64", "2", "2"), ("sk-t...0001", "40", "1", "1"), ("Total", "174", "", ""),
    ]  # fmt: skip
    values = exact(html, "tokens")
    assert sum(values[:-1]) == values[-1] == 174 * EACH
    assert "<code>sk-t...0000</code>" in html and rows(html)[0]["last"] == "1 m ago"


def test_a_key_opens_by_model(reader: Client, sample: Instance) -> None:
    html = page(reader, f"?open=key-{key().pk}")
    parts = [(row["name"], row["requests"], row["share"]) for row in rows(html) if row["row"] == "part"]
    assert parts == [("claude-opus-4-6", "60", "85.7%"), ("claude-sonnet-4-5", "10", "14.3%")]


def test_first_used_is_a_column_that_can_be_added(reader: Client, sample: Instance) -> None:
    assert "first" not in rows(page(reader))[0]
    assert rows(page(reader, "?cols=first"))[0]["first"] == "11-23"


def test_the_matrix_has_heads_links_and_a_legend(reader: Client, sample: Instance) -> None:
    html = page(reader, "?range=24h")
    table = html[html.index('<table class="matrix">') :].partition("</table>")[0]
    assert [text(name) for name in re.findall(r'<th scope="col">(.*?)</th>', table)] == [
        "API key / Model", "claude-opus-4-6", "gpt-5-codex", "mystery-model", "claude-sonnet-4-5",
    ]  # fmt: skip
    assert [text(name) for name in re.findall(r'<th scope="row">(.*?)</th>', table)] == [
        "Frontend",
        "No key",
        "sk-t...0001",
    ]
    assert f'<a href="/records/?key={key().pk}&amp;model=claude-opus-4-6&amp;range=24h">6.00M</a>' in table
    assert sum(map(int, re.findall(r'data-value="(\d+)"', table))) == 174 * EACH
    assert "≥ 1.00M" in html and 'href="?metric=cost&amp;range=24h"' in html
    html = page(reader, "?metric=requests")
    assert sum(map(int, re.findall(r'class="heat-\d" data-value="(\d+)"', html))) == 174


def test_staff_rename_a_key_in_its_row(reader: Client, sample: Instance, django_user_model: Any) -> None:
    row = key()
    assert "Rename" not in page(reader) and f'action="/keys/{row.pk}/alias/"' not in page(reader, f"?edit={row.pk}")
    assert reader.post(f"/keys/{row.pk}/alias/", {"alias": "mine"}).status_code == 403
    reader.force_login(django_user_model.objects.create_user("boss", is_staff=True))
    html = page(reader, "?range=24h")
    assert f'id="rename-{row.pk}" href="?edit={row.pk}&amp;range=24h"' in html and 'data-refresh="60"' in html
    html = page(reader, f"?range=24h&edit={row.pk}")
    assert f'action="/keys/{row.pk}/alias/"' in html and 'value="/keys/?range=24h"' in html
    assert "data-refresh" not in html  # nothing is taken away from who types
    answer = reader.post(f"/keys/{row.pk}/alias/", {"alias": " Team 前端 ", "next": "/keys/?range=24h"})
    assert answer["Location"] == "/keys/?range=24h" and key().alias == "Team 前端"
    assert "sk-t...0000 is now called Team 前端." in text(page(reader))


def test_a_name_may_be_empty_and_is_not_too_long(admin_client: Client, sample: Instance) -> None:
    row = key()
    admin_client.post(f"/keys/{row.pk}/alias/", {"alias": "x" * 101})
    assert key().alias == "Frontend"
    assert "at most 100 characters; this one has 101" in admin_client.get("/keys/").content.decode()
    assert admin_client.post(f"/keys/{row.pk}/alias/", {"next": "https://example.com/"})["Location"] == "/keys/"
    assert key().alias == ""
    assert admin_client.post("/keys/987654/alias/", {"alias": "x"}).status_code == 404
    assert admin_client.get(f"/keys/{row.pk}/alias/").status_code == 405


def test_as_a_file(reader: Client, sample: Instance) -> None:
    told = reader.get(f"/keys/?format=json&open=key-{key().pk}").json()["rows"]
    assert [(row["id"], row["name"], row["part_of"]) for row in told[:2]] == [
        (str(key().pk), "Frontend", ""), ("claude-opus-4-6", "claude-opus-4-6", str(key().pk)),
    ]  # fmt: skip
    assert told[0]["models_used"] == 2 and told[0]["last_used"] == "2026-11-23T10:29:00+00:00"
    assert sum(row["requests"] for row in told if not row["part_of"]) == 174


@pytest.mark.parametrize(("metric", "field"), [("tokens", "total_tokens"), ("requests", "requests"), ("failed", "failed"), ("cost", "est_cost_usd")])  # fmt: skip
def test_the_matrix_as_a_file_has_the_totals_of_the_page(
    reader: Client, sample: Instance, metric: str, field: str
) -> None:
    told = reader.get(f"/keys/?metric={metric}&format=json&section=chart").json()["rows"]
    table = reader.get("/keys/?cols=failed&format=json").json()["rows"]
    if metric == "failed":
        whole = sum(round(row["requests"] * (1 - row["success_rate"])) for row in table)
    else:
        whole = sum(Decimal(row[field] or 0) for row in table)
    assert sum(Decimal(row[field]) for row in told) == whole
    assert whole or metric == "cost"
    assert {row["key"] for row in told} == {row["name"] for row in table} and told[0].keys() == {"key_id", "key", "model", field}  # fmt: skip


def test_of_many_in_both_directions_the_others_are_one() -> None:
    names = {number: (str(number), f"n{number}") for number in range(20)}
    values = {(row, column): (row + 1) * (column + 1) for row in range(20) for column in range(20)}
    matrix = Matrix(
        "t", OF_TOKENS, Axis("down", names), Axis("across", names), values, lambda row, column: f"?{row}-{column}"
    )
    table = str(matrix.table)
    assert table.count("<tr>") == 14 and "Other (8)" in table and 'href="?19-19"' in table and "?-1" not in table
    assert sum(map(int, re.findall(r'data-value="(\d+)"', table))) == sum(values.values())
    assert [step for step, _low in matrix.legend] == [1, 2, 3, 4, 5, 6]


def test_what_was_never_together_is_a_dash() -> None:
    names = {1: ("1", "<one>"), 2: ("2", "two")}
    values = {(1, 1): 5, (2, 2): 7}
    table = str(Matrix("t", OF_TOKENS, Axis("d", names), Axis("a", names), values, lambda row, column: "?").table)
    assert table.count('aria-label="no data"') == 2 and "<one>" not in table and "&lt;one&gt;" in table
