"""Columns are moved by keys, by buttons, and without JavaScript by buttons of a form."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from usage.models import Instance

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def heads(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".table.usage thead th").all_inner_texts()[1:]]


def test_columns_are_moved_by_keys(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    before = heads(page)
    page.locator("#columns-menu").click()
    box = page.get_by_role("checkbox", name="p50", exact=True)
    box.focus()
    page.keyboard.press("Space")
    for _time in range(30):  # which is further than there are places
        page.keyboard.press("ArrowUp")
    expect(box).to_be_focused()
    expect(page.locator("#live")).to_contain_text("p50: 1 / ")
    page.get_by_role("button", name="Move down: p50").click()
    page.get_by_role("button", name="Apply").last.click()
    expect(page.locator(".table.usage thead th").nth(2)).to_have_text("p50")
    assert heads(page) == [before[0], "p50", *before[1:]]


def test_without_javascript_a_button_moves_a_column(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/", javascript=False)
    first, second, *rest = heads(page)
    page.locator("#columns-menu").click()
    with page.expect_navigation():
        page.get_by_role("button", name=f"Move down: {first}", exact=True).click()
    assert heads(page) == [second, first, *rest]
    page.locator("#columns-menu").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Usual columns").click()
    assert heads(page) == [first, second, *rest]


def test_what_a_column_means(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    meanings, button = page.locator("#columns-explained"), page.get_by_role("button", name="What is “Cache hit”?")
    shown = meanings.locator("[data-of]:visible")
    button.click()
    expect(shown).to_have_text(["Cache hitCached ÷ input"])
    page.get_by_role("button", name="What is “Tokens”?").click()  # it moves there at once
    expect(shown).to_have_text(["TokensInput + output + unclassified"])
    page.keyboard.press("Escape")
    expect(meanings).to_be_hidden()
    expect(page.get_by_role("button", name="What is “Tokens”?")).to_be_focused()
    page.get_by_role("button", name="What the columns mean").click()
    assert shown.count() > 10
    without = open_page("/channels/", javascript=False)
    without.get_by_role("button", name="What is “Cache hit”?").click()
    expect(without.locator("#columns-explained")).to_contain_text("Answer + reasoning")
