from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_in_the_browser import ACCESSIBILITY, background, clipped, overflow
from tests.sample_prices import make_sample_prices
from usage.models import Instance

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
ADDRESSES = ["/prices/", "/prices/?model=gpt-5-codex&tier=priority&input_tokens=300000", "/prices/?show=unpriced"]


@pytest.fixture
def prices(sample: Instance) -> None:
    make_sample_prices(timezone.now())


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_fits_its_window(open_page: Open, prices: None, address: str, language: str) -> None:
    phone = open_page(address, width=390, language=language)
    assert phone.evaluate("innerWidth") == 390
    assert (overflow(phone), clipped(phone)) == (0, [])
    page = open_page(address, language=language, theme="dark")
    for width in (320, 719, 720, 1099, 1100, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, overflow(page), clipped(page)) == (width, 0, [])


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_basics_of_accessibility(open_page: Open, prices: None, address: str) -> None:
    assert open_page(address).evaluate(ACCESSIBILITY) == []


def test_the_dark_page_is_dark_throughout(open_page: Open, prices: None) -> None:
    light, dark = open_page("/prices/"), open_page("/prices/", theme="dark")
    assert background(light) != background(dark)
    script = """() => [...document.querySelectorAll("main *")].map(e => getComputedStyle(e).backgroundColor)
        .filter(c => c.startsWith("rgb(") && c.match(/\\d+/g).every(part => part > 128))"""
    assert set(dark.evaluate(script)) <= {"rgb(236, 238, 241)"}  # the primary button


@pytest.mark.parametrize("javascript", [True, False])
def test_searching_filtering_and_testing(open_page: Open, prices: None, javascript: bool) -> None:
    page = open_page("/channels/", javascript=javascript)
    page.locator("nav").get_by_role("link", name="Prices").click()
    expect(page.locator("nav a[aria-current=page]")).to_have_text(re.compile("Prices"))
    page.get_by_role("link", name="Manual").click()
    page.get_by_label("Search models and patterns").fill("house")
    page.keyboard.press("Enter")
    expect(page.locator("tr[id^=price]")).to_have_count(1)
    assert page.url.endswith("?show=manual&q=house")
    page.get_by_label("Model", exact=True).fill("claude-opus-4-6")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("Its price is that of claude-opus-4-6")).to_be_visible()
