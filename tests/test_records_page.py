"""The Records page and a record's detail: every row where it belongs, the cost multiplied out, no secret anywhere."""

from __future__ import annotations

import csv
import gzip
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import time_machine
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app import records as list_of_records
from channels_app.records import SORTS, read_cursor, records
from channels_app.records_page import export
from channels_app.records_page.search import read_search
from channels_app.stats import EVERYTHING, Conditions, Span
from tests.factories import CLIENT_KEY, auth_file, auth_files, book, examples, list_names, payload
from tests.test_channels_page import Attributes
from tests.test_pricing import add_price
from usage.ingest.attempts import derive
from usage.models import ApiKey, Instance, ModelPrice, UsageRecord
from usage.models.fields import to_micros

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SECRET = "sk-FAKE-upstream-0123456789abcdef"
EVER = Span(0, to_micros(NOW + timedelta(days=1)))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """It stands still, but for the one that tells how long a search takes: this machine may be slow."""
    monkeypatch.setattr(list_of_records, "_LONGEST_SEARCH", 60)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ledger(instance: Instance) -> Instance:
    """120 records of two hours, one each minute from now back: the first is the newest; every tenth failed."""
    dave, bob = ("dave", "codex"), ("bob", "claude")
    list_names(
        instance,
        auth_files=auth_files(
            *(
                auth_file(f"{name}.json", kind, email=f"{name}@example.com", auth_index=name)
                for name, kind in (dave, bob)
            )
        ),
    )
    add_price("gpt-FAKE", "2.5", "10", cached_input="0.25")
    book(instance, *(
        payload(
            NOW - number * timedelta(minutes=1), model="gpt-FAKE" if number % 2 else "unpriced-FAKE",
            alias="best" if number == 3 else None, request_id=f"id-{number:03}", auth_index=("dave", "bob", "gone")[number % 3],
            provider=("codex", "claude", "codex")[number % 3], endpoint="POST /v1/responses" if number % 2 else "POST /v1/chat",
            latency_ms=1_000 * (number + 2), ttft_ms=500, failed=number % 10 == 0,
            fail={"status_code": 429, "body": f"slow down, {SECRET}"} if number % 10 == 0 else None,
            tokens={"input_tokens": 1_000 + number, "cached_tokens": 600, "output_tokens": 100, "reasoning_tokens": 40,
                    "total_tokens": 1_100 + number},
        )
        for number in range(120)
    ))  # fmt: skip
    return instance


