from __future__ import annotations

import json
import re
from datetime import time
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.looks import ACCESSIBILITY, fits_every_width
from tests.factories import book, payload
from tests.sample_prices import make_sample_prices
from usage.models import Account, Instance, ModelPrice, PriceMultiplier

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def prices(sample: Instance) -> int:
    """The id of one of them."""
    make_sample_prices(timezone.now())
    account = Account.objects.get(label__startswith="很长")
    ModelPrice.objects.create(
        pattern="claude-opus-4-6", input=1, output=2, account=account, daily_from=time(16, 30), daily_until=time(0, 30)
    )
    PriceMultiplier.objects.create(account=account, factor=Decimal("0.3"))
    return ModelPrice.objects.get(pattern="claude-opus-4-6", account=None).pk


@pytest.mark.parametrize("javascript", [True, False])
def test_searching_filtering_and_testing(open_page: Open, prices: int, javascript: bool) -> None:
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


@pytest.mark.parametrize("javascript", [True, False])
def test_a_price_is_added_checked_and_deleted(open_page: Open, prices: int, javascript: bool) -> None:
    page = open_page("/prices/", javascript=javascript)
    page.get_by_role("link", name="Add price mystery-model").click()
    page.get_by_label("Input", exact=True).fill("2")
    page.get_by_label("Output", exact=True).fill("-4")
    page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#id_output_error")).to_be_visible()
    expect(page.get_by_label("Input", exact=True)).to_have_value("2")
    page.get_by_label("Output", exact=True).fill("4")
    page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#effect")).to_contain_text("$0.00 → $0.00")  # in force from now on
    page.get_by_label("Effective from").fill("")
    page.get_by_label("Recalculate them from a date").check()
    page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#effect")).to_contain_text("$0.00 → $4.24")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("20 requests recalculated")).to_be_visible()
    page.get_by_role("link", name="Edit mystery-model").click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("mystery-model: deleted.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_pattern_tells_what_it_matches(open_page: Open, prices: int, javascript: bool) -> None:
    page = open_page("/prices/add/", javascript=javascript)
    page.get_by_label("Model or pattern").press_sequentially("claude-*")
    if not javascript:
        page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#matches")).to_have_text(
        re.compile(r"Matches 2 models of the last 30 days:\s+claude-opus-4-6")
    )
    if javascript:
        page.get_by_label("Model or pattern").fill("nothing-*")
        expect(page.locator("#matches")).to_have_text("Matches no model of the last 30 days.")


def choose_file(page: Page, name: str, content: str) -> None:
    page.set_input_files("#id_file", {"name": name, "mimeType": "text/plain", "buffer": content.encode()})
    page.get_by_role("button", name="Preview").click()


def a_list() -> str:
    """One model is new, one has changed, one is ambiguous, and one is locked."""
    cost = {"input": 2, "output": 10}
    vendors = {
        "openai": {"mystery-model": cost, "gpt-5-codex": cost},
        "anthropic": {"claude-opus-4-6": cost},
        "a": {"a-rather-long-name-of-a-model-that-others-sell-too": cost},
        "b": {"a-rather-long-name-of-a-model-that-others-sell-too": cost | {"input": 9}},
    }
    return json.dumps(
        {
            vendor: {"models": {name: {"cost": cost} for name, cost in models.items()}}
            for vendor, models in vendors.items()
        }
    )


@pytest.fixture
def list_to_sync(sample: Instance, prices: int) -> str:
    ModelPrice.objects.filter(pattern="claude-*").delete()
    book(sample, payload(timezone.now(), model="a-rather-long-name-of-a-model-that-others-sell-too"))
    return a_list()


