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
    return page.locator(".table.usage thead th").all_inner_texts()[1:]


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
