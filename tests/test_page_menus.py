"""What can be taken away of a page, and how often it is renewed: one menu each, on every page of data."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client

import channels_app
from channels_app.csv_file import csv_answer
from channels_app.period import read_period
from channels_app.records_page import export as records_export
from config.report_zone import report_zone
from tests.factories import auth_file, auth_files, book, list_names, payload
from usage.models import ApiKey, Channel, Instance, Preferences, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
PAGES = ("/", "/channels/", "/channels/codex/", "/errors/", "/explore/", "/explore/?mode=scatter", "/records/", "/models/", "/keys/")  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def usage(instance: Instance) -> Instance:
    """60 requests of two days; a sixth failed; a key and a model whose names a spreadsheet would take for formulas."""
    listed = auth_files(auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"))
    list_names(instance, auth_files=listed)
    book(instance, *(
        payload(
            NOW - number * timedelta(minutes=40), request_id=f"{number}", auth_index="dave", latency_ms=900,
            model="=cmd-FAKE" if number % 2 else "gpt-FAKE", failed=number % 6 == 5,
            fail={"status_code": 500, "body": "+boom"} if number % 6 == 5 else None,
        )
        for number in range(60)
    ))  # fmt: skip
    ApiKey.objects.update(alias="@home")
    return instance


def files(client: Client, address: str) -> dict[str, str]:
    """The links of the menu by their ids."""
    html = client.get(address).content.decode()
    menu = html[html.index('id="export"') :].partition("</details>")[0]
    return {key: unescape(href) for key, href in re.findall(r'<a class="item" id="([\w-]+)" href="([^"]*)"', menu)}


def content(client: Client, page: str, address: str) -> tuple[str, str]:
    """What a link of a page leads to, and how the file is called."""
    answer: Any = client.get(page.partition("?")[0] + address)
    assert answer.status_code == 200
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode(), re.findall(r'filename="([^"]*)"', answer["Content-Disposition"])[0]


@pytest.mark.parametrize("address", PAGES)
def test_every_page_of_data_has_one_menu(reader: Client, usage: Instance, address: str) -> None:
    found = files(reader, address)
    figures = ["figures-csv", "figures-json"] if address in ("/", "/channels/codex/") else []
    assert [*found] == ["csv", "json", "chart-csv", "chart-json", *figures, "copy-link", "copy-exact"]
    html = reader.get(address).content.decode()
    besides = re.sub(
        r'<details class="menu chart-menu">.*?</details>', "", html, flags=re.DOTALL
    )  # charts have theirs too
    assert besides.count(" download") == len(found) - 2 + ("errors" in address)
    for key in ("csv", "chart-csv"):
        text, name = content(reader, address, found[key])
        assert re.fullmatch(r"usage-[a-z-]+_20261117-20261123_UTC\.csv", name), name
        assert text.startswith("\ufeff") and text.count("\n") == text.count("\r\n") >= 2
        assert not [cell for line in csv.reader(io.StringIO(text[1:])) for cell in line if cell[:1] in "=+@" and cell]
    for key in ("json", "chart-json"):
        text, name = content(reader, address, found[key])
        told = json.loads(text)
        assert name.endswith(".json") and told["rows"] and told["meta"]["tz"] == "UTC"
        assert told["meta"]["currency"] == "USD"


def test_links_are_of_the_view_as_it_is(reader: Client, usage: Instance) -> None:
    found = files(reader, "/records/?channel=codex&range=24h&sort=-tokens&tz=Asia/Shanghai")
    assert found["copy-link"] == "?channel=codex&range=24h&sort=-tokens&tz=Asia/Shanghai"
    assert "from=2026-11-22T18:30&" in found["copy-exact"] and "range" not in found["copy-exact"]
    assert "tz=Asia/Shanghai" in found["copy-exact"] and "channel=codex" in found["copy-exact"]


@pytest.mark.parametrize("address", ["/", "/channels/", "/errors/", "/explore/?metric=requests", "/records/"])
def test_a_chart_and_its_file_are_the_same(reader: Client, usage: Instance, address: str) -> None:
    asked = f"{address}{'&' if '?' in address else '?'}metric=requests"
    text, _name = content(reader, address, files(reader, asked)["chart-csv"])
    head, *lines = csv.reader(io.StringIO(text[1:]))
    failed = UsageRecord.objects.filter(failed=True).count()
    assert head[0] == "from" and all(datetime.fromisoformat(line[0]).tzinfo for line in lines)
    total = sum(int(cell) for line in lines for cell in line[1:] if cell)
    assert total == (failed if "errors" in address else UsageRecord.objects.count())


def test_the_table_of_the_overview_is_that_of_the_channels(reader: Client, usage: Instance) -> None:
    text, name = content(reader, "/", files(reader, "/?range=30d&channel=codex")["json"])
    (row,) = json.loads(text)["rows"]
    assert name == "usage-overview_20261025-20261123_UTC.json"
    assert row["requests"] == 60 and row["id"] == Channel.objects.get(name="codex").slug


@pytest.mark.parametrize("address", ["/", "/channels/codex/"])
def test_figures_are_those_of_the_cards(reader: Client, usage: Instance, address: str) -> None:
    found = files(reader, f"{address}?from=2026-11-23&to=2026-11-23")  # before which there is another day
    text, name = content(reader, address, found["figures-json"])
    today, yesterday = json.loads(text)["rows"]
    assert name == f"usage-{'overview' if address == '/' else 'channel'}-figures_20261123-20261123_UTC.json"
    assert (today["since"], today["until"]) == ("2026-11-23T00:00:00+00:00", "2026-11-24T00:00:00+00:00")
    assert (yesterday["since"], yesterday["until"]) == ("2026-11-22T13:30:00+00:00", "2026-11-23T00:00:00+00:00")
    assert (today["requests"], today["failed"], today["latency_p95_ms"]) == (16, 2, 900)
    assert today["requests"] == today["succeeded"] + today["failed"] and today["success_rate"] == 0.875
    assert (today["peak_rpm"], today["peak_rpm_is_exact"]) == (1, True) and today["average_rpm"] > 0
    assert (today["est_cost_usd"], today["tokens_per_second"]) == (None, None)  # no price, and no first token
    head, *lines = csv.reader(io.StringIO(content(reader, address, found["figures-csv"])[0][1:]))
    assert head == [*today] and [line[head.index("requests")] for line in lines] == ["16", "16"]


def test_figures_that_cannot_be_compared_stand_alone(reader: Client, usage: Instance) -> None:
    for query in ("?range=30d", "?from=2026-11-23&to=2026-11-23&cmp=off"):  # before the first record; not asked for
        (row,) = json.loads(content(reader, "/", files(reader, f"/{query}")["figures-json"])[0])["rows"]
        assert row["requests"] in (60, 16)
    text = content(reader, "/", "?from=2026-10-01&to=2026-10-02&format=json&section=figures")[0]
    assert json.loads(text)["rows"][0]["success_rate"] is None  # of no request nothing succeeded or failed


def test_records_are_sent_whole_or_say_that_there_are_more(
    reader: Client, usage: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = files(reader, "/records/?range=30d")["json"]
    told = json.loads(content(reader, "/records/", asked)[0])
    assert len(told["rows"]) == 60 and told["truncated"] is False
    assert {row["request_id"] for row in told["rows"]} == {str(number) for number in range(60)}
    monkeypatch.setattr(records_export, "_MOST", 7)
    told = json.loads(content(reader, "/records/", asked)[0])
    assert len(told["rows"]) == 7 and told["truncated"] is True
    assert content(reader, "/records/", asked.replace("json", "csv"))[0].count("\r\n") == 1 + 7 + 1


def test_points_are_those_that_are_drawn(reader: Client, usage: Instance) -> None:
    text, _name = content(reader, "/explore/", files(reader, "/explore/?mode=scatter&y=tokens&status=fail")["csv"])
    head, *lines = csv.reader(io.StringIO(text[1:]))
    assert head == ["id", "time", "tokens", "failed"] and {line[3] for line in lines} == {"True"}
    assert {int(line[0]) for line in lines} == {row.pk for row in UsageRecord.objects.filter(failed=True)}


def test_headers_are_no_formulas_either() -> None:
    period = read_period({"range": "7d"}, report_zone(), NOW)
    answer: Any = csv_answer("x", period, ["from", "=cmd|calc", "@x"], [])
    assert b"".join(answer.streaming_content).decode() == "\ufefffrom,'=cmd|calc,'@x\r\n"


@pytest.mark.parametrize("address", [*PAGES, "/quota/", "/collector/"])
def test_every_page_of_data_can_be_renewed(reader: Client, usage: Instance, address: str) -> None:
    html = reader.get(address).content.decode()
    menu = html[html.index('id="refresh"') :].partition("</details>")[0]
    usual = "10" if "collector" in address else "60"
    assert re.findall(r'value="(\d+)" aria-pressed="true"', menu) == [usual]
    assert re.findall(r'<button[^>]* value="(\d+)"', menu) == ["0", "10", "30", "60", "300"]
    assert f'href="{address}" data-renew'.replace("&", "&amp;") in menu and "is over" not in menu


def test_how_often_is_kept_for_the_person(reader: Client, usage: Instance) -> None:
    answer = reader.post("/preferences/refresh/", {"refresh": "30", "next": "/channels/?range=24h"})
    assert answer["Location"] == "/channels/?range=24h"
    html = reader.get("/channels/").content.decode()
    assert 'data-refresh="30"' in html and re.findall(r'value="(\d+)" aria-pressed="true"', html) == ["30"]
    reader.post("/preferences/refresh/", {"refresh": "1"})
    assert Preferences.objects.get().refresh_seconds == 30
    other = Client()
    other.force_login(get_user_model().objects.create_user("other"))
    assert 'data-refresh="30"' not in other.get("/channels/").content.decode()
    assert reader.get("/preferences/refresh/").status_code == 405


def test_what_is_over_is_not_renewed(reader: Client, usage: Instance) -> None:
    for address in ("/", "/channels/", "/models/", "/explore/", "/errors/"):
        html = reader.get(f"{address}?range=yesterday").content.decode()
        assert "This period is over" in html and 'id="report" data-live>' in html


@pytest.mark.parametrize(
    ("address", "kilobytes"),
    [
        ("/models/", 15),
        ("/keys/", 15),
        ("/records/", 16),
        ("/quota/", 15),
        ("/collector/", 15),
        ("/settings/", 15),
        ("/", 20),
        ("/explore/?mode=scatter", 24),
    ],
)
def test_scripts_and_styles_are_little_to_load(reader: Client, usage: Instance, address: str, kilobytes: int) -> None:
    html = reader.get(address).content.decode()
    names = {*re.findall(r'(?:src|href)="[^"]*/channels_app/([\w.]+\.(?:js|css))"', html)} - {"app.css"}
    folder = Path(channels_app.__file__).parent / "static" / "channels_app"
    assert {"core.js", "live.js", "print.css"} <= names
    assert sum(len(gzip.compress((folder / name).read_bytes())) for name in names) <= kilobytes * 1024
