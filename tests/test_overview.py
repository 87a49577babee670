from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from tests.factories import book, payload
from tests.pages import opened
from tests.sample_usage import PRICE, TOKENS, make_sample_usage
from tests.test_channels_page import Attributes
from usage.ingest import rollup
from usage.models import ApiKey, Channel, CollectionGap, FailureText, Instance, ModelPrice, Source, UsageRecord
from usage.models.record import NO_KEY

# Half past: the records of the last hour lie in two hours of the rollup.
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TOKENS_EACH = sum(TOKENS)
REQUESTS = 174
_CELL = re.compile(r"<td([^>]*)>")


def test_the_chart_leads_to_its_requests_and_to_explore(reader: Client, sample: Instance) -> None:
    html = page(reader, "?metric=failed&by=key&model=claude-opus-4-6&tz=UTC&stack=share")
    chart = attributes(html, "chart-usage")
    assert chart["data-records"] == "/records/?model=claude-opus-4-6&status=fail"
    assert chart["data-scale"] == "0"  # bars as high as the plot
    assert attributes(page(reader, "?tz=Asia/Shanghai"), "chart-usage")["data-zone"] == "Asia/Shanghai"
    links = section(html, "chart-usage-title")
    explore = "/explore/?by=key&amp;metric=failed&amp;model=claude-opus-4-6&amp;view=share"
    assert f'href="{explore}"' in links and 'section=chart&amp;stack=share" download>Chart data as CSV' in links
    assert "by API key" in reader.get(unescape(explore)).content.decode()
    assert re.findall(r'data-condition="([^"]*)"', links) == [f"key={NO_KEY}"]  # nobody of the sample has one
    by_channel = section(page(reader), "chart-usage-title")
    assert re.findall(r'data-condition="([^"]*)"', by_channel) == [
        "channel=claude", "channel=codex", "channel=openrouter-ai-api-v1", "channel=unknown",
    ]  # fmt: skip
    assert "data-condition" not in section(page(reader, "?by=type"), "chart-usage-title")


def test_one_of_the_legend_alone_and_all_again(reader: Client, sample: Instance) -> None:
    alone = attributes(page(reader), "only-usage-2")["href"]
    html = page(reader, alone)
    assert "Hidden: claude, openrouter.ai/api/v1, Unknown channel" in text(html).replace("https://", "")
    assert attributes(html, "only-usage-2")["href"] == "?"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, timezone.now())
    Instance.objects.update(state=Instance.State.OK, state_since=NOW, synced_at=NOW - timedelta(seconds=8))
    return instance


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def card(html: str, key: str) -> str:
    """The words of a card."""
    found = re.search(rf'id="card-{key}">(.*?)</div>\s*(?=<div class="kpi|</section>)', html, re.DOTALL)
    assert found
    return text(found[1])


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def attributes(html: str, name: str) -> dict[str, str]:
    """Those of the element with this id."""
    found = re.search(rf'<[^<>]* id="{name}"[^<>]*>', html)
    assert found
    return {key: unescape(value) for key, value in re.findall(r' ([a-z-]+)="([^"]*)"', found[0])}


def section(html: str, name: str) -> str:
    """What stands under the heading with this id."""
    found = re.search(rf'aria-labelledby="{name}".*?</section>', html, re.DOTALL)
    assert found
    return found[0]


