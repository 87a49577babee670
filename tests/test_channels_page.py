from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from channels_app.stats import ModelRow, Usage
from channels_app.stats.confidence import Confidence
from tests.pages import opened, rows, text
from tests.sample_usage import PRICE, TOKENS, make_sample_usage
from usage.ingest import grains, rollup
from usage.models import Account, Channel, Instance, ModelName, UsageRecord

# Half past: the records of the last hour lie in two hours of the rollup.
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TOKENS_EACH = sum(TOKENS)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def staff(client: Client, admin_user: Any) -> Client:
    client.force_login(admin_user)
    return client


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, timezone.now())
    Instance.objects.update(state=Instance.State.OK, state_since=NOW, synced_at=NOW - timedelta(seconds=8))
    return instance


def get(client: Client, query: str = "") -> str:
    answer = client.get(f"/channels/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


class Attributes(HTMLParser):
    """All attribute names; a quotation mark that ended a value too early makes strange ones."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names |= {name for name, _value in attributes}


class Table(HTMLParser):
    """The rows of the page's table: class of the row, its name, and the exact value of each column of figures (the first
    that stands there: a badge has more).
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self._column = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "tr":
            self.rows.append({"row": (given.get("class") or "").partition(" ")[0], "name": ""})
        elif tag == "td":
            self._column = given.get("class") or ""
        elif tag == "th":
            self._column = "name" if given.get("scope") == "row" else ""
        elif "data-value" in given and self.rows:
            self.rows[-1].setdefault(self._column, int(given["data-value"] or 0))

    def handle_data(self, data: str) -> None:
        if self._column == "name" and data.strip() and self.rows:
            self.rows[-1]["name"] = self.rows[-1]["name"] or data.strip()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["row"] == kind]

    @property
    def total(self) -> dict[str, Any]:
        return next(row for row in self.rows if row["name"] == "Total")


def page(client: Client, query: str = "", **extra: Any) -> str:
    answer = client.get(f"/channels/{query}", **extra)
    assert answer.status_code == 200
    return answer.content.decode()


def test_who_is_not_signed_in_goes_to_the_login_and_back(client: Client, db: None) -> None:
    answer = client.get("/channels/?range=24h")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/channels/%3Frange%3D24h")


def test_each_channel_is_a_row_and_the_unknown_one_is_last(reader: Client, sample: Instance) -> None:
    rows = Table(page(reader)).of("channel")
    assert [row["name"] for row in rows] == ["claude", "codex", "https://openrouter.ai/api/v1", "Unknown channel"]
    assert [row["requests"] for row in rows] == [102, 40, 20, 12]


@pytest.mark.parametrize("column", ["requests", "tokens", "input", "cached", "written", "output", "reasoning"])
def test_rows_add_up_to_the_total_and_accounts_to_their_channel(reader: Client, sample: Instance, column: str) -> None:
    table = Table(page(reader, "?open=claude&cols=written"))
    assert sum(row[column] for row in table.of("channel")) == table.total[column]
    claude = table.of("channel")[0]
    assert sum(row[column] for row in table.of("account")) == claude[column] > 0


def test_figures_are_the_sums_of_the_records(reader: Client, sample: Instance) -> None:
    claude = Table(page(reader)).of("channel")[0]
    uncached, read, written, output, reasoning = TOKENS
    assert claude["tokens"] == 102 * TOKENS_EACH
    assert claude["input"] == 102 * (uncached + read + written)
    assert claude["output"] == 102 * (output + reasoning)
    assert claude["cost"] == 102 * PRICE


@pytest.mark.parametrize("sort", ["name", "-name", "requests", "-requests", "cost", "-cost", "hit", "success"])
def test_the_unknown_channel_is_last_in_every_order(reader: Client, sample: Instance, sort: str) -> None:
    assert Table(page(reader, f"?sort={sort}")).of("channel")[-1]["name"] == "Unknown channel"