@pytest.mark.parametrize("javascript", [True, False])
def test_list_is_previewed_chosen_from_and_applied(open_page: Open, list_to_sync: str, javascript: bool) -> None:
    page = open_page("/prices/", javascript=javascript)
    page.get_by_role("link", name="Sync…").click()
    page.get_by_label("models.dev, from").check()
    choose_file(page, "list.json", list_to_sync[:100])
    expect(page.locator("#id_file_error")).to_contain_text("list.json is not the JSON of a price list")
    expect(page.get_by_label("models.dev, from")).to_be_checked()
    choose_file(page, "list.json", list_to_sync)
    expect(page.get_by_role("button", name="Apply 2 changes")).to_be_visible()
    page.get_by_role("checkbox", name="claude-opus-4-6").uncheck()
    page.get_by_role("radio", name="b/a-rather-long-name").check()
    if javascript:
        page.get_by_role("checkbox", name="mystery-model").uncheck()
        expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible()
        page.get_by_role("checkbox", name="mystery-model").check()
    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.get_by_text("2 prices written from models.dev.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("2 prices written from models.dev.")).to_be_visible()
    expect(page.locator("tbody")).to_contain_text("mystery-model")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_preview_fits_its_window(open_page: Open, list_to_sync: str, language: str) -> None:
    page = open_page("/prices/sync/", language=language, theme="dark")
    page.locator("#id_source_1").check()
    page.set_input_files("#id_file", {"name": "l.json", "mimeType": "text/plain", "buffer": list_to_sync.encode()})
    page.locator(".price-form .primary").click()
    expect(page.locator("#ambiguous-title")).to_be_visible()
    _check_every_width(page)
    page.locator("[data-many]").click()
    expect(page.locator(".banner.success")).to_be_visible()
    _check_every_width(page)
    page = open_page("/prices/import/", language=language)
    content = "pattern,input,output\nnew-*,1,2\nclaude-opus-4-6,4,25\n"
    for text in (content + "bad,-1,x\n", content):
        page.set_input_files("#id_file", {"name": "p.csv", "mimeType": "text/csv", "buffer": text.encode()})
        page.locator(".price-form .primary").click()
        expect(page.locator("main table").first).to_be_visible()
        _check_every_width(page)


def _check_every_width(page: Page) -> None:
    assert page.evaluate(ACCESSIBILITY) == []
    fits_every_width(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_prices_leave_as_a_file_and_come_back(open_page: Open, prices: int, javascript: bool) -> None:
    page = open_page("/prices/", javascript=javascript)
    with page.expect_download() as leaving:
        page.get_by_role("link", name="Export CSV").click()
    content = leaving.value.path().read_text("utf-8").replace(",5,0.5,6.25,25,", ",4,0.5,6.25,25,")
    page.get_by_role("link", name="Import CSV…").click()
    choose_file(page, "prices.csv", content)
    expect(page.locator("main")).to_contain_text("input 5 → 4")
    page.get_by_role("button", name="Apply 1 change").click()
    expect(page.get_by_text("1 row written.")).to_be_visible()
    assert ModelPrice.objects.get(pk=prices).input == 4


@pytest.mark.parametrize("javascript", [True, False])
def test_a_multiplier_is_added_checked_and_deleted(open_page: Open, prices: int, javascript: bool) -> None:
    page = open_page("/prices/", javascript=javascript)
    page.get_by_role("link", name="Multipliers").click()
    page.get_by_role("link", name="Add multiplier").click()
    page.get_by_label("Account").select_option("claude · alice@example.com")
    page.get_by_label("Multiplier", exact=True).fill("-1")
    page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#id_factor_error")).to_be_visible()
    page.get_by_label("Multiplier", exact=True).fill("0.5")
    page.get_by_label("Effective from").fill("")
    page.get_by_role("button", name="Check the effect").click()
    expect(page.locator("#effect")).to_contain_text("$17.46 → $8.73")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("claude · alice@example.com × 0.5: saved.")).to_be_visible()
    page.get_by_role("link", name="Edit claude · alice@example.com × 0.5").click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("× 0.5: deleted.")).to_be_visible()