def columns(html: str, chart: str = "usage") -> dict[str, list[int | None]]:
    """The numbers of a chart's table, by the name of the column."""
    found = re.search(rf'id="numbers-{chart}".*?</table>', html, re.DOTALL)
    assert found
    head, _, body = found[0].partition("<tbody>")
    names = [unescape(name) for name in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', head)][1:]
    rows = [
        [int(value[1]) if (value := re.search(r'data-value="(\d+)"', cell)) else None for cell in _CELL.findall(row)]
        for row in body.split("<tr>")[1:]
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def total(values: list[int | None]) -> int:
    return sum(value or 0 for value in values)


def channel_rows(html: str) -> list[tuple[str, dict[str, int]]]:
    """Each channel with its figures."""
    bodies = re.findall(r'<tbody id="channel-(.*?)".*?>(.*?)</tbody>', section(html, "channels-title"), re.DOTALL)
    return [
        (
            slug,
            {name: int(value) for name, value in re.findall(r'<td class="(\w+)"[^>]*><span data-value="(\d+)"', body)},
        )
        for slug, body in bodies
    ]


def book_days_ago(days: int, requests: int, **changed: Any) -> None:
    """Copy records of the sample into the past."""
    rows = list(UsageRecord.objects.all()[:requests])
    for number, row in enumerate(rows):
        row.pk, row.dedup_key = None, f"{days}-{number}".encode()
        row.requested_at -= timedelta(days=days)
        for name, value in changed.items():
            setattr(row, name, value)
    UsageRecord.objects.bulk_create(rows)
    rollup.rebuild()


def test_home_is_the_overview(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert "<h1" in html and 'href="/" title="Overview" aria-current="page"' in html
    assert html.count('aria-current="page"') == 1


def test_who_is_not_signed_in_goes_to_the_login(client: Client, db: None) -> None:
    assert client.get("/?range=24h")["Location"] == "/login/?next=/%3Frange%3D24h"


def test_an_empty_install_shows_the_steps_and_no_cards(client: Client, admin_user: Any) -> None:
    client.force_login(admin_user)
    html = page(client)
    assert "No CPA server is connected yet" in html and 'href="/setup/server/"' in html
    assert 'class="kpi' not in html and "<table" not in html


def test_a_server_without_records_is_checked_step_by_step(reader: Client, instance: Instance) -> None:
    Instance.objects.update(state=Instance.State.STATISTICS_OFF, statistics_enabled=False)
    html = page(reader)
    assert "No requests recorded yet" in html and "usage-statistics-enabled: true" in html
    assert 'class="kpi' not in html


def test_the_cost_says_how_far_it_can_be_trusted_and_what_the_cache_saved(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert re.search(r'id="confidence-total"[^>]*>partial 82.8%<', html)
    assert "mystery-model" in html[html.index('id="confidence-of-total"') :][:2_000]
    assert re.search(r"saved ≈ \$[\d.]+", card(html, "cache"))


def test_costs_at_current_prices(reader: Client, sample: Instance) -> None:
    assert 'href="?basis=current" data-swap>Show costs at current prices' in page(reader)
    ModelPrice.objects.create(pattern="*", input=0, output=0, per_request=Decimal("0.5"))
    html = page(reader, "?basis=current")
    assert "$87.00" in card(html, "cost") and "At current prices" in html
    assert "$21.60" in card(page(reader), "cost")
    assert "basis=nonsense was not found" in page(reader, "?basis=nonsense")


def test_nothing_that_fits_offers_more(reader: Client, sample: Instance) -> None:
    html = page(reader, "?range=yesterday&model=gpt-5-codex&by=model")
    assert "No requests match Model: gpt-5-codex (Yesterday)" in html
    assert 'href="?by=model&amp;model=gpt-5-codex&amp;range=all"' in html
    assert 'href="?by=model&amp;range=yesterday" data-swap>Clear filters' in html


def test_the_cards_tell_the_sums_of_the_records(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert f"{REQUESTS} — vs previous 165 succeeded 9 failed" in card(html, "requests")
    assert "94.8%" in card(html, "success")
    assert f'data-value="{REQUESTS * TOKENS_EACH}"' in html
    assert "in 16.4M out 1.04M" in card(html, "tokens")
    assert f'data-value="{144 * PRICE}"' in html and "≥" in card(html, "cost")
    assert "covers 82.8% of tokens" in card(html, "cost")  # 30 of 174 have no price
    assert "85.1%" in card(html, "cache")  # 80 of 94


def test_client_requests_are_told_of_a_month_at_most(reader: Client, sample: Instance) -> None:
    UsageRecord.objects.filter(failed=False).update(request_id="")
    rollup.rebuild()
    assert "client-level" not in card(page(reader), "success")  # nobody knows which belong together
    for number, row in enumerate(UsageRecord.objects.all()):
        UsageRecord.objects.filter(pk=row.pk).update(request_id=f"{number:08x}")
    rollup.rebuild()
    assert "client-level 94.8%" in card(page(reader, "?range=30d"), "success")
    assert "client-level" not in card(page(reader, "?range=90d"), "success")


def test_there_are_eight_cards_with_words_about_each(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert re.findall(r'id="card-(\w+)"', html) == [
        "requests", "success", "tokens", "cost", "cache", "latency", "speed", "peak",
    ]  # fmt: skip
    assert html.count('popovertarget="about-') == 8 and "an estimate, not a bill" in card(html, "cost")


def test_latencies_can_be_drawn_on_a_logarithmic_scale(reader: Client, sample: Instance) -> None:
    UsageRecord.objects.update(latency_ms=4_000, ttft_ms=500)
    figure = re.compile(r'<figure class="chart" id="chart-latency".*?</figure>', re.DOTALL)
    linear, log = (figure.findall(reader.get(address).content.decode())[0] for address in ("/", "/?log=1&range=24h"))
    assert '<a class="item" href="?log=1">Log scale</a>' in linear
    assert '<a class="item" href="?range=24h">Linear scale</a>' in log
    ticks = [re.findall(r'<text x="100%" y="[^"]*" dy=".32em">([^<]*)<', some) for some in (linear, log)]
    assert ticks[0][0] == "0 s" and ticks[1][0] != "0 s"
    assert re.findall(r'class="end"[^>]*>([^<]*)<', log) == ["p95", "p50", "First token p50"]


def test_what_was_never_timed_has_no_latency(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert 'aria-label="no data"' in html and "no timed requests" in card(html, "latency")
    assert "no timed requests" in card(html, "speed")


def test_few_timed_requests_are_doubted(reader: Client, sample: Instance) -> None:
    first = UsageRecord.objects.filter(failed=False).first()
    UsageRecord.objects.filter(pk=first.pk if first else 0).update(latency_ms=1500, ttft_ms=300)
    html = page(reader)
    assert "1.50 s" in card(html, "latency") and "p50 1.50 s first token p50 300 ms few requests" in card(
        html, "latency"
    )
    assert 'class="kpi few" id="card-latency"' in html
    samples = section(html, "chart-latency-title").partition("data-samples>Samples</th>")[2]
    assert samples.count('<td data-value="1">1</td></tr>') == 1 and samples.count('<td data-value="0">0</td></tr>') == 6


def test_the_busiest_minute_is_told(reader: Client, sample: Instance) -> None:
    assert "(TPM). — on average <0.1 RPM" in card(page(reader), "peak")  # nothing is known is not nothing
    book(sample, payload(NOW - timedelta(minutes=1), request_id="1"))  # whose hour is read again
    html = page(reader)
    assert '<span title="11-23 10:28">167</span> <small>RPM' in html and "at most 16.7M TPM" in card(html, "peak")
    around = "/explore/?from=2026-11-23T09:58&amp;metric=requests&amp;to=2026-11-23T10:58"
    assert f'<a href="{around}">Peak rate' in html
    assert "per minute · Requests" in reader.get(unescape(around)).content.decode()


@pytest.mark.parametrize(
    ("requests", "shown", "spoken", "level"),
    [(87, "100.0%", "up by 100.0%", ""), (174, "≈ 0%", "about the same", ""), (0, "—", "", "")],
)
def test_a_figure_is_compared_with_the_period_before(
    reader: Client, sample: Instance, requests: int, shown: str, spoken: str, level: str
) -> None:
    book_days_ago(30, 1)  # there was something before
    book_days_ago(7, requests)
    words = card(page(reader), "requests")
    assert f"{REQUESTS} {shown if requests else 'new'}" in words and spoken in words


def test_rates_change_by_points_and_say_whether_that_is_good(reader: Client, sample: Instance) -> None:
    book_days_ago(30, 1)
    book_days_ago(7, 100, failed=True)
    html = page(reader)
    assert "94.8 pp" in card(html, "success") and "up by 94.8 pp" in card(html, "success")
    assert re.search(r'id="card-success">.*?class="delta ok"', html, re.DOTALL)
    assert re.search(r'id="card-tokens">.*?class="delta "', html, re.DOTALL)


def test_what_cannot_be_compared_says_why(reader: Client, sample: Instance) -> None:
    assert "has no records at its beginning" in page(reader)
    book_days_ago(30, 1)
    CollectionGap.objects.create(
        instance=sample, since=NOW - timedelta(days=9), until=NOW - timedelta(days=8), cause="away"
    )
    assert "the period before has a collection gap" in page(reader)
    html = page(reader, "?cmp=off")
    assert "vs previous" not in card(html, "requests") and "Period before" not in html


def test_the_bars_add_up_to_the_cards(reader: Client, sample: Instance) -> None:
    for query, whole in (
        ("", REQUESTS * TOKENS_EACH),
        ("?metric=requests", REQUESTS),
        ("?metric=failed", 9),
        ("?metric=cost", 144 * PRICE),
        ("?by=type", REQUESTS * TOKENS_EACH),
        ("?by=model", REQUESTS * TOKENS_EACH),
        ("?by=key", REQUESTS * TOKENS_EACH),
        ("?range=24h", REQUESTS * TOKENS_EACH),
        ("?range=1h", REQUESTS * TOKENS_EACH),
        ("?range=30d&stack=share", REQUESTS * TOKENS_EACH),
        ("?range=all", REQUESTS * TOKENS_EACH),
    ):
        found = columns(page(reader, query))
        found.pop("Period before", None)
        totals = found.pop("Total")
        assert (query, total(totals), sum(map(total, found.values()))) == (query, whole, whole)


def test_the_chart_is_drawn_without_javascript(reader: Client, sample: Instance) -> None:
    html = page(reader)
    chart = section(html, "chart-usage-title")
    assert re.search(r'<path class="f2" d="M[\d.]+ 1000V\d+h0.86', chart)  # claude
    assert '<details class="numbers" id="numbers-usage" open>' in chart
    assert 'role="img" aria-label="Tokens by channel, per hour: 17.4M in total' in chart


def test_the_running_interval_and_gaps_are_hatched(reader: Client, sample: Instance) -> None:
    assert 'fill="url(#p-running)"' in page(reader) and 'fill="url(#p-gap)"' not in page(reader)
    gap = CollectionGap.objects.create(
        instance=sample, since=NOW - timedelta(hours=31), until=NOW - timedelta(hours=29), cause="away"
    )
    html = page(reader)
    chart = section(html, "chart-usage-title")
    assert 'width="1.190%" height="100%" fill="url(#p-gap)"' in chart  # two hours of 168
    assert "no data collected 11-22 03:30–05:30" in chart
    assert "Usage between 11-22 03:30 and 11-22 05:30 may be lost" in html  # the banner names the same times
    assert columns(html)["claude"][123:126] == [0, None, 0]
    gap.delete()
    assert 'fill="url(#p-gap)"' not in page(reader, "?range=yesterday")


def test_the_period_before_is_dashed(reader: Client, sample: Instance) -> None:
    book_days_ago(7, 174)
    html = page(reader)
    assert total(columns(html)["Period before"]) == REQUESTS * TOKENS_EACH
    assert 'class="line compared"' in html
    assert 'class="line compared"' not in page(reader, "?stack=share")


def test_a_hidden_series_is_neither_drawn_nor_counted(reader: Client, sample: Instance) -> None:
    html = page(reader)
    link = re.search(r'id="legend-usage-1" href="(.*?)"', html)
    assert link and link[1] == "?hide=claude"
    chart = section(page(reader, link[1]), "chart-usage-title")
    assert '<path class="f2"' not in chart and "Hidden: claude" in chart and "Period before" not in chart
    assert total(columns(page(reader, link[1]))["Total"]) == (REQUESTS - 102) * TOKENS_EACH
    assert 'href="?"' in chart  # shows it again


def test_the_channels_are_those_of_the_channels_page(reader: Client, sample: Instance) -> None:
    html = page(reader)
    rows = channel_rows(html)
    assert [slug for slug, _figures in rows] == ["claude", "codex", "openrouter-ai-api-v1", "unknown"]
    assert [figures["requests"] for _slug, figures in rows] == [102, 40, 20, 12]
    assert sum(figures["tokens"] for _slug, figures in rows) == REQUESTS * TOKENS_EACH
    assert "unpriced" in section(html, "channels-title") and "$0.00" not in html
    assert 'href="/channels/">All channels' in html


def test_the_unknown_channel_is_last_and_can_be_assigned(reader: Client, sample: Instance) -> None:
    assert ">Assign" not in page(reader)
    reader.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    for metric in ("tokens", "failed", "cost"):
        html = page(reader, f"?metric={metric}")
        assert channel_rows(html)[-1][0] == "unknown"
        assert 'href="/channels/?open=unknown#row-unknown">Assign' in html


def test_a_channel_opens_to_its_accounts(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=claude")
    table = section(html, "channels-title")
    names = re.findall(
        r'<tr id="[\w-]+" class="account shut">\s*<th scope="row"><span class="line"><a class="name" href="/accounts/\d+/" title="(.*?)"',
        table,
    )
    assert names == [
        "alice@example.com", "bob@example.com", "很长的账号名-用于测试截断的账号@example.com.cn",
    ]  # fmt: skip
    assert opened(html) == {"toggle-claude": 3} and 'href="?#channel-claude"' in table
    assert 'title="Share of the channel"' in table


def test_nine_channels_are_eight_and_one_others(reader: Client, sample: Instance, instance: Instance) -> None:
    for number in range(9):
        channel = Channel.objects.create(name=f"extra {number}", kind=Channel.Kind.API_KEY)
        source = Source.objects.create(instance=instance, provider=f"p{number}", channel=channel)
        row = UsageRecord.objects.first()
        assert row
        row.pk, row.source, row.dedup_key = None, source, f"extra {number}".encode()
        row.save()
    rollup.rebuild()
    html = page(reader)
    rows = channel_rows(html)
    assert [slug for slug, _figures in rows][-2:] == ["other", "unknown"] and len(rows) == 10
    assert sum(figures["tokens"] for _slug, figures in rows) == (REQUESTS + 9) * TOKENS_EACH
    assert "Other (4)" in section(html, "channels-title") and "The largest 7 of 12" in html


def test_the_lists_follow_the_metric(reader: Client, sample: Instance) -> None:
    key = ApiKey.objects.create(key_digest=b"1", key_mask="sk-a…0001", alias="Laptop")
    UsageRecord.objects.filter(source__account__label="bob@example.com").update(api_key=key)
    rollup.rebuild()
    html = page(reader, "?metric=requests")
    models = re.findall(r'<a class="name" href="/models/\d+/" title="(.*?)"', section(html, "top-models"))
    assert models == ["claude-opus-4-6", "gpt-5-codex", "mystery-model", "claude-sonnet-4-5"]
    assert re.findall(r'<a class="name" href="/keys/\d+/" title="(.*?)"', section(html, "top-keys")) == [
        "No key",
        "Laptop",
    ]
    assert re.findall(r'data-value="(\d+)"', section(html, "top-accounts")) == ["70", "40", "30", "20", "12"]
    assert "unpriced" in section(page(reader, "?metric=cost"), "top-models")


def test_the_heatmap_has_real_headers(reader: Client, sample: Instance) -> None:
    html = section(page(reader, "?metric=requests"), "heatmap-title")
    assert html.count('scope="row"') == 7 and html.count('scope="col"') == 25
    assert 'title="Mon 09:00 · 30"' in html or 'title="Mon 10:00' in html
    assert "average of each hour" in html


def test_the_heatmap_has_a_metric_of_its_own(reader: Client, sample: Instance) -> None:
    heat = section(page(reader, "?heat=requests"), "heatmap-title")
    assert "Requests by weekday and hour" in heat and 'title="Mon 10:00 · 174"' in heat
    assert re.findall(r'"step-\d">([^<]*)', heat) == ["≥ 174"]  # there is but one
    assert 'href="?heat=requests&amp;metric=cost"' in page(reader, "?heat=requests")
    assert re.findall(r'id="heat-\d" href="([^"]*)"', heat) == ["?", "?heat=cost", "?heat=requests", "?heat=failed"]
    assert 'href="?metric=requests"' in page(reader, "?heat=requests")  # which both have then
    assert "Est. cost by weekday" in section(page(reader, "?metric=cost"), "heatmap-title")
    months = section(page(reader, "?heat=requests&range=90d"), "heatmap-title")
    assert 'title="Mon 10:00 · ' in months  # asked for itself, where the chart is of days
    assert "heat=nonsense was not found" in page(reader, "?heat=nonsense")


def test_the_last_errors_are_told_without_their_tail(reader: Client, sample: Instance) -> None:
    failed = UsageRecord.objects.filter(failed=True)
    failed.update(status_code=429)
    FailureText.objects.create(record=failed.latest("requested_at"), text="Rate limit reached\nsecond line")
    errors = section(page(reader), "errors-title")
    assert errors.count("<li>") == 5 and "Rate limit reached" in errors and "second line" not in errors
    assert "429" in errors and "claude · claude-opus-4-6" in text(errors)
    assert "No failed requests in this period" in page(reader, "?status=ok")


def test_filters_hold_for_all_of_it(reader: Client, sample: Instance) -> None:
    html = page(reader, "?channel=codex")
    assert [slug for slug, _figures in channel_rows(html)] == ["codex"]
    assert card(html, "requests").count("40") and total(columns(html)["codex"]) == 40 * TOKENS_EACH
    assert 'href="/channels/?channel=codex"' in html and 'href="?channel=codex&amp;metric=cost"' in html
    assert 'data-zoom="?channel=codex"' in html


@pytest.mark.parametrize(
    "query",
    [
        "?range=bogus",
        "?metric=nonsense",
        "?by=x",
        "?stack=x",
        "?cmp=x",
        "?channel=nobody",
        "?from=2026-11-23&to=2026-11-01",
    ],
)
def test_what_cannot_be_read_is_a_warning(reader: Client, sample: Instance, query: str) -> None:
    html = page(reader, query)
    assert '<p class="banner warn" role="status">' in html and len(channel_rows(html)) == 4


@pytest.mark.parametrize(
    "query", ["?open=,,%3Cscript%3E", "?hide=%3Cscript%3E,a", "?range=&metric=&by=", "?x=1", "?from=0001-01-01"]
)
def test_odd_addresses_are_answered(reader: Client, sample: Instance, query: str) -> None:
    html = page(reader, query)
    assert "<script>" not in html and len(channel_rows(html)) == 4


def test_types_are_of_tokens_alone(reader: Client, sample: Instance) -> None:
    html = page(reader, "?by=type")
    assert 'href="?metric=cost"' in html  # which is by channel again
    assert "Tokens by type" in html and 'class="t-cached"' in html
    assert "Est. cost by channel" in page(reader, "?by=type&metric=cost")


def test_a_collector_that_stopped_is_told(reader: Client, sample: Instance) -> None:
    Instance.objects.update(synced_at=NOW - timedelta(hours=2))
    html = page(reader)
    assert 'role="alert"' in html and "No data since 11-23 08:30" in html


def test_what_nobody_reads_any_more_is_no_zero(reader: Client, sample: Instance) -> None:
    Instance.objects.update(synced_at=NOW - timedelta(hours=3))
    html = page(reader, "?range=24h&bucket=1h&metric=requests")
    chart = section(html, "chart-usage-title")
    assert "no data collected 11-23 07:30–10:30" in chart and 'fill="url(#p-gap)"' in chart
    assert columns(html)["claude"][-4:] == [0, None, None, 102]  # of the last hour something had come
    assert 'class="gap" title="Mon 09:00 · no data collected"' in html
    Instance.objects.update(enabled=False)  # nobody wants it to be read
    assert 'fill="url(#p-gap)"' not in page(reader, "?range=24h")


@pytest.mark.parametrize(("name", "grows"), [("24h", True), ("7d", True), ("all", True), ("yesterday", False)])
def test_only_a_period_with_now_in_it_renews_itself(reader: Client, sample: Instance, name: str, grows: bool) -> None:
    assert ("data-refresh" in page(reader, f"?range={name}")) == grows


def test_days_are_those_of_the_report_zone(reader: Client, sample: Instance, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    html = page(reader, "?range=today")
    assert "11-23 00:00 – 11-23 18:30 (UTC+8)" in html and "11-23 17:45–18:00" in html


def test_attributes_are_well_formed(reader: Client, sample: Instance) -> None:
    names = Attributes(page(reader, "?open=claude&range=bogus")).names
    assert all(
        re.fullmatch(r"[a-z]+(-[a-z]+)*|viewbox|preserveaspectratio|pattern\w+|[xy][12]?|d[xy]?", name)
        for name in names
    ), names


def test_the_page_holds_nothing_that_the_csp_forbids(reader: Client, sample: Instance) -> None:
    html = page(reader, "?open=claude")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|https?://(?!openrouter)", html)


def test_the_page_needs_few_queries(reader: Client, sample: Instance, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(80):
        page(reader, "?open=claude")


def test_the_page_stays_light(reader: Client, sample: Instance) -> None:
    assert len(gzip.compress(page(reader).encode())) < 120 * 1024


@pytest.mark.parametrize(("name", "kilobytes"), [("charts.css", 4), ("overview.css", 3), ("charts.js", 9)])
def test_assets_stay_light(name: str, kilobytes: int) -> None:
    folder = Path(__file__).parent.parent / "channels_app" / "static" / "channels_app"
    assert len(gzip.compress((folder / name).read_bytes())) <= kilobytes * 1024


def test_recent_errors_open_beside_the_page_among_failures(reader: Client, sample: Instance) -> None:
    html = page(reader, "?channel=claude&range=24h")
    links = re.findall(r'<a class="when" id="record-(\d+)" data-drawer href="/records/(\d+)/(\?[^"]*)"', html)
    assert len(links) == 5 and {asked for _id, _record, asked in links} == {
        "?channel=claude&amp;range=24h&amp;status=fail"
    }
    assert all(id == record for id, record, _asked in links) and '<dialog class="drawer" id="drawer"' in html
    newest = reader.get(f"/records/{links[0][1]}/?channel=claude&range=24h&status=fail").content.decode()
    assert f"/records/{links[1][1]}/" in newest  # its older neighbour is the next of them


def test_every_chart_has_a_menu_with_its_values_and_its_image(reader: Client, sample: Instance) -> None:
    html = page(reader)
    menus = dict(re.findall(r'<summary class="quiet" id="more-([a-z]+)"(.*?)</details>', html, re.DOTALL))
    assert list(menus) == ["usage", "mix", "strips", "latency", "heatmap"]
    assert all("hidden data-image>Copy image" in menu for menu in menus.values())
    assert 'hidden data-table aria-controls="numbers-latency" aria-expanded="false">Table' in menus["latency"]
    address = unescape(re.findall(r'href="([^"]*)" download', menus["latency"])[0])
    answer = reader.get(f"/{address}")
    assert 'filename="usage-overview-latency_' in answer["Content-Disposition"]
    lines = b"".join(answer).decode().splitlines()  # type: ignore[arg-type]
    assert lines[0].removeprefix("\ufeff") == "from,p95,p50,First token p50" and len(lines) == 1 + 7  # days
