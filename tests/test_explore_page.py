"""Explore: whatever is asked, the groups of the table and of the chart are all there is, and add up."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from random import Random
from typing import Any

import pytest
import time_machine
from django.http import QueryDict
from django.test import Client

from channels_app.charts.log_lines import LogLines
from channels_app.charts.unit import MILLIONTHS_OF_RPM
from channels_app.explore_page import limits
from channels_app.explore_page.meanings import MEANINGS
from channels_app.explore_page.metrics import METRICS, CallRate, Metric, PeakRate, Percentile, Presence
from channels_app.explore_page.page import ExplorePage
from channels_app.explore_page.query import DIVISIONS, GROUPINGS, VIEWS, read_explore_query
from channels_app.stats import EVERYTHING, Span, peaks_by_time, span_of, timing, totals
from channels_app.stats.active import active
from channels_app.stats.client_requests import calls
from channels_app.stats.elapsed import elapsed
from channels_app.stats.peaks import peaks
from channels_app.stats.traits import TRAITS
from tests.factories import auth_file, auth_files, book, list_names, payload
from tests.test_overview import columns, text, total
from tests.test_pricing import add_price
from usage.ingest.attempts import derive
from usage.models import CollectionGap, Instance, ModelName, UsageRecord
from usage.models.fields import to_micros

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVER = Span(0, to_micros(NOW + HOUR))


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def usage(instance: Instance) -> Instance:
    """150 requests of six days, of three channels (one of them unknown), twelve models, some failed, some unpriced."""
    names = [("dave", "codex"), ("bob", "claude"), ("eve", "claude")]
    list_names(
        instance,
        auth_files=auth_files(
            *(auth_file(f"{name}.json", kind, email=f"{name}@example.com", auth_index=name) for name, kind in names)
        ),
    )
    add_price("m0-FAKE", "2.5", "10", cached_input="0.25")
    random, traits = Random(4), Random(6)
    book(instance, *(
        payload(
            NOW - random.random() * 140 * HOUR, request_id=f"{number}", model=f"m{number % 12}-FAKE",
            auth_index=(account := random.choice(["dave", "bob", "eve", "gone"])),
            provider="claude" if account in ("bob", "eve") else "codex", latency_ms=random.randrange(900, 90_000), ttft_ms=800,
            failed=(failed := number % 9 == 0), fail={"status_code": random.choice([429, 500]) if failed else 200},
            endpoint=traits.choice(["POST /v1/messages", "POST /v1/responses"]), service_tier=traits.choice(["", "priority"]),
            reasoning_effort=traits.choice(["", "low", "high"]),
            tokens={"input_tokens": random.randrange(9_000), "cached_tokens": 100, "output_tokens": 70, "reasoning_tokens": 40},
        )
        for number in range(150)
    ))  # fmt: skip
    return instance


def get(client: Client, query: str = "") -> str:
    answer = client.get(f"/explore/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def rows(html: str) -> dict[str, str]:
    """The words of each row of the table behind its name; of parts of a group, behind that too."""
    found = re.findall(r'<tr class="(.*?)">\s*<th scope="row">(.*?)</th>(.*?)</tr>', html, re.DOTALL)
    names, group = {}, ""
    for css, name, cells in found:
        own = text(name)
        group = group if css == "part-row" else own
        names[f"{group} / {own}" if css == "part-row" else own] = text(cells)
    return names


def page_of(query: str) -> ExplorePage:
    return ExplorePage(read_explore_query(QueryDict(query), NOW), NOW)


@pytest.mark.parametrize("by", [by for by in GROUPINGS if by not in ("type", "code")])
def test_what_adds_up_is_the_whole_however_it_is_grouped(usage: Instance, by: str) -> None:
    for metric, measured in METRICS.items():
        if not isinstance(measured, Metric) or not measured.adds_up:
            continue
        page = page_of(f"range=30d&metric={metric}&by={by}&limit=5")
        whole = measured.of(totals(EVER, EVERYTHING))
        assert sum(row.total or 0 for row in page.rows) == whole == (page.total.total if page.total else 0), metric
        drawn = [one.values for one in page.chart.series]
        assert sum(value or 0 for line in drawn for value in line) == whole, metric


def whole_of(metric: str) -> int | None:
    """The metric of all there is, from the answers that the API gives."""
    measured, usage, calls_found, found = METRICS[metric], totals(EVER, EVERYTHING), calls(EVER, EVERYTHING), peaks(EVER, EVERYTHING)  # fmt: skip
    if isinstance(measured, Percentile):
        return measured.of(timing(EVER, EVERYTHING))
    if isinstance(measured, CallRate):
        return int(10_000 * (calls_found.success_rate or 0))
    if isinstance(measured, PeakRate):
        return measured.peak_of(found).value
    if isinstance(measured, Presence):
        return int(getattr(active(EVER, EVERYTHING), f"{measured.counted}s"))
    if measured.is_per_minute:
        minutes = elapsed(span_of(page_of("range=30d").answers.period), None, to_micros(NOW)).recorded
        return round((measured.of(usage) or 0) / minutes)
    return measured.of(usage)


@pytest.mark.parametrize("metric", [key for key, one in METRICS.items() if not one.adds_up])
def test_what_does_not_add_up_is_asked_of_all_together(usage: Instance, metric: str) -> None:
    whole = whole_of(metric)
    assert whole
    for by in ("none", "model", "channel"):
        page = page_of(f"range=30d&metric={metric}&by={by}&limit=5")
        assert page.total and page.total.total == whole
        assert page.query.view == "lines" and page.rows[0].share is None
    others = page_of(f"range=30d&metric={metric}&by={'key' if metric == 'models' else 'model'}&limit=5").rows[-1]
    assert metric == "models" or others.name == "Other (7)"
    assert (others.total is None) == (metric in ("per_request", "blended", "saved"))  # one model has a price


@pytest.mark.parametrize("metric", ["client_success", "peak_rpm", "peak_tpm", "channels"])
def test_others_together_are_what_would_be_asked_of_them(usage: Instance, metric: str) -> None:
    page = page_of(f"range=30d&bucket=1d&metric={metric}&by=model&limit=5")
    others = page.groups.shown[-1]
    names = [ModelName.objects.get(pk=pk).name for (pk,) in others.members]
    alone = page_of(f"range=30d&bucket=1d&metric={metric}&by=none&" + "&".join(f"model={name}" for name in names))
    assert len(names) == 7 and others.line == alone.groups.shown[0].line


def test_rates_are_those_of_the_minutes_that_were_recorded(usage: Instance) -> None:
    CollectionGap.objects.create(instance=usage, since=NOW - 3 * HOUR, until=NOW - 2.5 * HOUR, cause="away")
    page = page_of("range=24h&bucket=1h&metric=rpm&by=none")
    requests = page_of("range=24h&bucket=1h&metric=requests&by=none")
    (rate,), (count,) = (one.chart.series for one in (page, requests))
    lengths = [60.0] * len(rate.values)
    edges = page.answers.timeline.edges
    lengths[0], lengths[-1] = 30.0, 30.0  # the period begins and ends at half past
    lengths[next(at for at, edge in enumerate(edges) if edge == NOW - 2.5 * HOUR)] = 60.0
    lengths[next(at for at, edge in enumerate(edges) if edge == NOW - 3.5 * HOUR)] = 30.0
    assert [*rate.values] == [round(1_000_000 * (n or 0) / minutes) for n, minutes in zip(count.values, lengths, strict=True)]  # fmt: skip


def test_stored_peaks_tell_nothing_of_several_groups_together(usage: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = page_of("range=30d&bucket=1h&metric=peak_tpm&by=model&limit=5")
    assert expected.rows[-1].total and expected.total
    derive()
    monkeypatch.setattr(peaks_by_time, "MOST_READ", 0)
    page = page_of("range=30d&bucket=1h&metric=peak_tpm&by=model&limit=5")
    assert [one.line for one in page.groups.shown[:-1]] == [one.line for one in expected.groups.shown[:-1]]
    assert page.rows[-1].name == "Other (7)" and page.rows[-1].total is None and page.is_told
    assert page.total and page.total.total == expected.total.total


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0"), (50, "<0.0001"), (2_083, "0.0021"), (29_166, "0.029"), (100_000, "0.1"), (9_940_000, "9.9"), (12_600_000, "13")],
)  # fmt: skip
def test_little_traffic_is_told_by_two_digits(value: int, text: str) -> None:
    assert MILLIONTHS_OF_RPM.write(value) == text


def test_what_cannot_be_told_cannot_be_chosen(reader: Client, usage: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks_by_time, "MOST_READ", 0)
    derive()
    html = get(reader, "?range=30d&metric=peak_rpm&by=model")
    for by, why in (
        ("account", "no peaks are kept by it"),
        ("endpoint", "not kept by it"),
        ("type", "of tokens alone"),
    ):
        assert re.search(rf'<option value="{by}" disabled>[^<]*\({why}\)</option>', html)
    assert '<option value="bars" disabled>Bars (drawn as lines alone)</option>' in html
    assert '<option value="model" selected>' in html and '<option value="key">' in html
    told = get(reader, "?range=30d&metric=peak_rpm&by=account")
    assert "Peaks are kept by server, channel" in told and '<option value="channel" selected>' in told
    one_model = get(reader, "?range=30d&metric=peak_rpm&by=channel&model=m1-FAKE")
    assert "Not grouped." in one_model and '<option value="none" selected>' in one_model
    none = get(reader, "?range=30d&metric=peak_rpm&channel=codex&model=m1-FAKE")
    assert "Requests are shown instead." in none and '<option value="requests" selected>' in none
    assert "(a client request is one whole)" in get(reader, "?range=30d&metric=client_success")
    assert '<option value="model" disabled>Model (each is one)</option>' in get(reader, "?range=30d&metric=models")
    assert "is one whole" not in get(reader, "?range=30d&metric=requests")


def test_each_metric_says_what_it_means(reader: Client, usage: Instance) -> None:
    assert MEANINGS.keys() == METRICS.keys() and all(map(str, MEANINGS.values()))
    for metric in ("tokens", "peak_tpm", "keys"):
        html = unescape(reader.get(f"/explore/?metric={metric}").content.decode())
        assert f"{METRICS[metric].label}: {MEANINGS[metric]}" in html


def test_what_has_no_price_says_so_instead_of_an_empty_chart(reader: Client, usage: Instance) -> None:
    html = get(reader, "?range=30d&metric=cost&model=m1-FAKE")
    assert (
        "No price is known for its models" in text(html) and "<figure" not in html and 'class="table pivot' not in html
    )
    assert "None in this period" in text(get(reader, "?range=30d&metric=failed&status=ok"))


def test_groups_beyond_the_limit_are_one(reader: Client, usage: Instance) -> None:
    html = get(reader, "?range=30d&by=model&metric=requests&limit=5")
    found = rows(html)
    assert len(found) == 5 + 2 and "Other (7)" in found and "The largest 5 of 12" in html
    assert sum(int(cells.split()[0]) for name, cells in found.items() if name != "Total") == 150
    numbers = columns(html, "explore")
    assert total(numbers["Total"]) == 150 and "Other (7)" in numbers
    assert len(rows(get(reader, "?range=30d&by=model&metric=requests&limit=12"))) == 13


def test_the_unknown_channel_is_always_shown(reader: Client, usage: Instance) -> None:
    assert list(rows(get(reader, "?range=30d")))[-2:] == ["Unknown channel", "Total"]


def test_rows_are_divided_once_more(reader: Client, usage: Instance) -> None:
    found = rows(get(reader, "?range=30d&by=channel&by2=account&metric=requests"))
    parts = {name: int(cells.split()[0]) for name, cells in found.items() if " / " in name}
    assert set(parts) >= {"claude / bob@example.com", "claude / eve@example.com", "codex / dave@example.com"}
    assert parts["claude / bob@example.com"] + parts["claude / eve@example.com"] == int(found["claude"].split()[0])
    models = rows(get(reader, "?range=30d&by=channel&by2=model&metric=requests"))
    of_codex = [int(cells.split()[0]) for name, cells in models.items() if name.startswith("codex / ")]
    assert sum(of_codex) == int(models["codex"].split()[0])


def test_outcomes_codes_and_types(reader: Client, usage: Instance) -> None:
    found = rows(get(reader, "?range=30d&by=status&metric=requests"))
    assert [int(found[name].split()[0]) for name in ("Succeeded", "Failed", "Total")] == [133, 17, 150]
    codes = rows(get(reader, "?range=30d&by=code&metric=failed"))
    assert set(codes) == {"429", "500", "Total"} and codes["Total"].startswith("17 ")
    page = page_of("range=30d&by=type")
    assert sum(row.total or 0 for row in page.rows) == totals(EVER, EVERYTHING).total_tokens
    assert [row.key for row in page.rows] == ["uncached_input", "cache_read", "output", "reasoning"]
    only_failed = rows(get(reader, "?range=30d&by=status&metric=requests&status=fail"))
    assert set(only_failed) == {"Failed", "Total"}


@pytest.mark.parametrize("by", TRAITS)
def test_what_no_sum_knows_is_read_from_the_records(reader: Client, usage: Instance, by: str) -> None:
    page = page_of(f"range=30d&by={by}&metric=requests")
    expected = Counter(getattr(row.traits, TRAITS[by]) or "Not told" for row in UsageRecord.objects.all())
    assert len(expected) > 1 and {row.name: row.total for row in page.rows} == expected
    assert page.chart.title.startswith(f"Requests by {GROUPINGS[by].lower()}")
    some = page_of(f"range=30d&by={by}&metric=failed&channel=codex")
    assert sum(row.total or 0 for row in some.rows) == totals(EVER, some.answers.conditions).failed
    before = page_of(f"range=24h&by={by}&metric=tokens")
    span = span_of(before.answers.before) if before.answers.before else EVER
    assert before.total and before.total.before == totals(span, EVERYTHING).total_tokens > 0


def test_endpoints_lead_to_their_records(reader: Client, usage: Instance) -> None:
    (row, _other) = page_of("range=30d&by=endpoint&metric=requests").rows
    assert len(re.findall(r'id="record-\d+"', reader.get(f"{row.records}&limit=200").content.decode())) == row.total


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("metric=p95", "Percentiles are not kept by endpoint"),
        ("metric=cost&basis=current", "Costs at current prices are not told by endpoint"),
        ("range=30d", "of 100 at most; this period has 150"),
    ],
)
def test_where_records_cannot_tell_or_are_too_many_it_is_said(
    reader: Client, usage: Instance, monkeypatch: pytest.MonkeyPatch, query: str, reason: str
) -> None:
    monkeypatch.setattr(limits, "MOST", 100)
    html = get(reader, f"?by=endpoint&{query}")
    assert reason in html and '<option value="channel" selected>' in html
    assert '<option value="endpoint" selected>' in get(reader, "?by=endpoint&range=24h")


def test_rows_lead_to_their_records(reader: Client, usage: Instance) -> None:
    html = get(reader, "?range=30d&by=key&metric=requests")
    address = unescape(re.findall(r'<a class="name" href="(/records/[^"]*)"', html)[0])
    assert "key=" in address and "150 requests" in text(reader.get(address).content.decode())


def test_change_against_the_period_before(reader: Client, usage: Instance) -> None:
    found = rows(get(reader, "?range=24h&by=none&metric=requests"))
    now, before = (
        totals(Span(to_micros(NOW - days * 24 * HOUR), to_micros(NOW - (days - 1) * 24 * HOUR)), EVERYTHING).requests
        for days in (1, 2)
    )
    assert f"{abs(now - before) / before * 100:.1f}%" in found["All together"] or "≈ 0%" in found["All together"]
    assert "vs previous" not in section_of(get(reader, "?range=24h&cmp=off"))
    assert "vs previous" not in section_of(get(reader, "?range=7d"))  # the week before has no records
    CollectionGap.objects.create(instance=usage, since=NOW - 40 * HOUR, until=NOW - 30 * HOUR, cause="away")
    assert "vs previous" not in section_of(get(reader, "?range=24h"))


def section_of(html: str) -> str:
    return html[html.index('aria-labelledby="pivot-title"') :]


def test_running_totals_end_at_the_total(usage: Instance) -> None:
    page = page_of("range=30d&metric=requests&by=none&view=sum")
    (line,) = page.chart.series
    assert line.values[-1] == 150 and [*line.values] == sorted(value or 0 for value in line.values)
    assert page.title == "Requests, running total · Last 30 days"


def test_a_logarithmic_axis_has_powers_of_ten(usage: Instance) -> None:
    chart = page_of("range=30d&metric=p95&by=model&log=1").chart
    assert isinstance(chart, LogLines)
    assert [tick.text for tick in chart.ticks] == ["1 s", "10 s", "100 s"]
    assert [round(tick.y) for tick in chart.ticks] == [100, 50, 0]
    heights = [int(one) for layer in chart.layers for one in re.findall(r" (\d+)", layer.path)]
    assert heights and all(0 <= height <= 1000 for height in heights)


@pytest.mark.parametrize(
    "query", ["metric=cost&by=type", "metric=p50&by=status", "bucket=1m&range=30d", "metric=x", "view=pie"]
)
def test_what_does_not_go_together_is_told(reader: Client, usage: Instance, query: str) -> None:
    assert 'class="banner warn"' in get(reader, f"?{query}")


def test_every_question_has_an_answer(usage: Instance) -> None:
    """Of each control every value, with the others at random."""
    random = Random(2)
    fields = {
        "metric": METRICS,
        "by": GROUPINGS,
        "by2": DIVISIONS,
        "view": VIEWS,
        "limit": ["5", "12"],
        "log": ["1", ""],
        "range": ["1h", "24h", "7d", "all"],
    }
    for name, values in fields.items():
        for value in values:
            asked = {key: random.choice([*some]) for key, some in fields.items()} | {name: value}
            page = page_of("&".join(f"{key}={one}" for key, one in asked.items()))
            if not page.empty:
                assert page.chart.summary and page.chart.table, asked
                assert page.rows or not (page.total and page.total.total), asked


def test_the_address_is_the_state(reader: Client, usage: Instance) -> None:
    answer = reader.get(
        "/explore/?apply=explore&metric=requests&by=model&by2=&bucket=auto&view=lines&limit=8&log=1&range=30d"
    )
    assert (
        answer.status_code == 302
        and answer.headers["Location"] == "/explore/?by=model&log=1&metric=requests&range=30d&view=lines"
    )
    html = get(reader, "?by=model&log=1&metric=requests&range=30d&view=lines")
    assert '<option value="lines" selected>' in html and 'name="log" value="1" checked' in html
    assert '<input type="hidden" name="range" value="30d">' in html
    hidden = unescape(re.findall(r'id="legend-explore-1" href="([^"]*)"', html)[0])
    assert "hide=m" in hidden and 'class="hides"' in get(reader, hidden)
    alone = get(reader, unescape(re.findall(r'id="only-explore-1" href="([^"]*)"', html)[0]))
    assert alone.count('class="hides"') == html.count('id="only-explore-') - 1
    asked = get(reader, "?by=model&metric=failed&channel=codex&range=30d")
    assert 'data-records="/records/?channel=codex&amp;status=fail"' in asked
    assert "model=m0-FAKE" in re.findall(r'data-condition="([^"]*)"', html)


def test_files(reader: Client, usage: Instance) -> None:
    found = json.loads(reader.get("/explore/?range=30d&by=model&metric=requests&limit=5&format=json").content)["rows"]
    assert sum(row["requests"] for row in found) == 150 and found[0].keys() == {
        "group",
        "part",
        "requests",
        "share",
        "before",
    }
    answer: Any = reader.get("/explore/?range=30d&by=status&metric=requests&format=csv&section=chart")
    lines = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert (
        lines[0] == ["from", "Succeeded", "Failed"] and sum(int(cell) for line in lines[1:] for cell in line[1:]) == 150
    )


def test_empty_states(reader: Client, usage: Instance) -> None:
    assert "none in this period" in get(reader, "?range=lastmonth") and 'name="metric"' in get(
        reader, "?range=lastmonth"
    )
    usage_free = get(reader, "?range=30d&metric=unclassified")
    assert "Total" in rows(usage_free)


def test_an_empty_installation_says_what_to_do(reader: Client) -> None:
    assert "No CPA server is connected yet" in get(reader)


def test_it_is_little_to_load(reader: Client, usage: Instance) -> None:
    assert len(gzip.compress(get(reader, "?range=7d&by=model&limit=12").encode())) < 60 * 1024


def test_everybody_must_sign_in(client: Client) -> None:
    assert client.get("/explore/").status_code == 302