def test_sorting_is_marked_and_its_link_turns_it_round(reader: Client, sample: Instance) -> None:
    html = page(reader, "?sort=requests&open=claude&range=24h")
    assert html.count("aria-sort=") == 1 and 'aria-sort="ascending"' in html
    assert 'href="?open=claude&amp;range=24h&amp;sort=-requests"' in html
    assert 'href="?open=claude&amp;range=24h"' in html  # by tokens, which is the default


def test_the_share_follows_the_sorted_metric(reader: Client, sample: Instance) -> None:
    assert "Share of tokens" in page(reader)
    assert "Share of requests" in page(reader, "?sort=-requests")
    assert "Share of cost" in page(reader, "?sort=-cost")


def test_accounts_open_by_the_address(reader: Client, sample: Instance) -> None:
    assert not Table(page(reader)).of("account")
    html = page(reader, "?open=claude")
    assert [row["name"] for row in Table(html).of("account")][:2] == ["alice@example.com", "bob@example.com"]
    assert opened(html) == {"toggle-claude": 3}
    assert "Cooling down until 11-23 10:58" in html and "Disabled" in html


def test_an_account_opens_to_its_models(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=claude")
    key = re.search(r'id="toggle-(account-\d+)"', html)
    assert key
    html = page(reader, f"?open=claude,{key[1]}")
    models = Table(html).of("model")
    assert opened(html) == {"toggle-claude": 3, f"toggle-{key[1]}": 2}
    assert [(row["name"], row["requests"]) for row in models] == [("claude-opus-4-6", 60), ("claude-sonnet-4-5", 10)]


def test_the_unknown_channel_opens_to_its_sources(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=unknown")
    assert [row["name"] for row in Table(html).of("account")] == ["claude · sk-a...9f3c · 0f1e2d"]
    assert "m-unknown" in html and "</span> requests unmatched" in html


def test_expand_all_and_collapse_all(reader: Client, sample: Instance) -> None:
    html = page(reader)
    everything = re.search(r'id="expand-all" href="(.*?)"', html)
    assert everything
    html = page(reader, everything[1])
    assert len(Table(html).of("account")) == 6
    assert "Collapse all" in html


def test_what_has_no_price_is_never_zero(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert "unpriced" in html and "$0.00" not in html
    assert "Prices cover 75.0% of the tokens" in html  # codex: 30 of 40


def badges(html: str) -> dict[str, tuple[str, str]]:
    """By row, what the badge beside its cost says, and what opens beneath it."""
    found = re.findall(
        r'id="confidence-(\w[\w-]*|_total)" popovertarget="confidence-of-\1">(.*?)</button>[^\n]*\s*'
        r'<div class="popover" id="confidence-of-\1" popover>(.*?)</div>\s*</td>',
        html,
        re.DOTALL,
    )
    return {row: (words(badge), words(text)) for row, badge, text in found}


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_each_cost_says_how_far_it_can_be_trusted(reader: Client, sample: Instance) -> None:
    found = badges(page(reader, "?open=claude"))
    assert {row: badge for row, (badge, _text) in found.items() if not row.startswith("account")} == {
        "claude": "Prices cover it",
        "codex": "partial 75.0%",
        "openrouter-ai-api-v1": "unpriced",
        "unknown": "Prices cover it",
        "_total": "partial 82.8%",
    }
    assert sum(row.startswith("account") for row in found) == 3


def test_what_is_only_an_icon_stands_before_the_amount(reader: Client, sample: Instance) -> None:
    cells = re.findall(r'<td class="cost"[^>]*>(.*?)<div class="popover"', page(reader), re.DOTALL)
    amounts = {words(cell): cell.strip().startswith("<button") for cell in cells}
    assert amounts == {
        "Prices cover it $15.30": True, "partial 75.0% ≥ $4.50": True, "unpriced": True, "Prices cover it $1.80": True,
        "≥ $21.60 partial 82.8%": False,
    }  # fmt: skip


COVERAGE = "Price coverage: tokens that have a price ÷ all tokens. The others: requests ÷ all requests."


def test_badge_names_unpriced_models_and_the_quality_of_tokens(reader: Client, sample: Instance) -> None:
    silent = list(UsageRecord.objects.filter(model__name="mystery-model").values_list("pk", flat=True))[:2]
    UsageRecord.objects.filter(pk__in=silent).update(**dict.fromkeys(grains.TOKENS, 0))
    others = list(UsageRecord.objects.filter(model__name="gpt-5-codex").values_list("pk", flat=True))
    for pk, quality in zip(others, UsageRecord.Quality.values[1:], strict=False):
        UsageRecord.objects.filter(pk=pk).update(quality=quality)
    rollup.rebuild()
    _badge, text = badges(page(reader))["_total"]
    assert text == (
        "Price coverage 83.7% Without usage 2 · 1.1% Tokens complete 98.3% Tokens estimated 0.6% "
        "Tokens unclassified 0.6% Tokens inconsistent 0.6% "
        + COVERAGE
        + " Unpriced models mystery-model 1.80M gpt-5-codex 1.00M Prices"
    )
    whole = f"Price coverage 100% Without usage 0 · 0% Tokens complete 100% {COVERAGE}"
    assert badges(page(reader))["claude"][1] == whole


@pytest.mark.parametrize(
    ("priced", "level"), [(0, "unpriced"), (1, "partial"), (9_949, "partial"), (9_950, "sure"), (10_000, "sure")]
)
def test_confidence_begins_at_995_of_a_thousand_tokens(priced: int, level: str) -> None:
    usage = Usage(requests=2, uncached_input=10_000, priced_requests=min(priced, 1), priced_tokens=priced)
    assert Confidence(usage, []).level == level


def test_without_tokens_there_is_nothing_to_trust() -> None:
    assert Confidence(Usage(requests=2, failed=2, priced_requests=2), []).level == ""


def test_many_unpriced_models_are_cut_and_counted() -> None:
    rows = [ModelRow(f"m-{number % 12:02}", Usage(requests=1, uncached_input=number)) for number in range(24)]
    confidence = Confidence(Usage(requests=24, uncached_input=1), rows)
    assert confidence.unpriced[0] == ("m-11", 2, 34)
    assert (len(confidence.unpriced), confidence.more_unpriced) == (10, 2)


def test_a_channel_keeps_its_colour_and_shape(reader: Client, sample: Instance) -> None:
    html = page(reader, "?sort=name")
    assert re.search(r'class="marker f2"[^>]*><use href="#m-circle"/></svg><span class="name" title="claude"', html)
    assert re.search(r'class="marker f3"[^>]*><use href="#m-square"/></svg><span class="name" title="codex"', html)


@pytest.mark.parametrize(
    "query",
    [
        "?range=bogus",
        "?from=2026-13-01",
        "?from=2026-11-23&to=2026-11-01",
        "?days=-1",
        "?sort=nonsense",
        "?sort=-",
    ],
)
def test_what_cannot_be_read_is_a_warning(reader: Client, sample: Instance, query: str) -> None:
    html = page(reader, query)
    assert 'class="banner warn"' in html and "Last 7 days" in html
    assert len(Table(html).of("channel")) == 4


@pytest.mark.parametrize(
    "query", ["?open=,,nobody,%3Cscript%3E", "?range=&from=&to=", "?x=1", "?open=" + "a," * 500, "?from=0001-01-01"]
)
def test_odd_addresses_are_answered(reader: Client, sample: Instance, query: str) -> None:
    html = page(reader, query)
    assert "<script>" not in html and len(Table(html).of("channel")) == 4


def test_links_keep_a_custom_range(reader: Client, sample: Instance) -> None:
    html = page(reader, "?from=2026-11-23&to=2026-11-23")
    assert "11-23 00:00 – 11-23 10:30 (UTC)" in html and "Custom range" in html
    assert 'href="?from=2026-11-23&amp;sort=-requests&amp;to=2026-11-23"' in html
    assert 'value="2026-11-23"' in html


def test_days_are_those_of_the_report_zone(reader: Client, sample: Instance, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    html = page(reader, "?range=today")
    assert "11-23 00:00 – 11-23 18:30 (UTC+8)" in html and "UTC+8 <span" in html


@pytest.mark.parametrize(("name", "grows"), [("24h", True), ("7d", True), ("all", True), ("lastmonth", False)])
def test_only_a_period_with_now_in_it_renews_itself(reader: Client, sample: Instance, name: str, grows: bool) -> None:
    assert ("data-refresh" in page(reader, f"?range={name}")) == grows


def test_all_time_has_no_start(reader: Client, sample: Instance) -> None:
    assert "until 11-23 10:30 (UTC)" in page(reader, "?range=all")


def test_nothing_in_the_range_offers_wider_ones(reader: Client, sample: Instance) -> None:
    html = page(reader, "?range=yesterday&sort=-cost")
    assert "No requests: Yesterday" in html and 'href="?range=all&amp;sort=-cost"' in html and "<table" not in html


def test_an_empty_install_shows_the_steps(staff: Client) -> None:
    html = page(staff)
    assert "No CPA server is connected yet" in html and "No server yet" in html
    assert html.count('href="/setup/server/"') >= 2


def test_who_is_not_staff_is_not_sent_to_the_setup(reader: Client) -> None:
    html = page(reader)
    assert "An administrator has to do this step." in html and "/setup/server/" not in html and "/admin/" not in html


def test_a_server_without_records_is_checked_step_by_step(reader: Client, instance: Instance) -> None:
    Instance.objects.update(state=Instance.State.STATISTICS_OFF, statistics_enabled=False)
    html = page(reader)
    assert "No requests recorded yet" in html and "usage-statistics-enabled: true" in html


@pytest.mark.parametrize(
    ("seconds", "level", "text"),
    [
        (8, "ok", "Collecting · 8 s ago"),
        (120, "warn", "Delayed · 2 m ago"),
        (1800, "fail", "No data since 11-23 10:00"),
    ],
)
def test_the_chip_says_how_fresh_the_data_is(
    reader: Client, instance: Instance, seconds: int, level: str, text: str
) -> None:
    Instance.objects.update(state=Instance.State.OK, synced_at=NOW - timedelta(seconds=seconds))
    assert re.search(rf'class="chip {level}"[^>]*>.*?</svg>{text}<', page(reader))


def test_the_chip_shows_the_worst_server(staff: Client, instance: Instance) -> None:
    Instance.objects.update(state=Instance.State.OK, synced_at=NOW)
    broken = Instance(name="Broken", base_url="http://127.0.0.1:10", encrypted_key="x")
    broken.save()
    broken.enter(Instance.State.KEY_REJECTED, reason="the management key was refused")
    html = page(staff)
    assert re.search(r'class="chip fail" href="/collector/"', html)
    assert "Management key rejected" in html and 'role="alert"' in html
    Instance.objects.filter(pk=broken.pk).update(enabled=False)
    assert 'role="alert"' not in page(staff)


def test_names_lead_to_their_pages(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=claude&range=24h&status=ok")
    bob = Account.objects.get(label__startswith="bob")
    assert 'class="name" href="/channels/claude/?range=24h&amp;status=ok" title="claude"' in html
    assert f'class="name" href="/accounts/{bob.pk}/?range=24h&amp;status=ok"' in html
    assert 'href="/channels/unknown/?range=24h&amp;status=ok"' in html
    html = page(reader, f"?open=claude,account-{bob.pk}")
    opus = ModelName.objects.get(name="claude-opus-4-6")
    assert f'href="/models/{opus.pk}/?account={bob.pk}"' in html  # the figures of this row


def test_the_chart_above_the_table_is_by_channel(reader: Client, sample: Instance) -> None:
    html = page(reader, "?stack=share&metric=requests&open=claude")
    assert '<h2 id="chart-usage-title">Requests by channel</h2>' in html
    assert 'href="?metric=requests&amp;open=claude" data-swap>Bars' in html and 'aria-label="Grouped by"' not in html


def test_columns_can_be_added(reader: Client, sample: Instance) -> None:
    assert "Last used" in page(reader) and 'class="last"' not in page(reader)
    html = page(reader, "?open=claude&cols=last&cols=p50&cols=failed&cols=each")
    first = rows(html)[0]
    assert (first["failed"], first["last"], first["p50"], first["each"]) == ("9", "1 m ago", "—", "$0.1645")
    assert [row["last"] for row in rows(html) if row["row"] == "account"] == ["1 m ago"] * 3
    assert re.search(r'<input type="checkbox" form="columns" name="cols" value="p50" checked>', html)
    assert "ttft" in rows(page(reader, "?sort=ttft"))[0]  # what it is sorted by


def test_tokens_are_compared_where_that_column_is_shown(reader: Client, sample: Instance) -> None:
    for number, row in enumerate(UsageRecord.objects.filter(source__account__label__startswith="alice")[:35]):
        row.pk, row.dedup_key = None, f"before-{number}".encode()
        row.requested_at -= timedelta(days=1)
        row.save()
    rollup.rebuild()
    html = page(reader, "?range=24h&cols=delta&open=claude")
    claude, alice, bob = rows(html)[:3]
    assert (claude["delta"], alice["delta"], bob["delta"]) == ("+191.4%", "+100.0%", "new")
    assert {row["delta"] for row in rows(page(reader, "?range=24h&cols=delta&cmp=off"))} == {"—"}


def test_the_table_as_a_file_has_what_is_open(reader: Client, sample: Instance) -> None:
    alice = Account.objects.get(label__startswith="alice")
    answer = reader.get(f"/channels/?format=csv&range=24h&open=claude,account-{alice.pk}")
    assert answer["Content-Disposition"].startswith('attachment; filename="usage-channels_20261122T1030-20261123T1100_')
    lines = list(csv.DictReader(b"".join(answer).decode()[1:].splitlines()))  # type: ignore[arg-type]
    assert [(line["id"], line["part_of"]) for line in lines[:4]] == [
        ("claude", ""), (str(alice.pk), "claude"), ("claude-opus-4-6", str(alice.pk)), ("claude-sonnet-4-5", str(alice.pk)),
    ]  # fmt: skip
    assert sum(int(line["requests"]) for line in lines if not line["part_of"]) == 174
    assert lines[0]["success_rate"] == f"{93 / 102:.6f}".rstrip("0")
    told = reader.get("/channels/?format=json").json()
    assert [row["id"] for row in told["rows"]] == ["claude", "codex", "openrouter-ai-api-v1", "unknown"]


def test_two_servers_name_whose_account_it_is(reader: Client, sample: Instance) -> None:
    assert "Test CPA" not in page(reader, "?open=claude")
    second = Instance(name="Second CPA", base_url="http://127.0.0.1:11", encrypted_key="x")
    second.save()
    make_sample_usage(second, timezone.now())
    assert "Second CPA" in page(reader, "?open=claude")


def test_the_page_needs_few_queries(reader: Client, sample: Instance, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(54):
        page(reader, "?open=claude,codex,unknown")


def test_attributes_are_well_formed(reader: Client, sample: Instance) -> None:
    names = Attributes(page(reader, "?open=claude,unknown&range=bogus")).names
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*|viewbox|x[12]?|y[12]?", name) for name in names), names


def test_the_page_holds_nothing_that_the_csp_forbids(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=claude,unknown")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|https?://(?!openrouter)", html)
    answer = reader.get("/channels/")
    assert "style-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]


class TestIdleChannels:
    """Channels without requests in the period stand behind a link."""

    @pytest.fixture
    def idle(self, sample: Instance) -> None:
        _xai, kimi = (Channel.objects.create(name=name, kind="oauth") for name in ("xai", "kimi"))
        for at, state in enumerate(("active", "removed")):
            Account.objects.create(
                instance=sample, channel=kimi, label=f"{at}", state=state, listed_in="test", provider="kimi"
            )

    def test_they_are_counted_and_shown_when_asked_for(self, staff: Client, idle: None) -> None:
        html = get(staff)
        names = [row["name"] for row in rows(html)]
        assert "Show 2 idle channels" in html and not {"xai", "kimi"} & set(names)
        assert "3 channels" in text(html) and "5 accounts active of 6" in text(html)
        shown = get(staff, "?idle=1&sort=name")
        assert "Hide 2 idle channels" in shown
        found = rows(shown)
        assert [row["name"] for row in found] == [
            "claude", "codex", "https://openrouter.ai/api/v1", "kimi", "xai", "Unknown channel", "Total",
        ]  # fmt: skip
        assert found[3]["requests"] == "0" and found[3]["success"] == "—"
        assert rows(html)[-1] == rows(get(staff, "?idle=1"))[-1]

    def test_links_of_the_page_keep_them(self, staff: Client, idle: None) -> None:
        html = get(staff, "?idle=1")
        addresses = re.findall(r'id="(?:sort-requests|expand-all|csv)"[^>]*href="([^"]*)"', html)
        assert len(addresses) == 3 and all("idle=1" in address for address in addresses)

    def test_only_among_the_channels_asked_for(self, staff: Client, idle: None) -> None:
        assert "Show 1 idle channel<" in get(staff, "?channel=claude&channel=xai")
        assert "idle channel" not in get(staff, "?channel=claude")

    def test_another_filter_makes_nobody_idle(self, staff: Client, idle: None) -> None:
        assert "idle channel" not in get(staff, "?model=gpt-5-codex")


class TestMenusOfRows:
    def links(self, html: str, name: str) -> dict[str, str]:
        """Return what the menu of the first row of this name offers."""
        menu = re.findall(rf'aria-label="Actions: {re.escape(name)}".*?popover>(.*?)</span>', html)[0]
        return {label: unescape(address) for address, label in re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', menu)}

    def test_each_leads_on_with_the_scope(self, staff: Client, sample: Instance) -> None:
        html = get(staff, "?open=claude&range=30d&sort=-cost")
        alice = Account.objects.get(label="alice@example.com").pk
        assert self.links(html, "claude") == {
            "Open": "/channels/claude/?range=30d",
            "Filter by this": "?channel=claude&open=claude&range=30d&sort=-cost",
            "View records": "/records/?channel=claude&range=30d",
            "Edit name": "/settings/channels/#channel-claude",
        }
        assert self.links(html, "alice@example.com") == {
            "Open": f"/accounts/{alice}/?range=30d",
            "Filter by this": f"?account={alice}&open=claude&range=30d&sort=-cost",
            "View records": f"/records/?account={alice}&range=30d",
            "Edit name": f"/settings/names/?of=accounts&q=%23{alice}",
        }
        assert "alice@example.com" in (
            names := text(staff.get(self.links(html, "alice@example.com")["Edit name"]).content.decode())
        )
        assert "bob@example.com" not in names

    def test_each_address_answers_with_the_requests_of_its_row(self, staff: Client, sample: Instance) -> None:
        html = get(staff, "?open=claude,unknown")
        for row in rows(html)[:-1]:
            if row["row"] == "account" and row["name"].startswith("claude ·"):
                continue  # a source that nothing names cannot be asked for
            links = self.links(html, row["name"])
            filtered = get(staff, links["Filter by this"])
            assert rows(filtered)[-1]["requests"] == row["requests"]
            answer = staff.get(links["View records"])
            assert answer.status_code == 200
            found = staff.get("/api/usage/" + links["View records"].partition("/records/")[2])
            assert str(found.json()["total"]["requests"]) == row["requests"]

    def test_a_part_is_asked_for_with_what_it_is_a_part_of(self, staff: Client, sample: Instance) -> None:
        pk = ModelName.objects.get(name="claude-opus-4-6").pk
        html = staff.get(f"/models/?open=model-{pk}").content.decode()
        parts = re.findall(r'aria-label="Actions: claude".*?popover>(.*?)</span>', html)[0]
        assert 'href="/records/?channel=claude&amp;model=claude-opus-4-6"' in parts

    def test_unknown_is_not_named_and_readers_name_nothing(self, staff: Client, sample: Instance) -> None:
        assert "Edit name" not in self.links(get(staff), "Unknown channel")
        reader = Client()
        reader.force_login(get_user_model().objects.create_user("looks-only"))
        html = get(reader, "?open=claude")
        assert "View records" in html and "Edit name" not in html

    def test_what_is_filtered_by_already_offers_no_filter(self, staff: Client, sample: Instance) -> None:
        assert "Filter by this" not in self.links(get(staff, "?channel=claude"), "claude")

    @pytest.mark.parametrize("address", ["/", "/?open=claude", "/models/", "/keys/", "/channels/claude/"])
    def test_every_table_has_them(self, staff: Client, sample: Instance, address: str) -> None:
        html = staff.get(address).content.decode()
        ids = re.findall(r'id="(menu-[^"]*)" popover', html)
        assert len(ids) == len(set(ids)) > 0 and set(ids) == set(re.findall(r'popovertarget="(menu-[^"]*)"', html))
        assert not [one for one in ids if " " in one]


def test_another_colour_comes_before_another_shape(db: None) -> None:
    names = [("claude", "oauth"), ("codex", "oauth"), *((f"https://{n}.example/v1", "api_key") for n in "abcdefg")]
    channels = [Channel.objects.create(name=name, kind=kind) for name, kind in names]
    assert {channel.color_slot for channel in channels[:8]} == {*range(1, 9)}
    ninth = channels[8]
    assert all((one.color_slot, one.shape) != (ninth.color_slot, ninth.shape) for one in channels[:8])


def test_what_the_columns_mean_is_told_without_a_mouse(reader: Client, sample: Instance) -> None:
    html = page(reader)
    told = re.search(r'popovertarget="columns-explained".*?<dl class="lines">(.*?)</dl>', html, re.DOTALL)
    assert told
    meanings = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", told[1]))
    assert meanings["Reasoning"] == "Part of output" and meanings["Cache hit"] == "Cached ÷ input"
    assert meanings["p95"] == "95 of 100 answers took at most this long"
    # Each header has a button of its own, which opens the same list.
    heads = re.findall(r'<th scope="col" class="(\w+)" abbr="([^"]*)".*?</th>', html)
    assert [label for _key, label in heads] == [*meanings] and len(heads) > 10
    buttons = re.findall(r'popovertarget="columns-explained" data-about="(\w+)" aria-label="What is “([^”]*)”\?"', html)
    assert buttons == heads and [key for key, _label in heads] == re.findall(r'<div data-of="(\w+)">', told[1])


@pytest.mark.parametrize(
    ("address", "tables"),
    [
        ("/", ["channels"]), ("/records/", ["columns"]), ("/models/", ["columns"]), ("/keys/", ["columns"]),
        ("/channels/claude/", ["columns", "records"]), ("/errors/", ["groups", "accounts"]), ("/explore/", ["pivot"]),
    ],
)  # fmt: skip
def test_every_table_says_what_its_columns_mean(
    reader: Client, sample: Instance, address: str, tables: list[str]
) -> None:
    html = reader.get(address).content.decode()
    assert re.findall(r'class="popover explained" id="(\w+)-explained"', html) == tables
    for table in tables:
        listed = html[html.index(f'id="{table}-explained"') :].partition("</dl>")[0]
        asked = re.findall(rf'popovertarget="{table}-explained" data-about="([\w-]+)"', html)
        assert asked == re.findall(r'data-of="([\w-]+)"', listed) and len(asked) >= 3
        assert not re.search(r"<dd></dd>", listed)


def test_accounts_have_a_line_of_their_own(reader: Client, sample: Instance) -> None:
    for number, row in enumerate(UsageRecord.objects.filter(source__account__label="alice@example.com")[:20]):
        row.pk, row.dedup_key = None, f"before-{number}".encode()
        row.requested_at -= timedelta(days=2)
        row.save()
    rollup.rebuild()
    html = page(reader, "?open=claude,unknown")
    lines = re.findall(r'<tr[^>]* class="(channel|account)[^"]*">.*?<td class="trend"[^>]*>(.*?)</td>', html, re.DOTALL)
    drawn = [bool(line) for kind, line in lines if kind == "account"]
    assert drawn == [True, True, True, False]  # of a source nobody knows whose it is
    alice, bob = (line for kind, line in lines[1:3])
    assert alice != bob
