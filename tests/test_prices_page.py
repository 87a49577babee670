"""The Prices page: what it shows, to whom, and what staff can do on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from tests.sample_prices import make_sample_prices
from tests.sample_usage import make_sample_usage
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from usage.models import Instance, ModelPrice

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
PATTERNS = ["claude-*", "claude-opus-4-6", "gpt-5-codex", "gpt-5-codex", "house-model-*"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_user("reader"))
    return client


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    return client


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, NOW)
    make_sample_prices(NOW)
    return instance


def page(client: Client, address: str = "/prices/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def text_of(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def rows(html: str, label: str = "Prices, USD per 1 M tokens") -> list[list[str]]:
    """The cells of the table with this caption, as text."""
    if label not in html:
        return []
    table = html[html.index(f">{label}</caption>") :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    cells = [re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[text_of(cell) for cell in row] for row in cells]


# What it shows


def test_who_is_not_signed_in_goes_to_the_login(client: Client) -> None:
    assert client.get("/prices/")["Location"] == "/login/?next=/prices/"


def test_without_prices_it_says_where_they_come_from(reader: Client) -> None:
    html = page(reader)
    assert "No prices yet" in html and "<table" not in html


def test_models_without_a_price_come_first_with_their_traffic(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert [row[:3] for row in rows(html, "Unpriced models")] == [
        ["mystery-model", "20", "2.00M"],
        ["gpt-5-codex", "10", "1.00M"],
    ]
    assert "It has prices" in html
    assert html.index("Unpriced models") < html.index("USD per 1 M tokens</caption>")


def test_a_row_says_all_that_a_price_says(reader: Client, sample: Instance) -> None:
    found = {row[0].split()[0]: row[1:] for row in rows(page(reader)) if row[7] != "none" or "codex" not in row[0]}
    assert found["claude-opus-4-6"][:8] == ["5.00", "0.50", "6.25", "25.00", "= output", "—", "none", "× 1"]
    assert found["claude-opus-4-6"][8] == "genai-prices 11-23 10:30"
    assert found["claude-opus-4-6"][9:11] == ["always", "1 model · $15.60"]
    assert found["gpt-5-codex"][6] == "codex priority > 272K"
    assert found["house-model-*"] == [
        "0.000001", "= input", "= input", "0.00", "4.00", "0.01", "none", "× 0.3", "Manual 11-23 10:30", "always", "—",
    ]  # fmt: skip


def test_names_and_patterns_are_told_apart_and_locks_shown(reader: Client, sample: Instance) -> None:
    names = [row[0] for row in rows(page(reader))]
    assert names[:2] == ["claude-* wildcard locked", "claude-opus-4-6 exact"]


def test_a_pattern_matches_what_is_left_to_it(reader: Client, sample: Instance) -> None:
    assert rows(page(reader))[0][11] == "1 model · $1.50"


@pytest.mark.parametrize(
    ("query", "patterns"),
    [
        ("", PATTERNS),
        ("?show=manual", ["claude-*", "gpt-5-codex", "gpt-5-codex", "house-model-*"]),
        ("?show=synced", ["claude-opus-4-6"]),
        ("?show=unused", ["house-model-*"]),
        ("?show=unpriced", []),
        ("?show=bogus&page=99&input_tokens=x", PATTERNS),
        ("?q=OPUS", ["claude-opus-4-6"]),
        ("?q=nothing", []),
    ],
)
def test_prices_are_searched_and_filtered_by_the_address(
    reader: Client, sample: Instance, query: str, patterns: list[str]
) -> None:
    assert [row[0].split()[0] for row in rows(page(reader, f"/prices/{query}"))] == patterns


def test_filters_say_how_many_and_keep_the_search(reader: Client, sample: Instance) -> None:
    html = page(reader, "/prices/?q=claude")
    tabs = html[html.index('class="tabs"') :]
    assert text_of(tabs[: tabs.index("</nav>")]).endswith("All 5 Manual 4 Synced 1 Unpriced 2 Unused 1")
    assert 'href="?q=claude&amp;show=unused"' in html and 'value="claude"' in html
    assert "No price matches" in page(reader, "/prices/?q=nothing")


def test_many_prices_come_in_pages(reader: Client, db: None) -> None:
    ModelPrice.objects.bulk_create(ModelPrice(pattern=f"m-{n:03}", input=1, output=1) for n in range(130))
    assert len(rows(page(reader))) == 100
    last = page(reader, "/prices/?page=2")
    assert len(rows(last)) == 30 and "Page 2 of 2" in last and 'href="?"' in last


# The test box


def test_the_box_tells_which_price_wins_and_why_not_another(reader: Client, sample: Instance) -> None:
    caption = "All prices that fit, in the order in which they are tried"
    html = page(reader, "/prices/?model=gpt-5-codex&tier=priority&input_tokens=300,000&provider=codex")
    assert "Its price is that of gpt-5-codex · codex · priority · &gt; 272,000: input 2.50, output 20.00." in html
    assert [row[-1] for row in rows(html, caption)] == [
        "wins It counts: all its conditions hold, and no price before it fits.",
        "A price for this provider comes before one for any.",
    ]
    assert "It is for another provider." in rows(page(reader, "/prices/?model=GPT-5-codex"), caption)[0][-1]


def test_the_box_says_what_is_unpriced(reader: Client, sample: Instance) -> None:
    assert "no name or pattern fits this model" in page(reader, "/prices/?model=mystery-model")
    ModelPrice.objects.filter(service_tier="").delete()
    assert "no price holds for such a request" in page(reader, "/prices/?model=gpt-5-codex")


def test_what_is_typed_is_never_taken_for_html(reader: Client, sample: Instance) -> None:
    assert "<script>alert" not in page(reader, "/prices/?model=<script>alert(1)</script>&q=<script>alert(1)</script>")


# Around it


def test_the_page_is_reached_from_every_page_and_from_what_has_no_price(reader: Client, sample: Instance) -> None:
    assert '<a href="/prices/" title="Prices" aria-current="page">' in page(reader)
    channels = page(reader, "/channels/?range=24h")
    assert '<a href="/prices/" title="Prices">' in channels and '<a class="unpriced" href="/prices/"' in channels
    assert '<a href="/prices/">Prices</a>' in page(reader, "/collector/")


@pytest.mark.parametrize("query", ["", "?show=unpriced", "?model=gpt-5-codex", "?q=nothing", "?model=x"])
def test_no_state_falls_back_to_english(admin_client: Client, sample: Instance, chinese: None, query: str) -> None:  # noqa: F811
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert set(leftovers(page(admin_client, f"/prices/{query}"))) <= {"genai-prices", "priority"}