def get(client: Client, query: str = "", path: str = "/records/") -> str:
    answer = client.get(path + query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def shown(html: str) -> list[str]:
    """The ids of requests, by the minutes since now, in the order of the rows."""
    numbers = [int(pk) for pk in re.findall(r'id="record-(\d+)"', html)]
    ids = dict(UsageRecord.objects.values_list("pk", "request_id"))
    return [ids[pk].removeprefix("id-") for pk in numbers]


def link(html: str, id: str) -> str | None:
    found = re.search(rf'id="{id}"[^>]*? href="([^"]*)"', html)
    return unescape(found[1]) if found else None


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def numbers(*of: int) -> list[str]:
    return [f"{number:03}" for number in of]


def test_newest_first_and_older_ones_by_links_without_numbers(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?range=24h&status=ok")
    every = [number for number in range(120) if number % 10]
    assert shown(html) == numbers(*every[:50])
    assert "108" in html and link(html, "newer") is None and link(html, "newest") is None
    older = link(html, "older")
    assert older and "range=24h" in older and "status=ok" in older and "page" not in older
    second = get(reader, older)
    assert shown(second) == numbers(*every[50:100])
    newer, newest = link(second, "newer"), link(second, "newest")
    assert newer and shown(get(reader, newer)) == numbers(*every[:50])
    assert newest == "?range=24h&status=ok"
    last = get(reader, link(second, "older") or "")
    assert shown(last) == numbers(*every[100:]) and link(last, "older") is None


@pytest.mark.parametrize("sort", SORTS)
def test_each_order_can_be_walked_there_and_back(reader: Client, ledger: Instance, sort: str) -> None:
    pages = [get(reader, f"?sort={sort}")]
    while older := link(pages[-1], "older"):
        pages.append(get(reader, older))
    found = [one for page in pages for one in shown(page)]
    assert sorted(found) == numbers(*range(120)) and len(pages) == 3
    assert shown(get(reader, link(pages[2], "newer") or "")) == shown(pages[1])
    assert ("Sorted within the selected period" in pages[1]) == ("time" not in sort)


def test_a_header_sorts_and_says_so(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?sort=-latency&channel=codex")
    assert shown(html)[0] == "117" and html.count("aria-sort=") == 1
    assert link(html, "sort-latency") == "?channel=codex&sort=latency"
    assert link(html, "sort-time") == "?channel=codex"
    assert "sort-total" not in html and "sort-total" in get(reader, "?sort=-tokens")


def test_a_row_shows_what_it_was(reader: Client, ledger: Instance) -> None:
    html = get(reader)
    row = re.findall(r"<tr class=.*?</tr>", html, re.DOTALL)[3]
    assert "11-23 10:27:00" in row and 'title="2026-11-23T10:27:00+00:00"' in row
    text = text_of(row)
    for word in (
        "200",
        "codex",
        "dave@example.com",
        "gpt-FAKE",
        "← best",
        "sk-t...0001",
        "1.00K",
        "600",
        "5.00 s",
        "500 ms",
    ):
        assert word in text, (word, text)
    assert "$0.0022" in text  # 403 x 2.5 + 600 x 0.25 + 100 x 10, per million
    first = re.findall(r"<tr class=.*?</tr>", html, re.DOTALL)[0]
    assert 'class="pill fail"' in first and "429" in first and "unpriced" in first


def test_who_called_is_a_column_a_part_of_the_detail_and_of_files(
    reader: Client, api: APIClient, ledger: Instance
) -> None:
    agent = "claude-cli/2.1.40 (external, <cli>)"
    book(ledger, payload(
        NOW, request_id="called", client_ip="203.0.113.24", x_forwarded_for="198.51.100.7", user_agent=agent,
    ))  # fmt: skip
    html = get(reader, "?cols=ip&cols=agent&range=24h&limit=200")
    assert html.count("203.0.113.24") == 1 and "claude-cli/2.1.40 (external, &lt;cli&gt;)" in html
    assert "Client IP" in html and "203.0.113.24" not in get(reader, "?range=24h&limit=200")
    called, older = (UsageRecord.objects.get(request_id=one).pk for one in ("called", "id-003"))
    text = text_of(get(reader, "", f"/records/{called}/"))
    assert "Client IP 203.0.113.24 Forwarded for 198.51.100.7 User agent claude-cli/2.1.40" in text
    text = text_of(get(reader, "", f"/records/{older}/"))
    assert "Client IP — Forwarded for — User agent — CPA tells of clients from v7.2.104 on." in text
    rows = {
        row["request_id"]: row
        for row in csv.DictReader(io.StringIO(exported(reader, "range=24h")[1].removeprefix("\ufeff")))
    }
    assert [rows["called"][name] for name in ("client_ip", "forwarded_for", "user_agent")] == [
        "203.0.113.24",
        "198.51.100.7",
        agent,
    ]
    assert rows["id-003"]["client_ip"] == ""
    assert api.get(f"/api/records/{called}/").json()["client"] == {
        "ip": "203.0.113.24", "forwarded_for": "198.51.100.7", "user_agent": agent,
    }  # fmt: skip
    assert api.get(f"/api/records/{older}/").json()["client"] is None


def test_what_rows_name_has_one_menu_each_that_all_of_them_open(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?range=24h&q=id-0&limit=200")
    menus = dict(re.findall(r'<span class="popover row-menu" id="([^"]+)" popover>(.*?)</span>', html))
    opened_by = re.findall(r'popovertarget="(menu-[^"]+)" aria-label="([^"]+)"', html)
    assert len(shown(html)) == 100 and len(opened_by) > 300 and {menu for menu, _label in opened_by} == menus.keys()
    assert {label for _menu, label in opened_by} == {
        f"Actions: {name}" for name in ("codex", "claude", "Unknown channel", "dave@example.com", "bob@example.com",
                                        "gpt-FAKE", "unpriced-FAKE", "sk-t...0001")
    }  # fmt: skip
    links = [
        (unescape(href), text)
        for href, text in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', menus["menu-channel-codex"])
    ]
    assert links == [
        ("/channels/codex/?range=24h", "Open"),
        ("/records/?channel=codex&limit=200&q=id-0&range=24h", "Filter by this"),
        ("/records/?channel=codex&range=24h", "View records"),
    ]
    for href, _text in links:
        assert reader.get(href).status_code == 200
    model = next(menu for name, menu in menus.items() if "model=gpt-FAKE" in menu)
    assert re.search(r'href="/models/\d+/\?range=24h"', model)
    plain = get(reader, "?range=24h")  # where all records of it are those of the list with this filter
    assert "View records" not in plain[plain.index('id="menu-channel-codex"') :].partition("</span>")[0]


def test_a_detail_has_the_menus_of_what_it_names(admin_client: Client, ledger: Instance) -> None:
    html = get(admin_client, "?q=id", f"/records/{UsageRecord.objects.get(request_id='id-003').pk}/")
    assert set(re.findall(r'popovertarget="menu-record-(\w+)-', html)) == {"channel", "account", "model", "key"}
    menu = html[html.index('id="menu-record-channel-codex"') :].partition("</span>")[0]
    assert 'href="/records/?channel=codex&amp;q=id"' in menu and "data-swap" not in menu and "Edit name" in menu


def test_two_hundred_rows_weigh_little(reader: Client, ledger: Instance) -> None:
    book(ledger, *(payload(NOW - number * SECOND, request_id=f"more-{number}") for number in range(1, 100)))
    html = get(reader, "?limit=200")
    assert len(shown(html)) == 200 and len(gzip.compress(html.encode())) < 60_000


def test_columns_and_limits_are_in_the_address(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?cols=hit&cols=endpoint&cols=request&cols=nonsense&limit=100")
    assert len(shown(html)) == 100
    assert "POST /v1/chat" in html and "<code>id-007</code>" in html and "59.6%" in html
    assert link(html, "older") and "cols=endpoint&cols=hit&cols=request&limit=100" in (link(html, "older") or "")
    rows = re.findall(r"<tr.*?</tr>", html[html.index('<div class="table records') :], re.DOTALL)
    assert len({len(re.findall(r"<t[dh][ >]", row)) for row in rows}) == 1
    assert "limit=51 is none of 50, 100, 200" in get(reader, "?limit=51")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?min_latency=120", [118, 119]),
        ("?max_latency=2.5", [0]),
        ("?min_tokens=1,217&max_tokens=1219", [117, 119]),
        ("?min_cost=0.0024&max_cost=0.00242", [101, 105, 107]),
        ("?q=id-01", range(10, 20)),
        ("?q=ID-117", [117]),
        ("?q=best", [3]),
        ("?q=SLOW+down", range(0, 120, 10)),
        ("?q=slow+down&status=ok", []),
        ("?q=100%25", []),
        ("?q=id_", []),
        ("?endpoint=POST+/v1/chat&max_latency=10", [0, 2, 4, 6, 8]),
        ("?endpoint=nowhere", []),
        ("?channel=claude&min_latency=110", [109, 112, 115, 118]),
    ],
)
@pytest.mark.parametrize("sort", ["-time", "latency"])
def test_what_only_records_know_is_found(
    reader: Client, ledger: Instance, query: str, expected: list[int], sort: str
) -> None:
    html = get(reader, f"{query}&sort={sort}")
    assert shown(html) == numbers(*expected)
    if not expected:
        assert "No requests match" in html


def test_a_search_is_a_chip_and_is_cleared(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?q=id-01&min_cost=0.001&channel=codex&sort=-cost&cols=hit")
    chips = re.findall(r'title="Remove this filter">(.*?)<svg', html)
    assert chips == ["Channel: codex", "Est. cost ≥ $0.001", "Search: id-01"]
    assert link(html, "clear") == "?cols=hit&sort=-cost"
    assert 'name="min_cost" id="min_cost" value="0.001"' in html
    assert not re.search(r'type="hidden" name="(q|min_cost)"', html)
    assert "min_cost=dear is no number" in get(reader, "?min_cost=dear")


def test_a_long_search_pauses_and_goes_on_without_a_hole(
    reader: Client, ledger: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_of_records, "_LONGEST_SEARCH", -1)
    monkeypatch.setattr(list_of_records, "_READ_AT_ONCE", 1)
    monkeypatch.setattr("channels_app.records_page.page.RecordsPage.rows", property(lambda page: []))
    html = get(reader, "?q=id-1")
    assert "Searched as far as" in html and "Search on" in html


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20))
@given(
    most=st.integers(2, 130), limit=st.sampled_from([3, 50]), sort=st.sampled_from(["-time", "time"]),
    seconds=st.sampled_from([-1, 60]), failed=st.sampled_from([None, True, False]),
)  # fmt: skip
def test_a_search_finds_all_in_order_wherever_it_pauses(
    ledger: Instance, most: int, limit: int, sort: str, seconds: int, failed: bool | None
) -> None:
    narrowing = read_search(QueryDict(f"max_latency={most}")).narrowing(EVER)
    rows = [number for number in range(120) if number + 2 <= most and failed in (None, number % 10 == 0)]
    expected = numbers(*(rows if sort == "-time" else rows[::-1]))
    conditions = EVERYTHING if failed is None else Conditions(failed=failed)
    patch = pytest.MonkeyPatch()
    patch.setattr(list_of_records, "_LONGEST_SEARCH", seconds)
    patch.setattr(list_of_records, "_READ_AT_ONCE", 1)
    with patch.context():
        page = records(EVER, conditions, sort, None, limit, narrowing)
        pages = [[row.request_id.removeprefix("id-") for row in page.rows]]
        while page.older and len(pages) < 400:
            page = records(EVER, conditions, sort, read_cursor(str(page.older), sort), limit, narrowing)
            pages.append([row.request_id.removeprefix("id-") for row in page.rows])
        assert [one for some in pages for one in some] == expected
        back, turns = list[list[str]](), 0
        while page.newer and not page.is_first and (turns := turns + 1) < 400:
            page = records(EVER, conditions, sort, read_cursor(str(page.newer), sort, back=True), limit, narrowing)
            back.insert(0, [row.request_id.removeprefix("id-") for row in page.rows])
        found = [one for some in back for one in some]
        assert found == expected[: len(found)]
        assert not pages[-1] or len(found) == len(expected) - len(pages[-1])
    patch.undo()


def retried(instance: Instance) -> None:
    """A call that took three attempts, through two accounts."""
    for number, name in enumerate(("dave", "bob", "dave")):
        book(instance, payload(
            NOW - timedelta(minutes=5) + 3 * number * SECOND, request_id="again", endpoint="POST /v1/x", auth_index=name,
            provider="codex", model="gpt-FAKE", alias="gpt-FAKE", latency_ms=2_000, failed=number < 2,
            fail={"status_code": 503, "body": "busy"} if number < 2 else None,
            tokens={"input_tokens": 1_000, "total_tokens": 1_000} if number else {},
        ))  # fmt: skip


@pytest.mark.parametrize("derived", [True, False])
def test_attempts_of_one_call_are_marked_listed_and_found(reader: Client, ledger: Instance, derived: bool) -> None:
    retried(ledger)
    if derived:
        derive()
    html = get(reader, "?retried=1")
    assert re.findall(r">(\d/3)<", html) == ["3/3", "2/3", "1/3"] == re.findall(r">(\d/3)<", get(reader))
    assert len(shown(html)) == 3
    last = UsageRecord.objects.filter(request_id="again").order_by("requested_at")[2]
    detail = get(reader, path=f"/records/{last.pk}/")
    assert "Attempts of this client request" in detail
    course = re.search(r'id="attempts-title".*?</section>', detail, re.DOTALL)
    assert course
    assert re.findall(r'data-label="Start">\+(.*?)<', course[0]) == ["0 ms", "3.00 s", "6.00 s"]
    assert course[0].count(">wasted<") == 1  # the first one used nothing
    assert re.findall(r'<rect class="level" x="([\d.]+)%" width="([\d.]+)%"', course[0])[2] == ("75.00", "25.00")


def test_new_requests_are_told_and_move_no_row(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?range=24h&channel=codex")
    watched = re.search(r'data-watch="([^"]*)"', html)
    assert watched and 'id="newcomers" hidden' in html
    address = unescape(watched[1])
    assert get(reader, path=address).strip() == ""
    for number in range(2):
        book(ledger, payload(NOW + SECOND, provider="codex", auth_index="dave", request_id=f"new-{number}"))
    book(ledger, payload(NOW + SECOND, provider="claude", auth_index="bob", request_id="of another channel"))
    assert get(reader, path=address).strip() == "2 new requests"
    for number in range(60):
        book(ledger, payload(NOW + SECOND, provider="codex", auth_index="dave", request_id=f"newer-{number}"))
    assert get(reader, path=address).strip() == "More than 50 new requests"


@pytest.mark.parametrize("query", ["?range=yesterday", "?sort=-cost", "?q=id"])
def test_where_nothing_can_come_nobody_asks(reader: Client, ledger: Instance, query: str) -> None:
    assert "data-watch" not in get(reader, query)
    assert "data-watch" not in get(reader, link(get(reader), "older") or "")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?before=FAKE", "FAKE is no cursor of this list"),
        ("?sort=colour", "sort=colour is none of"),
        ("?channel=nowhere&range=ever", "channel=nowhere was not found"),
        ("?min_latency=NaN", "min_latency=NaN is no number"),
        ("?min_tokens=-5", "min_tokens=-5 is no number"),
        ("?max_cost=9e99", "max_cost=9e99 is no number"),
    ],
)
def test_what_means_nothing_is_a_warning(reader: Client, ledger: Instance, query: str, words: str) -> None:
    html = get(reader, query)
    assert words in html and len(shown(html)) == 50


@pytest.mark.parametrize(
    "query", ["?q=%00", "?q='%3B--", "?q=%25%25s", "?q=!", "?limit=", "?before=&after=", "?q=" + "x" * 999]
)
def test_odd_addresses_are_answered(reader: Client, ledger: Instance, query: str) -> None:
    get(reader, query)


def test_empty_states(reader: Client, ledger: Instance) -> None:
    html = get(reader, "?range=lastmonth&channel=codex")
    assert "No requests match Channel: codex (Last month)" in html and "<table" not in html
    UsageRecord.objects.all().delete()
    assert "No requests recorded yet" in get(reader)


def test_an_empty_install_shows_the_steps(reader: Client, db: None) -> None:
    assert "No CPA server is connected yet" in get(reader)


def detail_of(client: Client, request_id: str, query: str = "") -> str:
    row = UsageRecord.objects.get(request_id=request_id)
    return get(client, query, f"/records/{row.pk}/")


def test_the_cost_multiplies_out_to_the_total(reader: Client, ledger: Instance) -> None:
    html = detail_of(reader, "id-003")
    table = re.search(r"How the cost comes about.*?</table>", html, re.DOTALL)
    assert table
    lines = re.findall(
        r"<tr><th scope=\"row\">.*?</th><td>([\d,]+)</td><td>([\d.]+)</td><td>([\d.]+)</td></tr>", table[0]
    )
    assert len(lines) == 4
    for tokens, rate, amount in lines:
        assert Decimal(tokens.replace(",", "")) * Decimal(rate) / 10**6 == Decimal(amount)
    total = re.search(r"<tfoot>.*?<td>([\d.]+)</td></tr></tfoot>", table[0])
    assert total
    assert Decimal(total[1]) == sum(Decimal(amount) for *_rest, amount in lines)
    assert Decimal(total[1]) * 10**9 == UsageRecord.objects.get(request_id="id-003").cost_nanousd


def test_reasoning_is_part_of_output(reader: Client, ledger: Instance) -> None:
    html = detail_of(reader, "id-003")
    assert "Input 1,003 · output 100, of which reasoning 40" in html
    kinds = re.search(r"Tokens by kind.*?</table>", html, re.DOTALL)
    assert kinds
    *parts, total = (int(text.replace(",", "")) for text in re.findall(r"<td>([\d,]+)</td><td>", kinds[0]))
    assert (sum(parts), total) == (1_103, 1_103)


def test_what_has_no_price_says_so(reader: Client, ledger: Instance) -> None:
    html = detail_of(reader, "id-002")
    assert "Its model had no price when it was booked." in html and "unpriced" in html and "$0" not in html


class TestCurrentPrices:
    """Since the records were booked one price has doubled, and the model that had none got one."""

    @pytest.fixture(autouse=True)
    def changed(self, ledger: Instance) -> None:
        ModelPrice.objects.update(multiplier=2)
        add_price("unpriced-FAKE", "1", "1")

    def test_each_row_tells_what_it_would_cost_now_and_what_was_booked(self, reader: Client) -> None:
        html = get(reader, "?basis=current")
        rows = [text_of(row) for row in re.findall(r"<tr class=.*?</tr>", html, re.DOTALL)]
        assert "$0.0043 recorded: $0.0022" in rows[3]
        assert "$0.0011 recorded: unpriced" in rows[2]
        assert "At current prices" in html and link(html, "basis") == "?"
        assert link(html, "older") and "basis=current" in (link(html, "older") or "")
        assert "recorded:" not in get(reader) and link(get(reader), "basis") == "?basis=current"

    def test_they_are_sorted_and_found_by_what_was_booked_and_say_so(self, reader: Client) -> None:
        asked = "?min_cost=0.0024&sort=-cost"
        html = get(reader, f"{asked}&basis=current")
        assert shown(html) == shown(get(reader, asked)) != []
        assert "Sorted by the recorded cost" in html and "Recorded cost ≥ $0.0024" in html
        assert "Recorded cost" not in get(reader, asked) and "Sorted by the recorded" not in get(reader, asked)

    def test_what_had_nothing_to_be_priced_is_as_it_was(self, reader: Client, ledger: Instance) -> None:
        book(ledger, payload(NOW, model="nobody-FAKE", request_id="free", failed=True, tokens={}))
        book(ledger, payload(NOW, model="nobody-FAKE", request_id="dear"))
        html = detail_of(reader, "dear", "?basis=current")
        assert "Its model has no price now." in html and "recorded:" not in html
        assert "No tokens, no cost." in detail_of(reader, "free", "?basis=current")

    def test_a_record_shows_how_its_cost_of_now_comes_about(self, reader: Client) -> None:
        html = detail_of(reader, "id-003", "?basis=current&sort=-cost")
        table = re.search(r"How the cost comes about.*?</table>", html, re.DOTALL)
        assert table and "Multiplier × 2 " in text_of(table[0]) and "0.004315" in table[0]
        assert "recorded: $0.0022" in text_of(html) and "was changed after" not in html
        pk = UsageRecord.objects.get(request_id="id-003").pk
        assert f'href="/records/{pk}/?sort=-cost"' in html
        assert '"nanousd": 2157500' in unescape(html)  # the raw record is the one that is stored
        assert f'href="/records/{pk}/?basis=current"' in detail_of(reader, "id-003")
        assert link(html, "record-older") == link(detail_of(reader, "id-003", "?sort=-cost"), "record-older").replace(
            "?", "?basis=current&"
        )  # type: ignore[union-attr]

    def test_csv_and_api_tell_the_same(self, reader: Client, api: APIClient) -> None:
        told = {
            row["id"]: row["est_cost_usd"]
            for row in csv.DictReader(io.StringIO(exported(reader, "basis=current")[1].removeprefix("\ufeff")))
        }
        answer = api.get("/api/records/", {"basis": "current", "limit": "200"}).json()
        assert answer["cost_basis"] == {"prices": "current"}
        assert {str(row["id"]): row["cost"]["usd"] for row in answer["records"]} == told
        assert len(told) == 120 and all(told.values())
        one = UsageRecord.objects.get(request_id="id-003")
        record = api.get(f"/api/records/{one.pk}/", {"basis": "current"}).json()
        assert record["cost"]["usd"] == record["cost_explanation"]["usd"] == told[str(one.pk)] == "0.004315000"
        assert record["client_request"]["records"][0]["cost"] == record["cost"]
        assert api.get(f"/api/records/{one.pk}/").json()["cost"]["nanousd"] == one.cost_nanousd == 2_157_500
        assert "basis=then" in str(api.get(f"/api/records/{one.pk}/", {"basis": "then"}).json()["basis"])


def test_a_failure_shows_code_icon_and_message_without_its_secrets(reader: Client, ledger: Instance) -> None:
    html = detail_of(reader, "id-010")
    assert 'class="pill fail"' in html and "429" in html and "slow down, [redacted]" in html
    same = re.search(r'href="/records/([^"]*)">Same error<', html)
    assert same and shown(get(reader, unescape(same[1]))) == numbers(*range(0, 120, 10))


def test_neighbours_are_those_of_the_list(reader: Client, ledger: Instance) -> None:
    ids = dict(UsageRecord.objects.values_list("request_id", "pk"))
    html = detail_of(reader, "id-030", "?code=429&range=24h")
    older = re.search(r'id="record-older"[^>]*href="([^"]*)"', html)
    newer = re.search(r'id="record-newer"[^>]*href="([^"]*)"', html)
    assert older and unescape(older[1]) == f"/records/{ids['id-040']}/?code=429&range=24h"
    assert newer and unescape(newer[1]) == f"/records/{ids['id-020']}/?code=429&range=24h"
    assert 'id="record-newer"' not in detail_of(reader, "id-000")
    dear = re.search(r'id="record-older"[^>]*href="/records/(\d+)/', detail_of(reader, "id-030", "?sort=-tokens"))
    assert dear and int(dear[1]) == ids["id-029"]


def test_what_else_came_at_that_time(reader: Client, ledger: Instance) -> None:
    html = unescape(detail_of(reader, "id-060", "?tz=Asia/Shanghai&channel=codex"))
    around = re.search(r'href="/records/(\?from=[^"]*)"', html)
    assert around and around[1] == "?from=2026-11-23T17:25&to=2026-11-23T17:35&tz=Asia/Shanghai"
    assert shown(get(reader, around[1])) == numbers(*range(56, 66))
    assert "11-23 17:30:00" in html and "Asia/Shanghai" in html


def test_a_part_of_the_page_is_for_the_drawer(reader: Client, ledger: Instance) -> None:
    html = detail_of(reader, "id-003", "?partial=1")
    assert "<html" not in html and html.strip().startswith("<article")
    assert "<html" in detail_of(reader, "id-003")


def test_a_record_comes_as_a_file(reader: Client, ledger: Instance) -> None:
    row = UsageRecord.objects.get(request_id="id-003")
    answer = reader.get(f"/records/{row.pk}/?format=json")
    assert answer["Content-Disposition"] == f'attachment; filename="record-{row.pk}.json"'
    assert answer.json()["request_id"] == "id-003"
    assert f'href="/records/{row.pk}/?format=json" download' in detail_of(reader, "id-003")


def test_a_websocket_says_what_its_id_means(reader: Client, ledger: Instance) -> None:
    book(ledger, payload(NOW, request_id="socket", endpoint="GET /v1/responses"))
    assert "each turn is a client request of its own" in detail_of(reader, "socket")


def test_no_page_shows_a_secret(reader: Client, ledger: Instance) -> None:
    book(ledger, payload(NOW, source=SECRET, api_key=CLIENT_KEY, request_id="secret"))
    for html in (get(reader), detail_of(reader, "secret"), detail_of(reader, "id-010"), exported(reader, "")[1]):
        assert SECRET not in html and CLIENT_KEY not in html


def test_who_is_not_signed_in_sees_nothing(client: Client, ledger: Instance) -> None:
    pk = UsageRecord.objects.first().pk  # type: ignore[union-attr]
    for path in ("/records/", f"/records/{pk}/", "/records/new/", "/records/?format=csv"):
        assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", ["/records/999999/", "/records/99999999999999999999/"])
def test_a_record_that_is_not_there_is_404(reader: Client, ledger: Instance, path: str) -> None:
    assert reader.get(path).status_code == 404


def exported(client: Client, query: str) -> tuple[str, str]:
    answer = client.get(f"/records/?format=csv&{query}")
    return answer["Content-Disposition"], b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def test_the_export_is_the_list(reader: Client, ledger: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_AT_ONCE", 7)
    header, text = exported(reader, "channel=claude&range=24h&sort=-latency")
    assert header == 'attachment; filename="usage-records_20261122T1030-20261123T1100_UTC.csv"'
    assert text.startswith("\ufeffid,requested_at,") and "\r\n" in text
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    asked = sorted((n for n in range(120) if n % 3 == 1), reverse=True)
    assert [row["request_id"] for row in rows] == [f"id-{number:03}" for number in asked]
    first = UsageRecord.objects.get(request_id="id-118")
    assert rows[0] | {"id": "", "account": ""} == rows[0] | {
        "id": "", "account": "", "requested_at": "2026-11-23T08:32:00+00:00", "channel": "claude", "failed": "false",
        "total_tokens": str(first.total_tokens), "est_cost_usd": "", "latency_ms": "120000", "api_key": "sk-t...0001",
    }  # fmt: skip
    known = {row.request_id: row.cost_nanousd for row in UsageRecord.objects.all()}
    assert all(Decimal(row["est_cost_usd"]) * 10**9 == known[row["request_id"]] for row in rows if row["est_cost_usd"])


def test_an_export_says_where_it_ends(reader: Client, ledger: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_MOST", 5)
    assert exported(reader, "")[1].splitlines()[-1] == "# only the first 5 records"
    monkeypatch.setattr(export, "_MOST", 120)
    assert not exported(reader, "")[1].splitlines()[-1].startswith("#")


def test_no_cell_of_an_export_is_a_formula(reader: Client, instance: Instance) -> None:
    book(instance, payload(NOW, model='=HYPERLINK("x")', request_id="+1"))
    ApiKey.objects.update(alias="@cmd")
    (row,) = csv.DictReader(io.StringIO(exported(reader, "")[1].removeprefix("\ufeff")))
    assert (row["model"], row["request_id"], row["api_key"]) == ('\'=HYPERLINK("x")', "'+1", "'@cmd")


def test_the_pages_hold_nothing_that_the_csp_forbids(reader: Client, ledger: Instance) -> None:
    retried(ledger)
    for html in (get(reader, "?cols=tier&q=id"), detail_of(reader, "id-010"), detail_of(reader, "id-003")):
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|https?://", html)
        names = Attributes(html).names
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*|viewbox|x[12]?|y[12]?", name) for name in names), names


@pytest.mark.parametrize("limit", [50, 200])
def test_the_list_needs_few_queries(
    reader: Client, ledger: Instance, django_assert_max_num_queries: Any, limit: int
) -> None:
    with django_assert_max_num_queries(47):
        get(reader, f"?limit={limit}&channel=codex")
