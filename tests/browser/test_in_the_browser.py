from __future__ import annotations

import re

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Open
from tests.browser.looks import background, overflow
from usage.ingest import rollup
from usage.models import Instance, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_signing_in_and_out(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?range=24h", signed_in=False)
    expect(page.get_by_label("Username")).to_be_focused()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Channels")).to_be_visible()
    assert page.url.endswith("/channels/?range=24h")
    page.locator("summary[aria-label^='Signed in as']").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_pause_of_signing_in_is_counted_down(open_page: Open) -> None:
    for _time in range(4):
        Client().post("/login/", {"username": "admin", "password": "wrong"})
    page = open_page("/login/?next=/records/", signed_in=False)
    page.clock.install()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    button, left = page.get_by_role("button", name="Sign in"), page.locator("[data-seconds]")
    expect(left).to_have_text(re.compile("^1[45] m "))
    expect(button).to_be_disabled()
    page.clock.fast_forward(60_000)
    expect(left).to_have_text(re.compile("^1[34] m "))
    expect(page.get_by_role("alert")).to_contain_text("Signing in is paused")
    page.clock.fast_forward(900_000)
    expect(page.get_by_role("alert")).to_have_text("You can sign in again.")
    button.click()
    assert page.url.endswith("/login/?next=/records/") or page.url.endswith("/login/?next=%2Frecords%2F")


def test_the_password_can_be_shown(open_page: Open) -> None:
    page = open_page("/login/", signed_in=False)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#id_password")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator("#id_password")).to_have_attribute("type", "password")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [390, 1440])
def test_channels_open_and_close(open_page: Open, sample: Instance, javascript: bool, width: int) -> None:
    page = open_page("/channels/", javascript=javascript, width=width)
    expect(page.locator("tr.account", has_text="alice@example.com")).to_have_count(0)
    page.locator("#toggle-claude").click()
    expect(page.locator("tr.account", has_text="alice@example.com")).to_be_visible()
    expect(page.locator("#toggle-claude")).to_have_attribute("aria-expanded", "true")
    assert "open=claude" in page.url
    page.reload()
    expect(page.locator("tr.account", has_text="alice@example.com")).to_be_visible()
    page.locator("#toggle-claude").click()
    expect(page.locator("tr.account", has_text="alice@example.com")).to_have_count(0)


def test_opening_keeps_the_focus_and_goes_into_the_history(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    page.evaluate("window.untouched = true")
    page.locator("#toggle-claude").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("tr.account", has_text="alice@example.com")).to_be_visible()
    expect(page.locator("#toggle-claude")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("tr.account", has_text="alice@example.com")).to_have_count(0)
    page.go_back()
    expect(page.locator("tr.account", has_text="alice@example.com")).to_be_visible()
    assert page.evaluate("window.untouched")


@pytest.mark.parametrize("javascript", [True, False])
def test_sorting_and_ranges(open_page: Open, sample: Instance, javascript: bool) -> None:
    page = open_page("/channels/?open=claude", javascript=javascript)
    page.locator("#sort-requests").click()
    expect(page.locator("th.requests[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.locator(".range summary").click()
    page.get_by_role("link", name="Last 24 hours").click()
    expect(page.locator(".range summary")).to_contain_text("Last 24 hours")
    assert page.url.endswith("?open=claude&range=24h&sort=-requests")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_custom_range(open_page: Open, sample: Instance, javascript: bool) -> None:
    page = open_page("/channels/?sort=name", javascript=javascript)
    page.locator(".range summary").click()
    page.get_by_label("From").fill("2026-01-01")
    page.get_by_label("To (included)").fill("2026-01-31")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="No requests")).to_be_visible()
    assert "from=2026-01-01" in page.url and "to=2026-01-31" in page.url and "sort=name" in page.url


def test_searching_hides_other_channels(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    page.get_by_role("searchbox").fill("codex")
    expect(page.locator("tbody:visible")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(page.locator("tbody:visible")).to_have_count(4)


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [390, 1440])
def test_badge_beside_a_cost_opens_and_closes(open_page: Open, sample: Instance, javascript: bool, width: int) -> None:
    page = open_page("/channels/", javascript=javascript, width=width)
    badge, text = page.locator("tfoot .confidence"), page.locator("tfoot .popover")
    expect(badge).to_have_text("partial 82.8%")
    expect(text).to_be_hidden()
    badge.focus()
    page.keyboard.press("Enter")
    expect(text).to_contain_text("mystery-model")
    expect(text).to_be_in_viewport(ratio=1)
    assert overflow(page) == 0
    page.keyboard.press("Escape")
    expect(text).to_be_hidden()
    expect(badge).to_be_focused()


def test_open_badge_is_not_renewed_away(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    page.clock.install()
    page.reload()
    page.locator("tfoot .confidence").click()
    UsageRecord.objects.filter(source__account__label="bob@example.com").delete()
    rollup.rebuild()
    page.clock.fast_forward(61_000)
    expect(page.locator("tfoot .popover")).to_be_visible()
    page.keyboard.press("Escape")
    page.clock.fast_forward(61_000)
    expect(page.locator("tfoot")).to_contain_text("144")


def test_escape_closes_a_menu(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    summary = page.locator(".range summary")
    summary.click()
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Apply")).to_be_hidden()
    expect(summary).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False])
def test_theme_and_language(open_page: Open, sample: Instance, javascript: bool) -> None:
    page = open_page("/channels/?open=claude", javascript=javascript)
    light = background(page)
    page.locator("summary[aria-label='Theme']").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert background(page) != light
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert page.url.endswith("/channels/?open=claude")


def test_the_system_decides_where_nobody_has(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/", theme="system")
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    page.emulate_media(color_scheme="light")
    assert background(page) != dark


def test_on_a_wide_screen_the_header_stays(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?open=claude,codex,unknown", width=1440)
    page.set_viewport_size({"width": 1440, "height": 400})
    page.locator("#toggle-codex").evaluate("e => e.scrollIntoView({ block: 'center', behavior: 'instant' })")
    expect(page.locator("#toggle-codex")).to_be_in_viewport()
    expect(page.locator("#sort-tokens")).to_be_in_viewport()


def test_where_a_table_scrolls_sideways_its_header_stays_and_so_does_its_place(
    open_page: Open, sample: Instance
) -> None:
    page = open_page("/channels/?open=claude,codex,unknown", width=1100)
    page.set_viewport_size({"width": 1100, "height": 500})
    table, toggle = page.locator(".table"), page.locator("#toggle-codex")
    table.scroll_into_view_if_needed()
    table.evaluate("e => { e.scrollLeft = 120; e.scrollTop = 150; }")
    for part in ("#sort-name", "#sort-tokens", "tfoot th", "#toggle-codex"):
        expect(page.locator(part)).to_be_in_viewport()
    before = toggle.get_attribute("href")
    toggle.focus()
    page.keyboard.press("ArrowLeft")
    expect(toggle).not_to_have_attribute("href", before or "")
    assert table.evaluate("e => [e.scrollLeft, e.scrollTop > 0]") == [120, True]


def test_sections_of_the_settings_stand_beside_them_where_there_is_room(open_page: Open, site: str) -> None:
    page = open_page("/settings/channels/")
    for width, is_beside in ((1440, True), (1100, True), (1099, False), (390, False)):
        page.set_viewport_size({"width": width, "height": 900})
        nav, section = (page.locator(one).bounding_box() for one in (".settings-nav", "#section-title"))
        assert nav and section
        assert (nav["x"] + nav["width"] < section["x"], nav["y"] + nav["height"] < section["y"]) == (
            is_beside,
            not is_beside,
        )
        assert overflow(page) == 0


def test_figures_that_grow_renew_themselves(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?open=claude")
    page.clock.install()
    page.reload()
    page.locator("#toggle-codex").focus()
    UsageRecord.objects.filter(source__account__label="bob@example.com").delete()
    rollup.rebuild()
    page.clock.fast_forward(61_000)
    expect(page.locator("tfoot")).to_contain_text("144")
    expect(page.locator("tr.account", has_text="alice@example.com")).to_be_visible()
    expect(page.locator("#toggle-codex")).to_be_focused()
    expect(page.locator("#live")).to_have_text(re.compile(r"Updated \d\d:\d\d"))
    with page.expect_response(lambda answer: answer.status == 304):
        page.clock.fast_forward(61_000)
    expect(page.locator("tfoot")).to_contain_text("144")
    expect(page.locator("#report[aria-busy]")).to_have_count(0)


def test_a_page_that_cannot_renew_itself_says_so(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/")
    page.clock.install()
    page.reload()
    page.route("**/channels/", lambda route: route.fulfill(status=200, body="<p>signed out</p>"))
    for seconds in (61, 121, 241):  # it asks less and less often
        expect(page.get_by_text("This page stopped updating at")).to_be_hidden()
        page.clock.fast_forward(59_000)
        with page.expect_response("**/channels/"):
            page.clock.fast_forward(1_000 * (seconds - 59))
    expect(page.get_by_text(re.compile(r"This page stopped updating at \d\d:\d\d\."))).to_be_visible()
    expect(page.locator("tfoot")).to_contain_text("174")


# What axe would say first, in a few lines of our own.
