from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from channels_app.stats import Usage
from usage import formats

NANO = formats.NANO


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (980, "980"),
        (999, "999"),
        (1_000, "1.00K"),
        (1_234, "1.23K"),
        (9_995, "10.0K"),
        (12_345, "12.3K"),
        (12_350, "12.4K"),
        (99_949, "99.9K"),
        (99_950, "100K"),
        (999_499, "999K"),
        (999_500, "1.00M"),
        (10**9 - 500_001, "999M"),
        (10**9 - 500_000, "1.00B"),
        (10**9, "1.00B"),
        (5_120_000_000, "5.12B"),
        (10**12, "1.00T"),
        (999 * 10**12, "999T"),
        (1234 * 10**12, "1,234T"),
        (-1_234, "\u22121.23K"),
    ],
)
def test_tokens_have_three_significant_digits(value: int, text: str) -> None:
    assert formats.compact(value) == text


@given(st.integers(0, 10**15 - 10**12))
def test_compact_never_shows_a_thousand_of_a_unit(value: int) -> None:
    text = formats.compact(value)
    assert len(text.rstrip("KMBT").replace(".", "")) <= 3


@given(st.integers(0, 10**14))
def test_compact_is_within_half_of_its_last_digit(value: int) -> None:
    text = formats.compact(value)
    unit = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(text[-1], 1)
    digits = text.rstrip("KMBT")
    step = unit // 10 ** len(digits.partition(".")[2])
    shown = int(digits.replace(".", "")) * step
    assert abs(shown - value) * 2 <= step


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "1.00万"),
        (12_345, "1.23万"),
        (123_456, "12.3万"),
        (9_999_499, "1,000万"),
        (12_345_678, "1,235万"),
        (99_994_999, "9,999万"),
        (99_995_000, "1.00亿"),
        (5_120_000_000, "51.2亿"),
        (10**12, "1.00万亿"),
        (-12_345, "\u22121.23万"),
    ],
)
def test_units_of_ten_thousand(value: int, text: str) -> None:
    with formats.units_decided_by(lambda: formats.MYRIADS):
        assert formats.compact(value) == text
    assert "万" not in formats.compact(value)


@given(st.integers(0, 10**15))
def test_units_of_ten_thousand_are_within_half_of_their_last_digit(value: int) -> None:
    with formats.units_decided_by(lambda: formats.MYRIADS):
        text = formats.compact(value)
    digits = text.rstrip("万亿").replace(",", "")
    unit = {"万": 10**4, "亿": 10**8, "万亿": 10**12, "": 1}[text.replace(",", "")[len(digits) :]]
    step = unit // 10 ** len(digits.partition(".")[2])
    assert abs(int(digits.replace(".", "")) * step - value) * 2 <= step
    assert float(digits) < 10_000 or value >= 9_999 * 10**12


@pytest.mark.parametrize(
    ("value", "text"),
    [(49_421, "49,421"), (9_999_999, "9,999,999"), (10_000_000, "10.0M"), (-49_421, "\u221249,421"), (0, "0")],
)
def test_counts_are_exact_up_to_seven_digits(value: int, text: str) -> None:
    assert formats.count(value) == text


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (1, "<$0.0001"),
        (99_999, "<$0.0001"),
        (100_000, "$0.0001"),
        (64_300_000, "$0.0643"),
        (64_350_000, "$0.0644"),
        (999_949_999, "$0.9999"),
        (999_950_000, "$1.00"),
        (NANO, "$1.00"),
        (1_005_000_000, "$1.01"),
        (3_179_520_000_000, "$3,179.52"),
        (99_999_994_999_999, "$99,999.99"),
        (99_999_995_000_000, "$100K"),
        (1_234_567 * NANO, "$1.23M"),
        (-1_200_000_000, "\u2212$1.20"),
        (-1, ">\u2212$0.0001"),
    ],
)
def test_money(nanousd: int, text: str) -> None:
    assert formats.money(nanousd) == text


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [(0, "$0.00"), (12_300_000_000, "$12.30"), (12_345_678_912, "$12.345678912"), (-1_500_000_000, "\u2212$1.50")],
)
def test_exact_money_keeps_every_decimal(nanousd: int, text: str) -> None:
    assert formats.exact_money(nanousd) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0%"),
        (0.0004, "<0.1%"),
        (0.001, "0.1%"),
        (0.124, "12.4%"),
        (0.12345, "12.3%"),
        (0.9785, "97.9%"),
        (0.98949, "98.9%"),
        (0.99, "99.00%"),
        (0.999, "99.90%"),
        (0.9996, "99.96%"),
        (0.99996, "99.99%"),
        (99_999_999 / 100_000_000, "99.99%"),
        (1.0, "100%"),
        (-0.05, "\u22125.0%"),
    ],
)
def test_percent(ratio: float, text: str) -> None:
    assert formats.percent(ratio) == text


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_percent_says_100_only_when_exact(whole: int, missing: int) -> None:
    ratio = max(whole - missing, 0) / whole
    assert (formats.percent(ratio) == "100%") == (ratio == 1)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (820, "820 ms"),
        (8_420, "8.42 s"),
        (9_995, "10.0 s"),
        (38_200, "38.2 s"),
        (59_950, "1 m 00 s"),
        (184_000, "3 m 04 s"),
        (900_000, "15 m 00 s"),
        (7_500_000, "2 h 05 m"),
        (86_369_999, "23 h 59 m"),
        (86_400_000, "1 d 0 h"),
        (106 * 3_600_000, "4 d 10 h"),
    ],
)
def test_durations(milliseconds: int, text: str) -> None:
    assert formats.duration(timedelta(milliseconds=milliseconds)) == text


