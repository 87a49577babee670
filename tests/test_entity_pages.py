"""The page of one channel, account, model or client key."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests.factories import auth_file, auth_files, list_names
from tests.factories import sample as sample_list
from tests.pages import exact, rows, text
from tests.sample_usage import PRICE, TOKENS, make_sample_usage
from usage.ingest import rollup
from usage.models import Account, ApiKey, Instance, ModelName, ModelPrice, PriceMultiplier, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
EACH = sum(TOKENS)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    """Of its 174 requests alice's have a key with a name, bob's one without; a day before there was one more of each."""
    make_sample_usage(instance, timezone.now())
    keys = [
        ApiKey.objects.create(key_digest=bytes([number]) * 16, key_mask=f"sk-t...000{number}", alias=alias)
        for number, alias in enumerate(["Frontend", ""])
    ]
    for account, key in zip(("alice", "bob"), keys, strict=True):
        UsageRecord.objects.filter(source__account__label__startswith=account).update(api_key=key)
    rollup.rebuild()
    return instance


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def card(html: str, key: str) -> str:
    found = re.search(rf'id="card-{key}">(.*?)</div>\s*(?=<div class="kpi|</section>)', html, re.DOTALL)
    assert found
    return text(found[1])


def value(html: str, key: str) -> str:
    found = re.search(r'<p class="value">(.*?)</p>', html[html.index(f'id="card-{key}"') :])
    assert found
    return text(found[1])


def account(label: str) -> str:
    return f"/accounts/{Account.objects.get(label__startswith=label).pk}/"


def model(name: str) -> str:
    return f"/models/{ModelName.objects.get(name=name).pk}/"


def key(mask: str) -> str:
    return f"/keys/{ApiKey.objects.get(key_mask=mask).pk}/"


ADDRESSES = (
    lambda: "/channels/claude/", lambda: "/channels/unknown/", lambda: account("alice"),
    lambda: model("claude-opus-4-6"), lambda: key("sk-t...0000"), lambda: "/keys/0/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "requests", "tabs"),
    [
        (lambda: "/channels/claude/", 102, "Accounts 3 Models 2 API keys 3 Endpoints 1 Errors 1"),
        (lambda: "/channels/unknown/", 12, "Accounts 1 Models 1 API keys 1 Endpoints 1 Errors 0"),
        (lambda: account("alice"), 70, "Models 2 API keys 1 Endpoints 1 Errors 1"),
        (lambda: model("claude-opus-4-6"), 104, "Channels 2 Accounts 4 API keys 3 Endpoints 1 Errors 1"),
        (lambda: key("sk-t...0000"), 70, "Models 2 Channels 1 Accounts 1 Endpoints 1 Errors 1"),
        (lambda: "/keys/0/", 74, "Models 3 Channels 4 Accounts 4 Endpoints 1 Errors 0"),
    ],
)
def test_the_figures_are_those_of_its_records(
    reader: Client, sample: Instance, address: Any, requests: int, tabs: str
) -> None:
    html = page(reader, address())
    assert value(html, "requests") == str(requests)
    assert f'data-value="{requests * EACH}"' in html
    assert text(html[html.index('aria-label="Broken down by"') :].partition("</nav>")[0]).endswith(tabs)
    total = next(row for row in rows(html) if row["name"] == "Total")
    assert int(total["requests"]) == requests == sum(exact(html, "requests")[:-1])


def test_requests_without_a_key_have_the_mark_that_lists_give_them(reader: Client, sample: Instance) -> None:
    own = re.search(r'id="entity-title"[^>]*>(<svg.*?</svg>)', page(reader, "/keys/0/"))
    listed = re.search(r'</a>(<svg.*?</svg>)<a class="name" href="/keys/0/', page(reader, "/keys/?key=0"))
    assert own and listed and own[1] == listed[1]


def test_there_is_no_page_of_what_is_not_there(reader: Client, sample: Instance) -> None:
    for address in ("/channels/nothing/", "/accounts/987654/", "/models/987654/", "/keys/987654/"):
        assert reader.get(address).status_code == 404
    reader.logout()
    assert reader.get("/channels/claude/")["Location"] == "/login/?next=/channels/claude/"


def test_it_is_locked_and_cannot_be_chosen(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/?model=claude-opus-4-6&channel=codex")
    assert re.search(r'<span class="chip locked">.*?Channel: claude</span>', html)
    assert 'id="channel-menu"' not in html and 'id="model-menu"' in html
    assert value(html, "requests") == "92"
    assert 'href="?" data-swap>Clear all' in html  # without channel=claude, which the page itself says
    html = page(reader, account("alice") + "?channel=codex&server=nothing")
    assert 'id="account-menu"' not in html and 'id="channel-menu"' not in html and "not found" not in html
    assert value(html, "requests") == "70"


def test_a_form_is_sent_on_to_the_address_without_what_is_locked(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/")
    assert '<input type="hidden" name="channel" value="claude">' in html  # its choices of accounts are narrowed
    answer = reader.get("/channels/claude/?channel=claude&model=claude-opus-4-6&from=&apply=model")
    assert answer["Location"] == "/channels/claude/?model=claude-opus-4-6"


def test_the_way_back_keeps_the_filters(reader: Client, sample: Instance) -> None:
    html = page(reader, account("alice") + "?range=24h&status=ok&view=key&metric=cost")
    heading = html[html.index("<h1") : html.index("</h1>")]
    assert 'href="/channels/?range=24h&amp;status=ok">Channels</a>' in heading
    assert 'href="/channels/claude/?range=24h&amp;status=ok">claude</a>' in heading
    assert html.count('aria-current="page"') == 1


def test_the_row_that_was_clicked_has_the_same_figures(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/?view=model&range=24h")
    found = re.search(r'<a class="name" href="([^"]*)" title="claude-opus-4-6"', html)
    assert found
    address = found[1].replace("&amp;", "&")
    assert address == model("claude-opus-4-6") + "?channel=claude&range=24h"
    row = next(row for row in rows(html) if row["name"] == "claude-opus-4-6")
    assert value(page(reader, address), "requests") == str(row["requests"]) and row["requests"] == "92"


def test_tabs_are_links_and_one_is_shown(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/?view=key&sort=name")
    assert (
        'href="?sort=name" data-swap>Accounts' in html
        and 'href="?sort=name&amp;view=key" data-swap aria-current="true">API keys' in html
    )
    assert [row["name"] for row in rows(html)] == ["Frontend", "No key", "sk-t...0001", "Total"]
    assert "view=nothing was not found" in page(reader, "/channels/claude/?view=nothing")
    assert "no column “nothing”" in page(reader, "/channels/claude/?sort=nothing")


def test_failures_by_code(reader: Client, sample: Instance) -> None:
    UsageRecord.objects.filter(failed=True, source__account__label__startswith="bob").update(status_code=429)
    rollup.rebuild()
    html = page(reader, "/channels/claude/?view=code")
    assert [(row["name"], row["requests"]) for row in rows(html)] == [("429", "8"), ("No status", "1"), ("Total", "9")]
    assert "No failed requests in this period" in page(reader, "/channels/codex/?view=code")
    # By how many there are, until somebody wants another order.
    assert 'href="?sort=requests&amp;view=code"' in html and 'href="?sort=-tokens&amp;view=code"' in html
    assert 'href="?sort=-cost"' in page(reader, "/channels/claude/?view=code&sort=-cost")
    assert 'id="view-1" href="?"' in html and 'id="view-5" href="?view=code"' in page(reader, "/channels/claude/")


def facts(html: str) -> str:
    """What the head of a page says."""
    return text(html[html.index('<dl class="facts">') :].partition("</dl>")[0])


def test_plan_priority_and_note_are_those_that_the_server_tells(reader: Client, instance: Instance) -> None:
    lists = {name: sample_list(f"key_list_{name}") for name in ("claude_api_key", "openai_compatibility")}
    list_names(instance, auth_files=sample_list("auth_files_v7"), **lists)
    team, carol = (Account.objects.get(file_name__contains=part) for part in ("team", "carol"))
    dave = facts(page(reader, f"/accounts/{team.pk}/"))
    assert "Plan team" in dave and "Note team seat" in dave and "Priority" not in dave
    assert "Priority 10" in facts(page(reader, f"/accounts/{carol.pk}/"))
    codex = facts(page(reader, "/channels/codex/"))
    assert "Plan plus: 1 · team: 1" in codex and "Priority" not in codex
    assert "Priority 10" in facts(page(reader, "/channels/claude/"))
    told = Account.objects.exclude(priority=None).values_list("listed_in", "priority")
    assert set(told) == {("auth-files", 10), ("claude-api-key", 20), ("openai-compatibility", 1)}
    reader.post("/preferences/privacy/", {"privacy": "on"})
    assert "Note" not in facts(page(reader, f"/accounts/{team.pk}/"))  # it may say whose it is


@pytest.mark.parametrize(
    ("priority", "kept"), [(-3, -3), (0, 0), (True, None), ("7", None), (1.5, None), (2**31, None)]
)
def test_a_priority_is_a_whole_number(instance: Instance, priority: Any, kept: int | None) -> None:
    note = "for sk-FAKE-upstream-0001"
    list_names(instance, auth_files=auth_files(auth_file("a.json", "kimi", priority=priority, note=note)))
    row = Account.objects.get()
    assert (row.priority, row.note, row.plan) == (kept, "for [redacted]", "")


def test_what_a_server_tells_no_more_is_forgotten(reader: Client, instance: Instance) -> None:
    for priority in (3, 8, None):
        files = [auth_file(f"{number}.json", "kimi", priority=priority and priority + number) for number in range(2)]
        list_names(instance, auth_files=auth_files(*files))
        shown = facts(page(reader, "/channels/kimi/"))
        assert (f"Priority {priority} – {priority + 1}" in shown) if priority else ("Priority" not in shown)
    list_names(instance, auth_files=auth_files(auth_file("0.json", "kimi", priority=5)))
    Account.objects.filter(state=Account.State.REMOVED).update(priority=1)
    assert "Priority 5 " in facts(page(reader, "/channels/kimi/"))


def test_endpoints_are_those_of_the_latest_requests(reader: Client, sample: Instance) -> None:
    html = page(reader, account("bob") + "?view=endpoint")
    assert re.search(
        r'<th scope="row" class="words">POST /v1/messages</th><td class="number"[^>]*><span data-value="30"', html
    )
    assert "of the latest" not in html  # these are all


def test_names_by_which_a_model_was_asked_for(reader: Client, sample: Instance) -> None:
    assert "Requested as" not in page(reader, model("gpt-5-codex"))
    alias = ModelName.objects.create(name="gpt-main")
    some = UsageRecord.objects.filter(model__name="gpt-5-codex").values_list("pk", flat=True)[:25]
    UsageRecord.objects.filter(pk__in=list(some)).update(alias=alias)
    html = page(reader, model("gpt-5-codex"))
    assert "gpt-main 25 gpt-5-codex 15" in text(
        html[html.index('aria-labelledby="names-title"') :].partition("</section>")[0]
    )


def test_prices_of_a_model(reader: Client, sample: Instance, django_user_model: Any) -> None:
    ModelPrice.objects.create(pattern="gpt-5-*", input=Decimal("1.25"), output=10)
    ModelPrice.objects.create(pattern="other", input=1, output=1)
    html = page(reader, model("gpt-5-codex"))
    section = html[html.index('aria-labelledby="prices-title"') :].partition("</section>")[0]
    assert "gpt-5-*" in section and "1.25" in section and "other" not in section and "Edit price" not in section
    assert "Set price" not in page(reader, model("mystery-model"))
    reader.force_login(django_user_model.objects.create_user("boss", is_staff=True))
    assert "Edit price" in page(reader, model("gpt-5-codex"))
    assert 'href="/prices/add/?model=mystery-model">Set price' in page(reader, model("mystery-model"))


def test_what_is_known_of_an_account(reader: Client, sample: Instance) -> None:
    bob = Account.objects.get(label__startswith="bob")
    PriceMultiplier.objects.create(channel=bob.channel, factor=Decimal("0.3"))
    html = text(page(reader, f"/accounts/{bob.pk}/"))
    assert "Cooling down until 11-23 10:58" in html and "Multiplier × 0.3" in html
    assert "Last used 1 m ago First used 11-23" in html and "Server Test CPA" in html


def test_what_is_known_of_a_channel(reader: Client, staff: Client, sample: Instance) -> None:
    html = page(staff, "/channels/claude/")
    assert "Kind OAuth Accounts Active: 1 · Cooling down: 1 · Disabled: 1" in text(html)
    assert 'href="/settings/channels/#channel-claude">Edit' in html


def test_what_was_not_used_says_so_and_tells_what_is_known(reader: Client, sample: Instance) -> None:
    html = page(reader, account("alice") + "?range=yesterday")
    assert "No requests match Account: alice@example.com (Yesterday)" in html and "Clear filters" not in html
    assert 'class="kpi' not in html and "First used" in html


def test_the_last_ten_requests_and_the_way_to_all(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/?range=24h")
    section = html[html.index('aria-labelledby="records-title"') :]
    newest = list(
        UsageRecord.objects.filter(source__channel__slug="claude")
        .order_by("-requested_at", "-id")
        .values_list("pk", flat=True)[:10]
    )
    assert [int(pk) for pk in re.findall(r'href="/records/(\d+)/', section)] == newest
    assert 'href="/records/?channel=claude&amp;range=24h">All records' in section


def test_cards_lead_on_with_the_same_filters(reader: Client, sample: Instance) -> None:
    html = page(reader, "/channels/claude/")
    links = dict(re.findall(r'id="card-(\w+)">\s*<div class="label"><h2><a href="([^"]*)"', html))
    assert links == {
        "requests": "/records/?channel=claude", "success": "/errors/?channel=claude",
        "tokens": "/explore/?by=type&amp;channel=claude", "cost": "/explore/?channel=claude&amp;metric=cost",
        "cache": "/models/?channel=claude&amp;sort=-hit", "speed": "/models/?channel=claude&amp;sort=-speed",
        "latency": "/explore/?channel=claude&amp;mode=scatter&amp;y=latency",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "by"),
    [
        (lambda: "/channels/claude/", "Tokens by account"), (lambda: account("alice"), "Tokens by model"),
        (lambda: model("claude-opus-4-6"), "Tokens by channel"), (lambda: key("sk-t...0000"), "Tokens by model"),
    ],
)  # fmt: skip
def test_the_chart_is_by_the_next_dimension(reader: Client, sample: Instance, address: Any, by: str) -> None:
    html = page(reader, address())
    assert f'<h2 id="chart-usage-title">{by}</h2>' in html
    assert '<h2 id="chart-success-title">Success rate</h2>' in html and "The axis begins at" in html
    assert "Cost by type" not in page(reader, address() + "?by=type&metric=cost")  # types are those of tokens


def test_costs_at_current_prices(reader: Client, sample: Instance) -> None:
    ModelPrice.objects.create(pattern="*", input=0, output=0, per_request=Decimal("0.5"))
    html = page(reader, account("alice") + "?basis=current")
    assert "$35.00" in card(html, "cost") and [row["cost"] for row in rows(html)][-1].startswith(
        "Prices cover it $35.00"
    )


def test_the_table_as_a_file(reader: Client, sample: Instance) -> None:
    answer = reader.get("/channels/claude/?format=csv&range=24h")
    assert answer["Content-Disposition"].startswith('attachment; filename="usage-channel-accounts_')
    content = b"".join(answer).decode()  # type: ignore[arg-type]
    assert content.startswith("\ufeff")
    lines = list(csv.DictReader(content[1:].splitlines()))
    alice = Account.objects.get(label__startswith="alice")
    assert lines[0]["id"] == str(alice.pk) and lines[0]["name"] == "alice@example.com"
    assert lines[0]["requests"] == "70" and lines[0]["est_cost_usd"] == f"{Decimal(70 * PRICE).scaleb(-9):.9f}"
    assert sum(int(line["total_tokens"]) for line in lines) == 102 * EACH
    told = json.loads(reader.get("/channels/claude/?format=json&view=model").content)
    assert [row["name"] for row in told["rows"]] == ["claude-opus-4-6", "claude-sonnet-4-5"]
    assert told["meta"]["filters"] == [["channel", "claude"]] and told["meta"]["currency"] == "USD"
    assert told["rows"][0]["success_rate"] == round(83 / 92, 6)


def test_old_days_are_days_and_new_ones_hours(reader: Client, sample: Instance) -> None:
    row = UsageRecord.objects.filter(source__account__label="team@example.org").first()
    assert row
    UsageRecord.objects.filter(source__account__label="team@example.org").exclude(pk=row.pk).delete()
    for days, shown in ((0.2, "5 h ago"), (3, "3 d ago")):
        UsageRecord.objects.filter(pk=row.pk).update(requested_at=NOW - timedelta(days=days))
        rollup.rebuild()
        assert f"Last used {shown}" in text(page(reader, "/channels/codex/?range=7d"))


@pytest.mark.parametrize("address", ADDRESSES)
def test_pages_speak_chinese_and_stay_light(reader: Client, sample: Instance, address: Any) -> None:
    reader.cookies["django_language"] = "zh-hans"
    html = page(reader, address())
    assert "最近请求" in html and "首次使用" in html
    assert len(re.findall(r"<script(?![^>]*src=)", html)) == 0 and " style=" not in html


@pytest.mark.parametrize("section", ["chart", "latency", "success"])
def test_the_values_of_each_chart_are_a_file(reader: Client, sample: Instance, section: str) -> None:
    answer = reader.get(f"/channels/claude/?format=json&section={section}&range=24h")
    assert f'filename="usage-channel-{section}_' in answer["Content-Disposition"]
    assert len(json.loads(b"".join(answer))["rows"]) > 1  # type: ignore[arg-type]
