"""Which columns a table has is kept for the person who chose them; the address comes first."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.factories import book, payload
from usage.models import Instance, Preferences

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def usage(instance: Instance) -> None:
    book(instance, payload(NOW, request_id="one", endpoint="POST /v1/messages"))


def ticked(client: Client, address: str) -> set[str]:
    html = client.get(address).content.decode()
    return {*re.findall(r'form="columns" name="cols" value="(\w+)" checked', html)}


def usual(client: Client, address: str) -> set[str]:
    return {*re.findall(r'name="known" value="(\w+)"', client.get(address).content.decode())}


def chosen(client: Client, address: str) -> set[str]:
    """Those that are shown besides the usual ones."""
    return ticked(client, address) - usual(client, address)


def choose(client: Client, table: str, *columns: str, back: str = "/records/?range=24h", known: Any = ()) -> Any:
    form = {"table": table, "cols": columns, "known": [*known], "next": back}
    return client.post("/preferences/columns/", form)


def ranges(client: Client, address: str) -> str:
    """The links to other periods: they keep the state of the page."""
    html = client.get(address).content.decode()
    return unescape(html[html.index('<ul class="presets">') :].partition("</ul>")[0])


@pytest.mark.parametrize(
    ("table", "address", "columns"),
    [
        ("records", "/records/", {"endpoint", "attempts"}),
        ("channels", "/channels/", {"p50", "last"}),
        ("models", "/models/", {"ttft", "each"}),
        ("keys", "/keys/", {"first", "hit"}),
    ],
)
def test_they_are_kept_for_each_table(reader: Client, usage: None, table: str, address: str, columns: set[str]) -> None:
    assert chosen(reader, address) == set()
    answer = choose(reader, table, *columns, back=f"{address}?cols=hit&range=24h&sort=name")
    assert answer["Location"] == f"{address}?range=24h&sort=name"  # what was in the address is what was chosen from
    assert chosen(reader, address) == columns
    other = Client()
    other.force_login(Preferences.objects.get().user.__class__.objects.create_user("other"))
    assert chosen(other, address) == set()


def test_the_address_comes_first(reader: Client, usage: None) -> None:
    choose(reader, "records", "endpoint", "hit")
    assert chosen(reader, "/records/?cols=tier") == {"tier"}
    assert chosen(reader, "/records/?cols=none") == set()
    assert "cols=none" in ranges(reader, "/records/?cols=none") and "cols=tier" in ranges(reader, "/records/?cols=tier")
    assert "cols=" not in ranges(reader, "/records/?cols=hit&cols=endpoint")
    assert "POST /v1/messages" in reader.get("/records/").content.decode()


def test_none_can_be_kept_again(reader: Client, usage: None) -> None:
    choose(reader, "records", "endpoint")
    choose(reader, "records")
    assert chosen(reader, "/records/") == set()


def test_nonsense_is_refused_or_left_out(reader: Client, usage: None) -> None:
    assert choose(reader, "nonsense", "hit").status_code == 400
    assert choose(reader, "records", *["x"] * 31).status_code == 400
    assert choose(reader, "records", "x" * 31).status_code == 400
    assert not Preferences.objects.exists()
    assert choose(reader, "records", "hit", "nonsense", back="https://example.com/?cols=x")["Location"] == "/"
    assert chosen(reader, "/records/") == {"hit"}
    assert reader.get("/preferences/columns/").status_code == 405
    assert Client().post("/preferences/columns/", {"table": "records"}).status_code == 302


def test_attempts_are_told(reader: Client, usage: None) -> None:
    html = reader.get("/records/?cols=attempts").content.decode()
    table = html[html.index('<div class="table records') :]
    assert 'abbr="Attempts"' in table and "<td>1</td>" in table


@pytest.mark.parametrize(
    ("table", "address", "other"),
    [
        ("records", "/records/", "hit"),
        ("channels", "/channels/", "last"),
        ("models", "/models/", "ttft"),
        ("keys", "/keys/", "hit"),
    ],
)
def test_usual_ones_can_be_hidden(reader: Client, usage: None, table: str, address: str, other: str) -> None:
    known = usual(reader, address)
    assert {"cost", "output"} < known == ticked(reader, address)
    assert 'href="?sort=-cost"' in reader.get(address).content.decode()
    choose(reader, table, *known - {"cost", "output"}, other, known=known, back=address)
    assert ticked(reader, address) == known - {"cost", "output"} | {other}
    html = reader.get(address).content.decode()
    body = html[html.index('role="region" aria-labelledby="caption"') :] if table == "records" else html
    assert '<td class="cost"' not in body and '<td class="output"' not in body and '<td class="input"' in body
    assert "cols=" not in ranges(reader, address)
    assert ticked(reader, f"{address}?cols=-input&cols={other}&cols=nonsense") == known - {"input"} | {other}
    assert f"cols=-input&cols={other}" in ranges(reader, f"{address}?cols={other}&cols=-input&cols=-nonsense")
    assert ticked(reader, f"{address}?cols=none") == known
    assert '<td class="cost"' in reader.get(f"{address}?sort=-cost").content.decode()  # what orders the rows is seen
    reader.post("/preferences/columns/", {"table": table, "cols": [other], "usual": "1", "next": address})
    assert ticked(reader, address) == known and not Preferences.objects.get().columns


def keys(client: Client, address: str = "/channels/") -> list[str]:
    """The columns of the table as they stand, behind the one with the names."""
    html = client.get(address).content.decode()
    head = html[html.index('class="table usage') :].partition("</thead>")[0]
    return re.findall(r'<th scope="col" class="(\w+)', head)[1:]


def order(client: Client, address: str = "/channels/") -> list[str]:
    """All columns in the order of the list from which they are chosen."""
    return re.findall(r'name="order" value="(\w+)"', client.get(address).content.decode())


def arrange(client: Client, names: list[str], **more: str) -> None:
    form = {
        "table": "channels",
        "cols": ["p95"],
        "order": names,
        "before": ",".join(order(client)),
        "next": "/channels/",
    }
    assert client.post("/preferences/columns/", form | more).status_code == 302


def test_columns_stand_in_the_order_that_somebody_chose(reader: Client, usage: None) -> None:
    usual, shown = order(reader), keys(reader)
    assert usual[-1] == "trend" and "hit" in usual and shown[0] == "requests"
    arrange(reader, usual)
    assert not Preferences.objects.get().column_order  # nothing was moved
    arrange(reader, ["trend", "cost", *(name for name in usual if name not in ("trend", "cost"))])
    assert order(reader)[:3] == ["trend", "cost", "requests"]
    assert keys(reader)[:3] == ["trend", "cost", "requests"] and "p95" in keys(reader)
    csv = b"".join(reader.get("/channels/?format=csv")).decode().splitlines()[0]
    assert csv.index("est_cost_usd") < csv.index("requests")
    assert order(reader, "/models/")[0] == "requests"
    arrange(reader, order(reader), usual="1")
    assert order(reader) == usual and not Preferences.objects.get().column_order


def test_a_button_moves_a_column_by_one(reader: Client, usage: None) -> None:
    first, second, third, *_rest = usual = order(reader)
    arrange(reader, usual, up=third)
    assert order(reader)[:3] == [first, third, second]
    arrange(reader, order(reader), down=first)
    assert order(reader)[:3] == [third, first, second]
    for button, name in (("up", third), ("down", usual[-1]), ("up", "nonsense")):
        before = order(reader)
        arrange(reader, before, **{button: name})
        assert order(reader) == before


def test_a_column_that_the_order_does_not_know_stays_behind_the_one_before_it(reader: Client, usage: None) -> None:
    """As after an upgrade that brings a new one."""
    usual = order(reader)
    arrange(reader, ["trend", "cost", "hit", "tokens"])
    found = order(reader)
    assert sorted(found) == sorted(usual)
    assert [name for name in found if name in ("trend", "cost", "hit", "tokens")] == ["trend", "cost", "hit", "tokens"]
    assert found[found.index("hit") - 1] != "requests" and found[0] == "requests"


def test_the_list_of_requests_has_its_order_too(reader: Client, usage: None) -> None:
    def heads(address: str) -> list[str]:
        html = reader.get(address).content.decode()
        head = html[html.index('<div class="table records') :].partition("</thead>")[0]
        return re.findall(r"<th [^>]*>(?:<a [^>]*>)?([^<]*)", head)

    every = order(reader, "/records/")
    assert every[0] == "status" and "server" not in every  # there is but one
    assert heads("/records/")[:3] == ["Time", "Total tokens", "Status"]  # the second for phones only
    arrange(reader, ["speed", "total", *(name for name in every if name not in ("speed", "total"))], table="records")
    assert heads("/records/?cols=total&cols=-status")[:4] == [
        "Time",
        "Speed, tok/s",
        "Total tokens",
        "Channel / account",
    ]
    assert order(reader, "/records/")[:3] == ["speed", "total", "status"]
