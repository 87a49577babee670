"""Explore's points: each request where its figures put it, the same sample each time, and bounds that Records has too."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from random import Random
from typing import Any

import pytest
import time_machine
from django.http import QueryDict
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from channels_app.charts.look import OTHER
from channels_app.charts.scatter import BINS, HEIGHT, WIDTH, Dot, Scale, ScatterPlot
from channels_app.charts.unit import MILLISECONDS, TOKENS
from channels_app.explore_page.scatter import ScatterPage
from channels_app.explore_page.scatter_query import read_scatter_query
from channels_app.records import tokens_per_second
from channels_app.stats import EVERYTHING, Conditions, Span, scatter
from channels_app.stats.scatter import VALUES, Axes, sample
from tests.factories import book, payload
from tests.test_explore_page import NOW, text
from usage.models import Instance, UsageRecord
from usage.models.fields import to_micros

EVER = Span(0, to_micros(NOW + timedelta(days=1)))
AXES = Axes("time", "latency", "model_id")


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def requests(instance: Instance) -> Instance:
    """400 requests of ten hours, a tenth of them failed; four tell no latency."""
    random = Random(5)
    book(instance, *(
        payload(
            NOW - random.random() * timedelta(hours=10), request_id=f"{number}", model=f"m{number % 3}-FAKE",
            latency_ms=None if number < 4 else int(300 * 90 ** random.random()), ttft_ms=200, failed=number % 10 == 5,
            tokens={"input_tokens": random.randrange(1, 9_000), "output_tokens": 50},
        )
        for number in range(400)
    ))  # fmt: skip
    return instance


def expected(axes: Axes, **conditions: Any) -> set[int]:
    rows = UsageRecord.objects.filter(**conditions)
    return {row.pk for row in rows if row.latency_ms is not None or "latency" not in axes}


@pytest.mark.parametrize("x", ["time", "input", "ttft"])
@pytest.mark.parametrize("y", ["tokens", "output", "latency", "ttft", "cost"])
def test_of_few_requests_each_is_a_point(requests: Instance, x: str, y: str) -> None:
    UsageRecord.objects.update(cost_nanousd=7)
    axes = Axes(x, y, "model_id")
    found = sample(EVER, EVERYTHING, axes)
    assert {point.id for point in found.points} == expected(axes) and len(found.points) == found.matching
    row = UsageRecord.objects.get(pk=found.points[-1].id)
    values = {"time": to_micros(row.requested_at), "input": row.input_tokens, "ttft": row.ttft_ms, "tokens": row.total_tokens,
              "output": row.output_tokens, "latency": row.latency_ms, "cost": 7, "speed": found.points[-1].y}  # fmt: skip
    assert (found.points[-1].x, found.points[-1].y) == (values[x], values[y]) and values.keys() == VALUES.keys()


def test_a_speed_is_that_of_the_record(requests: Instance) -> None:
    found = {point.id: point.y for point in sample(EVER, EVERYTHING, Axes("time", "speed", "model_id")).points}
    speeds = {row.pk: tokens_per_second(row) for row in UsageRecord.objects.all()}
    assert found == {pk: int(10 * speed) for pk, speed in speeds.items() if speed is not None} and found


def test_speeds_have_bounds_here_and_in_the_list(reader: Client, requests: Instance) -> None:
    speeds = {row.pk: tokens_per_second(row) or 0 for row in UsageRecord.objects.all()}
    bound = sorted(speeds.values())[-40]
    fast = {pk for pk, speed in speeds.items() if int(10 * speed) >= int(10 * bound)}
    html = get(reader, f"&y=speed&min_speed={int(10 * bound) / 10}")
    assert drawn(html) == len(fast) > 30
    address = unescape(re.findall(r'id="open-records" href="([^"]*)"', html)[0])
    listed = reader.get(f"{address}&limit=200").content.decode()
    assert {int(pk) for pk in re.findall(r'id="record-(\d+)"', listed)} == fast


def test_of_more_than_can_be_drawn_failures_and_the_largest_are_kept(
    requests: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scatter, "MOST", 100)
    found = sample(EVER, EVERYTHING, AXES)
    drawn = {point.id for point in found.points}
    assert len(drawn) == 100 and found.matching == 396 and not found.is_sampled
    assert expected(AXES, failed=True) <= drawn
    largest = UsageRecord.objects.filter(failed=False, latency_ms__isnull=False).order_by("-latency_ms")[:3]
    assert {row.pk for row in largest} <= drawn
    assert sample(EVER, EVERYTHING, AXES) == found


@pytest.mark.parametrize("conditions", [EVERYTHING, Conditions(failed=True), Conditions(failed=False)])
def test_of_many_requests_some_of_each_hour_are_read(
    requests: Instance, monkeypatch: pytest.MonkeyPatch, conditions: Conditions
) -> None:
    for name, value in {"_MOST_READ": 20, "MOST": 90, "_MOST_FAILED": 20}.items():
        monkeypatch.setattr(scatter, name, value)
    found = sample(EVER, conditions, AXES)
    assert found.is_sampled and found == sample(EVER, conditions, AXES)
    assert len({point.id for point in found.points}) == len(found.points) <= 90
    assert len(found.points) >= 60 or conditions.failed
    hours = {point.x // 3_600_000_000 for point in found.points}
    assert len(hours) >= 9
    assert {point.failed for point in found.points} == (
        {False, True} if conditions.failed is None else {conditions.failed}
    )


def test_bounds_narrow_the_sample(requests: Instance) -> None:
    found = sample(EVER, EVERYTHING, AXES, ["latency_ms >= 9000"])
    assert {point.id for point in found.points} == expected(AXES, latency_ms__gte=9000)
    assert sample(EVER, Conditions(models=frozenset()), AXES).points == []


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.booleans())
def test_every_value_has_its_place(values: list[int], is_log: bool) -> None:
    scale = Scale.of(values, TOKENS, is_log=is_log)
    for value in values:
        place = scale.place(value)
        assert (place is None) == (is_log and value == 0)
        assert place is None or -1e-9 <= place <= 1 + 1e-9
    marks = scale.marks(TOKENS)
    assert 2 <= len(marks) <= 8 and marks[0].at == 0 and all(0 <= mark.at <= 100.0001 for mark in marks)


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.booleans())
def test_bounds_are_the_ends_of_a_scale(low: int, more: int, is_log: bool) -> None:
    high = low + more
    scale = Scale.of([low, high], TOKENS, is_log=is_log, ends=(low, high))
    assert scale.high == high and (scale.low == low or (is_log and not low))
    assert scale.place(high) == pytest.approx(1) and ((is_log and not low) or scale.place(low) == pytest.approx(0))
    marks = scale.marks(TOKENS)
    assert len(marks) <= 8 and all(-1e-9 <= mark.at <= 100.0001 for mark in marks)


def test_a_scale_of_less_than_a_power_of_ten_has_marks_too() -> None:
    marks = Scale.of([], MILLISECONDS, is_log=True, ends=(2_000, 6_000)).marks(MILLISECONDS)
    assert [mark.text for mark in marks] == ["2 s", "3 s", "4 s", "5 s", "6 s"]


def test_a_plot_draws_points_and_crosses() -> None:
    plot = ScatterPlot(
        [Dot(10, 100, False, "a", 1), Dot(100, 1000, False, "a", 2), Dot(55, 100, True, "a", 3), Dot(10, 0, False, "a", 4)],
        {"a": OTHER, "b": OTHER}, Scale(10, 100), Scale(100, 1000, is_log=True),
    )  # fmt: skip
    assert plot.layers == [("f-other", f"M0 {HEIGHT}h0M{WIDTH} 0h0", "1 2")]
    assert plot.crosses == [(50.0, 100.0, 3)]
    assert [(at, bar.width) for at, bar in enumerate(plot.histogram) if bar.width] == [(0, 50.0), (BINS - 1, 100.0)]
    assert [mark.text for mark in Scale(100, 10_000, is_log=True).marks(MILLISECONDS)] == ["100 ms", "1 s", "10 s"]


def get(client: Client, query: str = "") -> str:
    answer = client.get(f"/explore/?mode=scatter&range=24h{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def drawn(html: str) -> int:
    dots = re.findall(r'<path class="dots [^"]*" d="([^"]*)"', html)
    return sum(path.count("M") for path in dots) + html.count('<use href="#m-cross" x=')


def test_the_page_says_what_it_draws(reader: Client, requests: Instance) -> None:
    html = get(reader)
    assert drawn(html) == 396 and "All 396 requests" in html and "Latency by time" in html
    assert html.count('<use href="#m-cross" x=') == 40 and "Failed 40" in text(html)
    assert ">p50<" in html and ">p95<" in html
    assert "The largest of them" in html and len(re.findall(r'href="/records/\d+/', html)) == 10
    models = get(reader, "&color=model&x=input&y=tokens&scale=linear")
    assert drawn(models) == 400 and "Tokens by input" in models and "m0-FAKE" in models


def test_a_sample_is_stated(reader: Client, requests: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatter, "MOST", 100)
    assert "100 of 396 requests: failures, the largest" in get(reader)
    monkeypatch.setattr(scatter, "_MOST_READ", 20)
    assert "of 400 requests: some of each hour" in get(reader)


def test_bounds_work_without_javascript_and_lead_to_the_records(reader: Client, requests: Instance) -> None:
    answer = reader.get(
        "/explore/?mode=scatter&range=24h&x=time&y=latency&min_latency=9&max_latency=&min_tokens=100&apply=explore"
    )
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/explore/?min_latency=9&min_tokens=100&mode=scatter&range=24h"
    html = get(reader, "&min_latency=9&min_tokens=100")
    matching = UsageRecord.objects.filter(latency_ms__gte=9000).count()
    shown = [row for row in UsageRecord.objects.filter(latency_ms__gte=9000) if row.total_tokens >= 100]
    assert drawn(html) == len(shown) <= matching and 'id="min_latency" value="9"' in html
    address = unescape(re.findall(r'id="open-records" href="([^"]*)"', html)[0])
    assert address == "/records/?min_latency=9&min_tokens=100&range=24h"
    assert reader.get(address).content.decode().count('id="record-') == min(len(shown), 50)
    without = unescape(re.findall(r'id="unzoom" href="([^"]*)"', html)[0])
    assert without == "?mode=scatter&range=24h"
    assert "min_latency=x is no number" in get(reader, "&min_latency=x")


def around(query: str) -> ScatterPage:
    return ScatterPage(read_scatter_query(QueryDict(f"mode=scatter&{query}"), NOW), NOW)


def test_the_strip_shows_what_is_around_the_window(reader: Client, requests: Instance) -> None:
    whole = around("range=24h")
    assert whole.strip.window and (whole.strip.window.left, whole.strip.window.end) == (0, whole.strip.timeline.begun)
    zoomed = around("from=2026-11-23T04:00&to=2026-11-23T06:00&around=24h&min_latency=1")
    assert zoomed.strip.timeline.period.since == whole.strip.timeline.period.since
    window, edges = zoomed.strip.window, zoomed.strip.timeline.edges
    assert window and (edges[window.first], edges[window.end]) == (NOW.replace(hour=4, minute=0), NOW.replace(hour=6, minute=0))  # fmt: skip
    assert str(zoomed.query.whole) == "?min_latency=1&mode=scatter&range=24h"
    assert str(zoomed.query.unzoomed) == "?mode=scatter&range=24h" and zoomed.query.is_zoomed
    assert all(zoomed.period.since.timestamp() * 10**6 <= point.x for point in zoomed.sample.points)
    html = reader.get(f"/explore/{zoomed.address}").content.decode()
    assert 'id="window-from"' in html and 'href="?mode=scatter&amp;range=24h" data-swap>Reset zoom' in html
    # Each time of the strip's table is a window too, within the same.
    link = unescape(re.findall(r'<a href="([^"]*)" data-swap>11-23 08:00', html)[0])
    assert link == "?around=24h&from=2026-11-23T08:00&min_latency=1&mode=scatter&to=2026-11-23T08:15"


@pytest.mark.parametrize(
    ("query", "outermost"),
    [
        ("range=24h&around=7d", "24h"),  # no window, but another range
        ("from=2026-11-23T04:00&to=2026-11-23T06:00", "2026-11-23T04:00~2026-11-23T06:00"),
        ("from=2026-11-01&to=2026-11-02&around=2026-11-01~2026-11-09", "2026-11-01~2026-11-09"),
        ("from=2026-11-23&to=2026-11-23&around=soon", "2026-11-23~2026-11-23"),
    ],
)
def test_what_is_around_is_said_by_the_address(requests: Instance, query: str, outermost: str) -> None:
    page = around(query)
    assert page.query.outermost == outermost
    assert bool(page.query.warnings) == ("soon" in query)
    left_behind = around("from=2026-11-01&to=2026-11-02&around=24h")
    assert left_behind.strip.timeline.edges[0] == datetime(2026, 11, 1, tzinfo=UTC)


def test_an_empty_window_can_be_left(reader: Client, requests: Instance) -> None:
    html = reader.get("/explore/?mode=scatter&from=2026-11-22T12:00&to=2026-11-22T13:00&around=24h").content.decode()
    assert "data-points" not in html and 'id="window-from"' in html and "No requests:" in html
    assert 'id="unzoom" href="?mode=scatter&amp;range=24h"' in html


def test_failures_alone_are_asked_for_by_the_form(reader: Client, requests: Instance) -> None:
    answer = reader.get("/explore/?mode=scatter&range=24h&status=fail&apply=explore")
    assert answer.headers["Location"] == "/explore/?mode=scatter&range=24h&status=fail"
    html = get(reader, "&status=fail")
    assert drawn(html) == 40 == html.count('<use href="#m-cross" x=')
    assert 'name="status" value="fail" checked>Only failures' in html
    assert html.count('name="status"') - html.count('type="radio" name="status"') == 1  # nothing hidden says it again
    for query in ("&status=ok", "&status=fail&code=599"):
        assert "Only failures" not in get(reader, query)


def test_each_point_and_each_of_the_largest_leads_to_its_record(reader: Client, requests: Instance) -> None:
    html = get(reader)
    ids = [int(one) for some in re.findall(r'data-ids="([\d ]*)"', html) for one in some.split()]
    failed = [int(one) for one in re.findall(r'<use href="#m-cross"[^>]* data-id="(\d+)"', html)]
    assert {*ids, *failed} == expected(AXES) and len(ids) + len(failed) == 396
    assert {*failed} == {row.pk for row in UsageRecord.objects.filter(failed=True)}
    assert len(re.findall(r'id="record-\d+" data-drawer', html)) == 10 and '<dialog class="drawer"' in html


def test_nothing_to_draw(reader: Client, requests: Instance) -> None:
    assert "No requests match" in get(reader, "&status=fail&code=599") or "ignored" in get(reader, "&code=599")
    assert 'id="mode-1"' in get(reader, "&min_latency=9999")


def test_an_empty_installation_says_what_to_do(reader: Client) -> None:
    assert "No CPA server is connected yet" in get(reader)
