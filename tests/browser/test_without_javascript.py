"""Each view of the demo without JavaScript: its data, its filters, its order and its further pages."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from usage.demo.seeding import seed
from usage.demo.views import views

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
# Data that cannot be seen, or only in what has to be opened first; and what can be seen, but would do nothing.
_TROUBLES = """() => {
  const all = (selector, words, isBad) => [...document.querySelectorAll("main " + selector)].filter(isBad)
    .map(e => words + ": " + (e.caption || e).textContent.trim().slice(0, 80));
  const holdsNothing = e => e.matches("form") && ![...e.querySelectorAll("*")].some(one => one.type !== "hidden");
  const isMenu = e => e.closest("details.menu, [popover]");
  return [
    ...all("table, main form, main figure", "unseen", e => !e.checkVisibility() && !isMenu(e) && !holdsNothing(e)),
    ...all("button[type=button]:not([popovertarget]), [data-filter-box], [data-typing]", "does nothing", e => e.checkVisibility()),
    ...all("a", "leads nowhere", e => ["", "#", null].includes(e.getAttribute("href"))),
  ];
}"""
# One link of each kind by which a page is asked for another order, part or further rows.
_KINDS = ("[rel=next]", "thead th a", ".tabs a", ".choices-of a", ".legend a", ".toggle")


@pytest.mark.long
def test_every_view(open_page: Open, site: str) -> None:
    seed(seed=7, days=35, records=500, now=timezone.now())
    page, found, kinds = open_page("/", javascript=False), list[str](), set[tuple[str, bool]]()
    for name, address in views().items():
        answer = page.goto(site + address)
        assert answer and answer.status == 200, name
        found += [f"{name}: {trouble}" for trouble in page.evaluate(_TROUBLES)]
        _empty, section, *rest = urlsplit(address).path.split("/")
        if page.locator("form.filters").count() and (kind := (section, len(rest) > 1)) not in kinds:
            kinds.add(kind)
            _check_links(page)
            _check_filters(page)
    assert not found, "\n".join(found)
    assert len(kinds) == 11


def _check_links(page: Page) -> None:
    for links in map(page.locator("main").locator, _KINDS):
        if links.count():
            answer = page.request.get(str(links.first.evaluate("link => link.href")))
            assert answer.status == 200 and answer.text() != page.content(), links


def _check_filters(page: Page) -> None:
    """A menu opens, what is chosen in it is applied, and taken back."""
    menus = page.locator("form.filters details.choose").filter(has=page.locator("input[type=checkbox]:not(:checked)"))
    menu = menus.first
    menu.locator("summary").click()
    choice = menu.locator("input[type=checkbox]:not(:checked)").first
    asked = f"{choice.get_attribute('name')}="
    choice.check()
    menu.locator("button[name=apply]").click()
    expect(page.locator(".filtered a.chip").first).to_be_visible()
    assert asked in page.url
    page.locator(".filtered a.chip").first.click()
    expect(page.locator("form.filters")).to_be_visible()
    assert asked not in page.url
