"""The filter bar: an address says all of it, its links and its form lead to addresses that say it again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from channels_app.address import Address
from channels_app.filter_bar import choices
from channels_app.filter_bar.bar import FilterBar
from channels_app.filter_bar.scope import read_scope
from channels_app.filter_bar.shift import exact, shifted
from channels_app.period import RANGES, Period, read_period
from tests.factories import book, payload
from tests.sample_usage import make_sample_usage
from tests.test_channels_page import Table
from usage.models import Account, ApiKey, Channel, Instance, ModelName, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe")]
DAYS = {"min": "2026-11-23", "max": "2026-11-23"}
SECRET = "sk-FAKE-client-key-000000000001"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, timezone.now())
    return instance


def get(client: Client, query: str = "", path: str = "/channels/") -> str:
    answer = client.get(path + query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def links(html: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'href="(\?[^"#]*)', html)]


def field(html: str, id: str) -> dict[str, str]:
    """What is asked and told at a field: its attributes but for those that it always has."""
    found = re.search(rf'<input ([^>]*id="{id}"[^>]*)>', html)
    always = ("id", "name", "type", "inputmode", "autocomplete", "placeholder", "aria-label")
    return (
        {name: value for name, value in re.findall(r'([\w-]+)="([^"]*)"', found[1]) if name not in always}
        if found
        else {}
    )


def total(html: str) -> int:
    return int(Table(html).total["requests"])


def test_figures_follow_each_filter(reader: Client, sample: Instance) -> None:
    alice = Account.objects.get(label="alice@example.com").pk
    expected = {
        "?channel=codex": 40, "?channel=claude&channel=codex": 142, "?channel=unknown": 12, f"?account={alice}": 70,
        "?model=claude-opus-4-6": 104, "?status=fail": 9, "?status=ok": 165, "?status=fail&channel=claude": 9,
        "?key=0": 174, f"?account={alice}&model=claude-sonnet-4-5": 10,
    }  # fmt: skip
    assert {query: total(get(reader, query)) for query in expected} == expected


def test_a_code_is_one_of_failures(reader: Client, sample: Instance) -> None:
    UsageRecord.objects.all().delete()
    for number, code in enumerate((429, 429, 503)):
        book(sample, payload(NOW, failed=True, fail={"status_code": code}, request_id=str(number)))
    html = get(reader, "?code=429&range=1h")
    assert total(html) == 2
    assert "Code: 429" in html and "Status: 429" in html
    assert total(get(reader, "?code=5xx&range=1h")) == 1


def test_what_is_set_is_a_chip_that_a_link_takes_off(reader: Client, sample: Instance) -> None:
    alice = Account.objects.get(label="alice@example.com").pk
    html = get(reader, f"?channel=claude&channel=codex&account={alice}&range=24h&sort=-cost")
    assert re.findall(r'title="Remove this filter">(.*?)<svg', html) == [
        "Account: alice@example.com", "Channel: claude", "Channel: codex",
    ]  # fmt: skip
    found = links(html)
    assert f"?account={alice}&channel=codex&range=24h&sort=-cost" in found
    assert "?range=24h&sort=-cost" in found  # Clear all
    assert (
        '<span class="name">Channel: 2</span>' in html
        and '<span class="name">Account: alice@example.com</span>' in html
    )


def test_choices_are_counted_in_the_period_and_the_chosen_are_ticked(reader: Client, sample: Instance) -> None:
    html = get(reader, "?channel=codex&status=fail")
    ticked = re.findall(r'name="(?!cols")(\w+)" value="([^"]*)" checked', html)
    assert ticked == [("channel", "codex"), ("status", "fail")]
    counts = re.findall(r'name="channel" value="([^"]+)".*?data-value="(\d+)"', html)
    assert dict(counts) == {"codex": "40", "claude": "102", "openrouter-ai-api-v1": "20", "unknown": "12"}


def test_accounts_are_those_of_the_chosen_channels(reader: Client, sample: Instance) -> None:
    def offered(query: str) -> set[str]:
        numbers = re.findall(r'name="account" value="(\d+)"', get(reader, query))
        return set(Account.objects.filter(pk__in=numbers).values_list("label", flat=True))

    assert offered("?channel=codex") == {"team@example.org"}
    assert len(offered("")) == 5
    assert len(offered("?channel=unknown")) == 0


def test_the_server_is_a_question_only_where_there_are_two(reader: Client, sample: Instance) -> None:
    assert 'id="server-menu"' not in get(reader)
    other = Instance.objects.create(name="Second", base_url="http://127.0.0.1:10", encrypted_key="x")
    make_sample_usage(other, timezone.now())
    html = get(reader, f"?server={other.slug}")
    assert 'id="server-menu"' in html and total(html) == 174


def test_the_most_are_offered_and_others_are_found(reader: Client, sample: Instance, monkeypatch: Any) -> None:
    monkeypatch.setattr(choices, "MOST", 2)
    html = get(reader, "?channel=unknown")
    assert re.findall(r'name="channel" value="([^"]+)"', html) == ["unknown", "claude"]
    assert "2 more: type to find them" in html
    part = get(reader, "?channel=unknown&q=CODE", "/filters/channel/")
    assert re.findall(r'name="channel" value="([^"]+)"', part) == ["codex"]
    assert "None in this period" in get(reader, "?q=nothing", "/filters/model/")


def test_choices_need_a_login_and_a_filter(client: Client, reader: Client) -> None:
    assert reader.get("/filters/status/").status_code == reader.get("/filters/x/").status_code == 404
    assert Client().get("/filters/channel/").status_code == 302


def test_a_form_is_sent_on_to_the_address_that_says_the_same(reader: Client, sample: Instance) -> None:
    sent = "?sort=-cost&from=&from_time=&to=&to_time=&channel=codex&channel=claude&status=&apply=channel&range=24h"
    answer = reader.get(f"/channels/{sent}")
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/channels/?channel=claude&channel=codex&range=24h&sort=-cost",
    )
    times = "?from=2026-11-20&from_time=08:30&to=2026-11-21&to_time=&apply=range&range=24h"
    assert reader.get(f"/channels/{times}")["Location"] == "/channels/?from=2026-11-20T08:30&to=2026-11-21"


def test_what_a_form_says_wrongly_is_told_before_it_is_gone(reader: Client, sample: Instance) -> None:
    html = get(reader, "?from=2026-11-20&from_time=08:30&to=2026-11-01&apply=range")
    assert "End is before start. Showing: Last 7 days" in html
    # At its field too, which keeps what was written.
    assert (
        '<details class="menu range" open>' in html and '<p class="error" id="to-wrong">End is before start</p>' in html
    )
    assert field(html, "to") == {"value": "2026-11-01", "aria-invalid": "true", "aria-describedby": "to-wrong"} | DAYS
    assert field(html, "from") == {"value": "2026-11-20"} | DAYS and field(html, "from-time") == {"value": "08:30"}
    assert "range=" not in "".join(links(html)) or '<details class="menu range">' in get(reader)


@pytest.mark.parametrize(
    ("path", "query", "name", "words"),
    [
        ("/channels/", "?from=soon", "from", "from=soon is neither a date"),
        ("/records/", "?to=2026-11-23T25:00", "to", "to=2026-11-23T25:00 is neither a date"),
        ("/records/", "?min_cost=dear", "min_cost", "min_cost=dear is no number"),
        ("/explore/", "?mode=scatter&max_latency=x", "max_latency", "max_latency=x is no number"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(
    reader: Client, sample: Instance, path: str, query: str, name: str, words: str
) -> None:
    html = get(reader, query, path)
    found = field(html, name)
    assert (found["aria-invalid"], found["aria-describedby"]) == ("true", f"{name}-wrong")
    told = re.findall(r'<p class="error" id="([\w-]+)-wrong">([^<]*)', html)
    assert [one for one, _text in told] == [name] and words in told[0][1]
    assert words in html[html.index('<p class="banner warn" role="status">') :].partition("</p>")[0]


@pytest.mark.parametrize("query", ["?range=ever", "?days=many", "?channel=nowhere", "?status=odd", "?code=9xx"])
def test_a_wrong_choice_is_told_in_its_menu(reader: Client, sample: Instance, query: str) -> None:
    name, _is, value = query[1:].partition("=")
    menu = {"days": "range", "code": "status"}.get(name, name)
    html = get(reader, query)
    assert f'aria-describedby="{menu}-wrong"' in html
    assert f'<p class="error" id="{menu}-wrong">{name}={value} ' in html


def test_days_to_choose_from_begin_with_the_first_sum(reader: Client, instance: Instance) -> None:
    assert field(get(reader), "from") == {} and 'id="from"' not in get(reader)  # nothing is asked of nothing
    book(instance, payload(datetime(2026, 9, 30, 20, tzinfo=UTC)))
    UsageRecord.objects.all().delete()  # pruned: its sums stay
    book(instance, payload(NOW))
    assert field(get(reader), "from") == {"value": "", "min": "2026-09-30", "max": "2026-11-23"}
    there = field(get(reader, "?tz=Pacific/Auckland"), "to")
    assert (there["min"], there["max"]) == ("2026-09-30", "2026-11-23")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?channel=nowhere", "channel=nowhere was not found"),
        ("?account=99999&account=x", "account=x was not found"),
        ("?tz=Mars/Olympus", "Mars/Olympus is no time zone"),
        ("?tz=..%2Fetc", "is no time zone"),
        ("?tz=America", "is no time zone"),
        ("?cmp=never", "cmp=never is none of"),
        ("?key=sk-secret", "key=sk-secret was not found"),
        ("?code=9xx", "code=9xx was not found"),
    ],
)
def test_what_means_nothing_is_dropped_with_a_warning(reader: Client, sample: Instance, query: str, words: str) -> None:
    html = get(reader, query)
    assert words in html and total(html) == 174
    wrong = query[1:].partition("&")[0]
    assert not [one for one in links(html) if wrong in one]


def test_another_zone_cuts_days_elsewhere_and_shows_its_times(reader: Client, sample: Instance) -> None:
    html = get(reader, "?tz=Asia/Shanghai&range=today")
    assert "11-23 00:00 – 11-23 18:30 (UTC+8)" in html
    assert 'UTC+8 <span class="place">Asia/Shanghai' in html
    assert all("tz=Asia/Shanghai" in address for address in links(html) if "range=30d" in address)
    book(sample, payload(datetime(2026, 11, 22, 17, tzinfo=UTC), request_id="of their today"))
    assert total(get(reader, "?tz=Asia/Shanghai&range=today")) == 175
    assert total(get(reader, "?range=today")) == 174
    assert timezone.get_current_timezone_name() == "UTC"


def test_nothing_that_matches_names_the_filters(reader: Client, sample: Instance) -> None:
    html = get(reader, "?channel=codex&status=fail&range=24h")
    assert "No requests match Channel: codex, Status: Failed (Last 24 hours)" in html
    assert "?range=24h" in links(html) and "?channel=codex&range=30d&status=fail" in links(html)


def test_navigation_keeps_the_scope_and_drops_what_is_of_the_page(reader: Client, sample: Instance) -> None:
    html = unescape(get(reader, "?channel=codex&range=24h&open=codex&sort=-cost&tz=Asia/Shanghai"))
    assert 'href="/records/?channel=codex&range=24h&tz=Asia/Shanghai"' in html
    assert 'href="/?channel=codex&range=24h&tz=Asia/Shanghai" title="Overview"' in html
    assert 'href="/records/"' in get(reader)


def test_every_link_of_a_page_leads_to_a_page_without_warnings(reader: Client, sample: Instance) -> None:
    found = set(
        links(get(reader, "?channel=claude&range=24h&open=claude&cmp=week&from=2026-11-22T08:00&to=2026-11-23"))
    )
    assert len(found) > 25
    for address in found:
        if "format=" not in address:  # a file
            assert '<p class="banner warn" role' not in get(reader, address), address


def test_no_key_is_in_an_address_or_a_menu(reader: Client, instance: Instance) -> None:
    book(instance, payload(NOW, api_key=SECRET))
    key = ApiKey.objects.get()
    html = get(reader, f"?key={key.pk}&range=1h")
    assert SECRET not in html and f"API key: {key.key_mask}" in html
    ApiKey.objects.update(alias="frontend")
    assert "API key: frontend" in get(reader, f"?key={key.pk}&range=1h")


def test_odd_names_are_words_and_not_markup(reader: Client, instance: Instance) -> None:
    name = '<script>"&x=1;,#%'
    book(instance, payload(NOW, model=name))
    html = get(reader, "?range=1h")
    assert "<script>" not in html
    query = QueryDict(mutable=True)
    query["model"] = name
    html = get(reader, f"?{query.urlencode()}&range=1h")
    assert total(html) == 1 and "<script>" not in html
    assert total(get(reader, next(one for one in links(html) if "30d" in one))) == 1


def test_the_bar_is_there_before_anything_is_recorded(reader: Client, instance: Instance) -> None:
    assert 'class="filters"' not in get(reader)  # steps instead


words = st.text("abcé&=?,~: 1", min_size=1, max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["channel", "model", "range"]), words)))
def test_an_address_is_read_as_it_was_written(parameters: list[tuple[str, str]]) -> None:
    address = Address(tuple(parameters))
    read = QueryDict(str(address)[1:])
    assert sorted((name, value) for name in read for value in read.getlist(name)) == sorted(parameters)
    assert str(Address(tuple(sorted(parameters, reverse=True)))) == str(Address(tuple(sorted(parameters))))


def test_parts_of_an_address_are_set_added_and_dropped() -> None:
    address = Address((("a", "1"), ("b", "2"), ("a", "3")))
    assert str(address) == "?a=1&a=3&b=2"
    assert str(address.setting("a", "9")) == "?a=9&b=2"
    assert str(address.setting("a", "")) == str(address.without("a")) == "?b=2"
    assert str(address.removing("a", "3")) == "?a=1&b=2"
    assert str(address.only(("b",))) == "?b=2"


@given(st.sampled_from(sorted(RANGES.keys() - {"all"})), st.sampled_from(ZONES), st.sampled_from([1, -1]))
def test_a_period_shifted_there_and_back_is_the_same(name: str, zone: ZoneInfo, steps: int) -> None:
    period = read_period({"range": name}, zone, NOW)
    if name == "mtd":
        return  # a whole month is beside a part of one
    beside = _period(shifted(period, steps), zone)
    edge = (beside.since, period.until) if steps > 0 else (beside.until, period.since)
    assert edge[0] == edge[1]
    again = _period(shifted(beside, -steps), zone)
    assert (again.since, again.until) == (period.since, period.until)


@given(st.sampled_from(sorted(RANGES.keys() - {"all"})), st.sampled_from(ZONES))
def test_an_exact_period_is_the_same_for_ever(name: str, zone: ZoneInfo) -> None:
    period = read_period({"range": name}, zone, NOW)
    again = _period(exact(period), zone)
    assert (again.since, again.until) == (period.since, period.until)


def _period(ends: tuple[str, str], zone: ZoneInfo) -> Period:
    return read_period({"from": ends[0], "to": ends[1]}, zone, NOW)


@pytest.mark.parametrize(("name", "steps", "ends"), [
    ("mtd", -1, ("2026-10-01", "2026-10-31")), ("lastmonth", 1, ("2026-11-01", "2026-11-30")),
    ("lastmonth", -1, ("2026-09-01", "2026-09-30")), ("7d", -1, ("2026-11-10", "2026-11-16")),
    ("1h", -1, ("2026-11-23T08:00", "2026-11-23T09:30")),
])  # fmt: skip
def test_the_period_beside(name: str, steps: int, ends: tuple[str, str]) -> None:
    assert shifted(read_period({"range": name}, ZONES[0], NOW), steps) == ends


def test_a_scope_says_itself_again_without_defaults(db: None) -> None:
    Channel.objects.create(name="codex", kind="oauth")
    ModelName.objects.create(name="m")
    query = QueryDict("tz=UTC&cmp=prev&range=7d&model=m&channel=codex&days=&x=1")
    assert str(read_scope(query, NOW).address) == "?channel=codex&model=m"
    scope = read_scope(QueryDict("days=30&cmp=off&tz=Asia/Shanghai&range=1h"), NOW)
    assert str(scope.address) == "?cmp=off&days=30&tz=Asia/Shanghai"
    assert scope.compared is None and scope.period.zone.key == "Asia/Shanghai"


def test_a_page_that_compares_offers_what_with(db: None) -> None:
    scope = read_scope(QueryDict("cmp=week&range=24h"), NOW)
    html = render_to_string("filter_bar/bar.html", {"bar": FilterBar(scope, scope.address, compares=True)})
    assert 'id="compare"' in html and "vs weeks before" in html
    assert {"?range=24h", "?cmp=off&range=24h", "?cmp=week&range=24h"} <= set(links(html))
    assert scope.compared and scope.compared.until < scope.period.since
    quiet = render_to_string("filter_bar/bar.html", {"bar": FilterBar(scope, scope.address)})
    assert 'id="compare"' not in quiet