def test_how_long_ago() -> None:
    now = datetime(2026, 11, 23, 18, 12, 5, tzinfo=UTC)
    spans = {8: "8 s ago", 60: "1 m ago", 3_599: "59 m ago", 7_200: "2 h ago", 200_000: "2 d ago", -5: "0 s ago"}
    assert {span: formats.ago(now - timedelta(seconds=span), now) for span in spans} == spans
    with translation.override("zh-hans"):
        assert formats.ago(now - timedelta(seconds=8), now) == "8 秒前"


def test_minutes_are_local_and_name_another_year() -> None:
    shanghai, now = ZoneInfo("Asia/Shanghai"), datetime(2026, 11, 23, 10, 12, tzinfo=UTC)
    assert formats.minute(now, shanghai, now) == "11-23 18:12"
    assert formats.minute(datetime(2025, 12, 31, 23, tzinfo=UTC), shanghai, now) == "01-01 07:00"
    assert formats.minute(datetime(2025, 12, 31, 3, tzinfo=UTC), shanghai, now) == "2025-12-31 11:00"


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "UTC"),
        ("Asia/Shanghai", "UTC+8"),
        ("Asia/Kolkata", "UTC+5:30"),
        ("America/St_Johns", "UTC\u22123:30"),
        ("America/New_York", "UTC\u22125"),
    ],
)
def test_utc_offsets(zone: str, text: str) -> None:
    assert formats.utc_offset(datetime(2026, 1, 15, tzinfo=ZoneInfo(zone))) == text


def rendered(source: str, **context: object) -> str:
    return Template("{% load formats %}" + source).render(Context(context))


@pytest.mark.parametrize("name", ["count", "tokens", "money", "percent"])
def test_what_does_not_exist_is_a_labelled_dash(name: str) -> None:
    html = rendered("{{ value|" + name + " }}", value=None)
    assert "\u2014" in html and 'aria-label="no data"' in html


def test_compact_numbers_carry_the_exact_value() -> None:
    html = rendered("{{ value|tokens }}", value=1_234_567)
    assert html == '<span data-value="1234567" title="1,234,567">1.23M</span>'
    assert "title" not in rendered("{{ value|tokens }}", value=12)


@pytest.mark.parametrize(
    ("usage", "shown", "hidden"),
    [
        (Usage(requests=2, uncached_input=10, priced_requests=2, priced_tokens=10, cost_nanousd=NANO), "$1.00", "≥"),
        (Usage(requests=2, uncached_input=10, priced_requests=1, priced_tokens=5, cost_nanousd=NANO), "≥", "unpriced"),
        (Usage(requests=2, uncached_input=10), "unpriced", "$"),
        (Usage(requests=2, failed=2), "\u2014", "$"),
        (Usage(), "$0.00", "unpriced"),
    ],
)
def test_cost_says_how_far_it_is_known(usage: Usage, shown: str, hidden: str) -> None:
    html = rendered("{% cost usage %}", usage=usage)
    assert shown in html and hidden not in html


def test_partial_cost_names_its_coverage() -> None:
    usage = Usage(requests=2, uncached_input=1000, priced_requests=1, priced_tokens=873, cost_nanousd=NANO)
    assert "Prices cover 87.3% of the tokens" in rendered("{% cost usage %}", usage=usage)


@pytest.mark.parametrize(
    ("requests", "failed", "icon"),
    [(100, 0, ""), (100, 5, ""), (100, 6, "i-warn"), (100, 20, "i-warn"), (100, 21, "i-fail"), (19, 19, "")],
)
def test_success_is_judged_from_twenty_requests_on(requests: int, failed: int, icon: str) -> None:
    html = rendered("{% success usage %}", usage=Usage(requests=requests, failed=failed))
    assert [name for name in ("i-warn", "i-fail") if name in html] == ([icon] if icon else [])
    assert ("few requests" in html) == (requests < 20)
