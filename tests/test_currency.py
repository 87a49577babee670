"""Pages show money in USD, or in CNY at the operator's rate; what is kept and exported stays USD."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.currency import USD, Currency, read_currency
from tests.conftest import process_environment
from tests.sample_prices import make_sample_prices
from tests.sample_usage import make_sample_usage
from usage import formats
from usage.models import Instance

YUAN = Currency("CNY", "¥", Decimal("7.20"), date(2026, 11, 20))
RATE = "7.20 CNY per USD (2026-11-20)"


@pytest.fixture
def yuan(settings: Any) -> None:
    settings.CURRENCY = YUAN


class TestSettings:
    @pytest.mark.parametrize("code", ["", "USD", "usd"])
    def test_usd_needs_no_rate(self, code: str) -> None:
        assert read_currency(code, "", "") == USD

    def test_cny_with_its_rate_and_day(self) -> None:
        assert read_currency("CNY", "7.20", "2026-11-20") == YUAN

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (("EUR", "1", "2026-11-20"), "CURRENCY=EUR: pages show money in USD or in CNY"),
            (("CNY", "", "2026-11-20"), "CNY_PER_USD=: CURRENCY=CNY needs what a USD is worth"),
            (("CNY", "0", "2026-11-20"), "a number above 0"),
            (("CNY", "-7.2", "2026-11-20"), "a number above 0"),
            (("CNY", "10000", "2026-11-20"), "below 10000"),
            (("CNY", "7,2", "2026-11-20"), "CNY_PER_USD=7,2"),
            (("CNY", "NaN", "2026-11-20"), "CNY_PER_USD=NaN"),
            (("CNY", "7.1234567", "2026-11-20"), "6 decimals at most"),
            (("CNY", "7.2", ""), "CNY_RATE_DATE=: CURRENCY=CNY needs the day of its rate"),
            (("CNY", "7.2", "20.11.2026"), "such as 2026-11-20"),
            (("CNY", "7.2", "9999-01-01"), "not one to come"),
        ],
    )
    def test_what_is_wrong_is_told(self, values: tuple[str, str, str], words: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=words):
            read_currency(*values)

    def test_nothing_starts_with_a_wrong_one(self, tmp_path: Path) -> None:
        environment = process_environment(tmp_path) | {"CURRENCY": "CNY", "CNY_PER_USD": "seven"}
        command = [sys.executable, "manage.py", "check"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode != 0 and "CNY_PER_USD=seven" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "¥0.00"),
        (1, "<¥0.0001"),
        (-1, ">\u2212¥0.0001"),
        (100_000_000, "¥0.7200"),
        (3_179_520_000_000, "¥22,892.54"),
        (-1_200_000_000, "\u2212¥8.64"),
        (13_888_888 * formats.NANO, "¥100M"),
    ],
)
def test_money_in_yuan(yuan: None, nanousd: int, text: str) -> None:
    assert formats.money(nanousd) == text


def test_exact_amount_stays_usd_and_names_rate_and_day(yuan: None) -> None:
    assert formats.exact_money(12_345_678_912) == f"$12.345678912 · {RATE}"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nanousd=st.integers(1, 13_000 * 10**9), units=st.integers(1, 10**10 - 1))
def test_shown_is_within_half_of_its_last_digit(settings: Any, nanousd: int, units: int) -> None:
    settings.CURRENCY = YUAN._replace(per_usd=Decimal(units).scaleb(-6))
    value, text = Fraction(nanousd * units, 10**15), formats.money(nanousd)
    if text.startswith("<"):
        assert value < Fraction(1, 10_000)
    elif text[-1].isdigit():
        shown = text.removeprefix("¥").replace(",", "")
        half = Fraction(1, 2 * 10 ** len(shown.partition(".")[2]))
        assert abs(Fraction(shown) - value) <= half + Fraction(1, 10**9)


@pytest.mark.django_db
class TestPages:
    @pytest.fixture
    def html(self, yuan: None, instance: Instance, admin_client: Client) -> Any:
        now = datetime.now(UTC)
        make_sample_usage(instance, now - timedelta(seconds=1))
        make_sample_prices(now)
        return lambda address: admin_client.get(address).content.decode()

    def test_every_cost_is_in_yuan_and_the_footnote_says_how(self, html: Any) -> None:
        for address in ("/channels/?range=all&open=claude", "/prices/"):
            page = html(address)
            shown = re.sub(r"<[^>]+>", "", page)
            assert "¥" in shown and "$" not in shown
            assert f"Shown at {RATE}." in page

    def test_title_of_a_cost_is_in_usd(self, html: Any) -> None:
        assert f'title="$15.30 · {RATE}">¥110.16</span>' in html("/channels/?range=all")  # 102 requests of $0.15

    def test_prices_stay_usd(self, html: Any) -> None:
        page = html("/prices/")
        assert "All prices are USD per 1 M tokens unless stated." in page
        assert '<td class="number" data-label="Output">25.00</td>' in page

    def test_api_and_csv_stay_usd(self, html: Any) -> None:
        assert '"nanousd":15300000000' in html("/api/channels/?range=all").replace(" ", "")
        assert "claude-opus-4-6,,,,,,,0," in html("/api/prices/?format=csv")

    def test_in_usd_nothing_is_said_of_a_rate(self, html: Any, settings: Any) -> None:
        settings.CURRENCY = USD
        assert "Shown at" not in html("/channels/") and "¥" not in html("/channels/?range=all")
