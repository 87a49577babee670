"""Charts as objects: what is drawn of which values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.charts import look
from channels_app.charts.heatmap import Heatmap, Hour
from channels_app.charts.lines import Lines
from channels_app.charts.log_lines import LogLines
from channels_app.charts.look import Look
from channels_app.charts.mix import Mix
from channels_app.charts.signed_lines import SignedLines
from channels_app.charts.sparkline import sparkline, thinned
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.status_strip import StatusStrip
from channels_app.charts.time_chart import Series
from channels_app.charts.timeline import Timeline, bucket_of
from channels_app.charts.unit import MILLISECONDS, NANOUSD, REQUESTS, TOKENS
from channels_app.period import read_period
from channels_app.stats import Span, Usage
from channels_app.templatetags.charts import spark
from usage.models.fields import to_micros

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
BLUE, RED = look.of_slot(1, "circle"), look.of_slot(2, "square")


def timeline(name: str = "today", bucket: str = "", now: datetime = NOW, zone: str = "UTC", **asked: str) -> Timeline:
    period = read_period(asked or {"range": name}, ZoneInfo(zone), now)
    return Timeline(period, bucket or bucket_of(period), now)


def with_gap(line: Timeline, start: datetime, minutes: int) -> Timeline:
    end = start + timedelta(minutes=minutes)
    return Timeline(line.period, line.bucket, line.now, [Span(to_micros(start), to_micros(end))])


def bars(*lines: Sequence[int | None], **more: object) -> StackedBars:
    """One bar for each of the eleven hours that have begun; values are repeated to fill them."""
    series = [
        Series(f"s{at}", f"Series {at}", (list(values) * 11)[:11], (BLUE, RED)[at % 2], sum(v or 0 for v in values))
        for at, values in enumerate(lines)
    ]
    return StackedBars(id="x", title="Things", unit=REQUESTS, timeline=timeline(), series=series, **more)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(1, 10**18))
def test_ticks_are_few_and_reach_the_most(most: int) -> None:
    ticks = TOKENS.ticks(most)
    assert ticks[0] == 0 and ticks[-1] >= most
    assert 2 <= len(ticks) <= 6
    assert len({after - before for before, after in pairwise(ticks)}) == 1


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (TOKENS, 2_000_000, "2M"),
        (TOKENS, 2_500_000, "2.5M"),
        (TOKENS, 0, "0"),
        (TOKENS, 200, "200"),
        (NANOUSD, 500 * 10**9, "$500"),
        (NANOUSD, 50_000_000, "$0.05"),
        (NANOUSD, 1_500 * 10**9, "$1,500"),
        (MILLISECONDS, 10_000, "10 s"),
        (MILLISECONDS, 500, "500 ms"),
        (MILLISECONDS, 100_000, "100 s"),
        (MILLISECONDS, 0, "0 s"),
    ],
)
def test_round_numbers_need_no_zeros(unit: object, value: int, text: str) -> None:
    assert unit.tick(value) == text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "bucket", "count"),
    [
        ({"range": "1h"}, "1m", 61),
        ({"range": "24h"}, "1h", 25),
        ({"range": "7d"}, "1h", 168),
        ({"range": "30d"}, "1d", 30),
        ({"days": "400"}, "1w", 58),
        ({"days": "1000"}, "1M", 34),
    ],
)
@pytest.mark.django_db
def test_intervals_are_of_what_sums_are_kept_by(asked: dict[str, str], bucket: str, count: int) -> None:
    line = timeline(**asked)
    assert (line.bucket, line.count) == (bucket, count)


@pytest.mark.django_db
def test_what_moves_on_with_the_clock_has_no_empty_end_and_leaves_nothing_out() -> None:
    line = timeline(range="1h")
    assert (line.edges[-1], line.begun, line.running) == (line.period.until, line.count, line.count - 1)
    assert line.labels[-1].partition("–")[2] == (line.edges[-2] + timedelta(minutes=1)).strftime("%H:%M")
    assert timeline(range="today").begun < timeline(range="today").count


def test_the_present_interval_runs_and_later_ones_have_not_begun() -> None:
    line = timeline()
    assert (line.begun, line.running, line.count) == (11, 10, 24)
    assert line.labels[-1] == "11-23 10:00–11:00" and len(line.labels) == 11


def test_what_is_over_runs_no_more() -> None:
    line = timeline("yesterday")
    assert (line.begun, line.running) == (24, None)


def test_an_hour_that_comes_twice_is_told_by_its_offset() -> None:
    now = datetime(2026, 10, 25, 12, tzinfo=UTC)
    labels = timeline("today", now=now, zone="Europe/Berlin").labels
    assert labels[2:4] == ["10-25 02:00–02:00 (UTC+2)", "10-25 02:00–03:00 (UTC+1)"]
    assert labels[4] == "10-25 03:00–04:00"


@pytest.mark.parametrize("name", ["1h", "24h", "today", "7d", "30d", "90d", "mtd"])
def test_the_axis_has_few_words_in_order(name: str) -> None:
    axis = timeline(name).axis
    assert 1 <= len(axis) <= 8
    assert [label.x for label in axis] == sorted(label.x for label in axis)
    assert all(0 <= label.x <= 100 for label in axis)


def test_days_are_named_in_the_zone_of_the_report() -> None:
    line = timeline("7d", zone="Asia/Shanghai")
    assert line.axis[0].text == "11-17" and line.labels[0] == "11-17 00:00–01:00"


def test_a_gap_covers_every_interval_that_it_touches() -> None:
    line = with_gap(timeline(), datetime(2026, 11, 23, 3, 50, tzinfo=UTC), 14)
    (gap,) = line.gap_stretches
    assert (gap.first, gap.last, gap.label) == (3, 4, "11-23 03:50–04:04")
    assert (gap.x, gap.width) == pytest.approx((100 * (3 + 50 / 60) / line.count, 100 * 14 / 60 / line.count))
    assert not line.is_gap(3)
    assert with_gap(line, datetime(2026, 11, 23, 3, tzinfo=UTC), 60).is_gap(3)


def test_a_short_gap_of_a_long_time_can_be_seen_and_is_no_whole_day() -> None:
    line = with_gap(timeline("90d"), datetime(2026, 11, 20, 12, tzinfo=UTC), 14)
    (gap,) = line.gap_stretches
    assert gap.x == pytest.approx(100 * (gap.first + 0.5) / line.count)
    assert 0.5 < gap.width < 100 / line.count
    at_the_end = with_gap(line, line.edges[-1] - timedelta(minutes=5), 14).gap_stretches[0]
    assert at_the_end.x + at_the_end.width == pytest.approx(100)


def test_bars_stand_on_each_other() -> None:
    lower, upper = bars([30], [10]).layers
    assert lower.css == "f1" and lower.path.startswith("M0.07 1000V250h0.86V1000z")  # the axis ends at 40
    assert upper.css == "f2" and upper.path.startswith("M0.07 250V0h0.86V250z")
    assert lower.path.count("M") == 11


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**12), min_size=11, max_size=11), min_size=1, max_size=8))
def test_no_bar_leaves_the_plot(values: list[list[int]]) -> None:
    for chart in (bars(*values), bars(*values, is_share=True)):
        for layer in chart.layers:
            heights = [int(number) for number in re.findall(r"V(-?\d+)", layer.path)]
            assert all(-8 <= height <= 1000 for height in heights)


def test_shares_fill_the_plot() -> None:
    chart = bars([30], [10], is_share=True)
    assert [tick.text for tick in chart.ticks] == ["0%", "25%", "50%", "75%", "100%"]
    assert chart.layers[1].path.startswith("M0.07 250V0h")


def test_what_is_small_can_still_be_seen() -> None:
    assert bars([1], [10**9]).layers[0].path.startswith("M0.07 1000V999h")


def test_nothing_is_drawn_of_nothing() -> None:
    assert [layer.path for layer in bars([0, None]).layers] == [""]


def test_the_period_before_is_one_line_and_widens_the_axis() -> None:
    before = Series("before", "Before", [900] * 11, Look("compared", "line-ttft"))
    chart = bars([30], compared=before)
    assert chart.layers[-1].css == "line compared" and chart.top == 1000
    assert bars([30], compared=before, is_share=True).layers[-1].css == "f1"


def test_the_table_says_what_is_drawn() -> None:
    table = bars([30, None], [10]).table
    assert table.count("<tr>") == 12
    assert '<th scope="col" data-part data-fill="f1" data-shape="circle">Series 0</th>' in table
    assert '<td data-value="30">30</td><td data-value="10">10</td><td data-value="40">40</td>' in table
    assert 'aria-label="no data"' in table and "(in progress)" in table


def test_names_and_values_are_escaped() -> None:
    chart = bars([1])
    chart.series = [Series("s", "<script>", [1] * 11, BLUE, 11)]
    chart.unit = NANOUSD
    assert "<script>" not in chart.table and "&lt;$0.0001" in chart.table


def test_the_summary_is_a_sentence() -> None:
    chart = bars([30], [10])
    assert chart.summary == (
        "Things, per hour: 40 in total, at most 40, at 11-23 00:00–01:00. Series 0 75.0%, Series 1 25.0%"
    )


def test_lines_break_where_there_is_no_value() -> None:
    values = [100, None, 200, 300, *[None] * 7]
    chart = Lines(
        id="x", title="Time", unit=MILLISECONDS, timeline=timeline(),
        series=[Series("p95", "p95", values, BLUE), Series("p50", "p50", [50] * 11, RED)], band=("p95", "p50"),
    )  # fmt: skip
    band, line, alone, _other = chart.layers
    assert alone.path.count("M") == 1 and alone.path.startswith("M0.5 ") and alone.css == f"line alone {BLUE.fill}"
    assert line.path == "M0.5 667h0M2.5 333h0L3.5 0"
    assert band.path == "M2.5 333L3.5 0L3.5 833L2.5 833z"


def test_lines_say_at_their_ends_what_they_are_and_never_over_each_other() -> None:
    values = {
        "high": [9, 100, None],
        "middle": [2, 52, None],
        "near": [1, 50, None],
        "low": [1, 1, 1],
        "none": [None] * 3,
    }
    series = [Series(name, name, [*some, *[None] * 8], BLUE) for name, some in values.items()]
    asked: dict[str, Any] = {"id": "x", "title": "X", "unit": TOKENS, "timeline": timeline(), "series": series}
    assert Lines(**asked).ends == []
    for kind in (Lines, LogLines):
        ends = kind(**asked, is_labelled=True).ends
        assert [end.text for end in ends] == ["high", "middle", "near", "low"]
        assert [end.x for end in ends] == [pytest.approx(100 * (at + 0.5) / timeline().count) for at in (1, 1, 1, 2)]
        assert all(lower.y - upper.y >= 6.99 for upper, lower in pairwise(ends))
        assert all(0 < end.y <= 100 for end in ends)


@pytest.mark.parametrize("kind", [Lines, LogLines])
def test_the_space_between_two_lines_is_tinted_on_either_scale(kind: type[Lines]) -> None:
    series = [Series("p95", "p95", [100, 90, *[None] * 9], BLUE), Series("p50", "p50", [10, 20, *[None] * 9], BLUE)]
    chart = kind(id="x", title="X", unit=TOKENS, timeline=timeline(), series=series, band=("p95", "p50"))
    band, *lines = chart.layers
    assert band.css == "band" and band.path.count("L") == 3 and len(lines) == 2
    assert lines[0].path.partition("h0")[0] in band.path


def test_what_is_less_than_nothing_lies_below_0() -> None:
    values = [-3 * 10**9, 10**9, *[0] * 9]
    chart = SignedLines(
        id="x", title="Saved", unit=NANOUSD, timeline=timeline(), series=[Series("a", "a", values, BLUE)]
    )
    assert [tick.text for tick in chart.ticks] == ["−$3", "−$2", "−$1", "$0", "$1"]
    assert chart.layers[0].path.startswith("M0.5 1000h0L1.5 0L2.5 250")
    positive = SignedLines(id="x", title="Saved", unit=NANOUSD, timeline=timeline(), series=[Series("a", "a", [5] * 11, BLUE)])  # fmt: skip
    assert positive.ticks[0].text == "$0"


def test_a_series_keeps_its_look_whatever_its_rank() -> None:
    names = ["gpt-5.4", "claude-opus-4-6", "kimi-k2.5"]
    alone = {name: look.of_names([name])[0] for name in names}
    assert look.of_names(names)[0] == alone[names[0]]
    assert [one.shape for one in look.of_names(names)] == [alone[name].shape for name in names]


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=8, unique=True))
def test_eight_series_have_eight_colours(names: list[str]) -> None:
    assert len({one.fill for one in look.of_names(names)}) == len(names)


def test_more_than_there_are_slots_share_them() -> None:
    assert len(look.of_names([str(number) for number in range(20)])) == 20


def test_a_sparkline_needs_two_values() -> None:
    assert sparkline([None, 3, None]) is None
    assert sparkline([1, None, 2]) == ("M0.5 500h0M2.5 0h0", 3, "")
    assert sparkline([0, 0]) == ("M0.5 1000h0L1.5 1000", 2, "")
    peak = sparkline([1, None, 4_200_000_000], NANOUSD)
    assert peak and "<title>Peak: $4.20</title>" in spark(peak) and "<title>" not in spark(sparkline([0, 0]))


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), max_size=90))
def test_thinning_loses_nothing(values: list[int]) -> None:
    thin = thinned(values, sum)
    assert sum(thin) == sum(values) and len(thin) <= 28


def test_a_strip_has_a_cell_for_each_stretch() -> None:
    requests, failed = [10] * 5 + [0] * 6, [0, 1, 3, 0, 0] + [0] * 6
    line = with_gap(timeline(), datetime(2026, 11, 23, 5, tzinfo=UTC), 60)
    strip = StatusStrip("claude", BLUE, line, requests, failed)
    assert strip.svg.count("<title>") == 11
    assert re.findall(r'<rect class="([\w ]+)"', strip.svg)[:5] == ["ok", "warn", "fail", "notch", "ok"]
    assert "03:00–04:00 · Requests: 10 · 100%" in strip.svg
    assert "05:00–06:00 · Requests: 0 · no data collected" in strip.svg and 'class="hatched"' in strip.svg
    assert strip.rate == 0.92
    assert StatusStrip("quiet", BLUE, line, [0] * 11, [0] * 11).rate is None


def test_a_long_period_has_few_cells() -> None:
    line = timeline("7d")
    assert StatusStrip("x", BLUE, line, [1] * line.begun, [0] * line.begun).svg.count("<title>") <= 48


def hours(*values: int, gap: int | None = None) -> list[Hour]:
    first = datetime(2026, 11, 23, tzinfo=UTC)  # a Monday
    return [Hour(first + timedelta(hours=at), value, at == gap) for at, value in enumerate(values)]


def test_a_cell_is_the_average_of_its_hours() -> None:
    week = hours(*[4] * 168, *[8] * 24)
    averages = Heatmap("Requests", REQUESTS, week).averages
    assert averages[0, 5] == 6 and averages[1, 5] == 4 and len(averages) == 168


def test_a_cell_without_collection_is_no_zero() -> None:
    found = Heatmap("Requests", REQUESTS, hours(5, 0, 0, gap=1))
    assert found.averages == {(0, 0): 5, (0, 1): None, (0, 2): 0}
    assert 'class="gap" title="Mon 01:00 · no data collected"' in found.table
    assert 'class="heat-0" title="Mon 02:00 · 0"' in found.table


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=168))
def test_more_is_never_lighter(values: list[int]) -> None:
    found = Heatmap("Requests", REQUESTS, hours(*values))
    steps = [
        (int(value), int(step)) for step, value in re.findall(r'class="heat-(\d)" title="[^·]* · (\d+)"', found.table)
    ]
    assert all(0 <= step <= 6 for _value, step in steps)
    assert [step for _value, step in sorted(steps)] == sorted(step for _value, step in steps)


def test_output_is_seen_beside_what_is_read_from_the_cache() -> None:
    usage = Usage(requests=1, uncached_input=50, cache_read=900, output=40, reasoning=10)
    mix = Mix(usage, {"uncached_input": 10, "cache_read": 20, "output": 50, "reasoning": 20})
    (_tokens, tokens), (_cost, cost) = mix.bars
    assert [piece.width for piece in tokens] == [5.0, 90.0, 4.0, 1.0]
    assert [piece.width for piece in cost] == [10.0, 20.0, 50.0, 20.0] and cost[2].x == 30.0
    assert [part.share_of_cost for part in mix.parts] == [0.1, None, 0.2, 0.5, 0.2]
    assert "unclassified" not in [part.key for part in mix.parts]


def test_what_costs_nothing_has_no_bar_of_costs() -> None:
    mix = Mix(Usage(requests=1, output=40), {})
    assert [name for name, _pieces in mix.bars] == ["Tokens"]
    assert {part.cost for part in mix.parts} == {None}


def test_what_is_for_no_tokens_is_a_part_of_its_own() -> None:
    mix = Mix(Usage(requests=1, output=40), {"other": 5, "output": 15})
    assert [(part.tokens, part.cost) for part in mix.parts if part.cost] == [(40, 15), (None, 5)]
