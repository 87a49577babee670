"""What the keyboard does on a page, and small forms above it, in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open
from usage.models import Channel, Instance, Preferences, Source


def test_single_keys(open_page: Open, sample: Instance, django_user_model: type) -> None:
    page = open_page("/channels/")
    page.keyboard.press("x")
    page.wait_for_url("**/channels/?cmp=off")
    page.keyboard.press("x")
    page.wait_for_url("**/channels/?")
    page.keyboard.press("t")
    expect(page.locator("details.range")).to_have_attribute("open", "")
    expect(page.locator("#range-menu")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("#channel-menu")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("code x t ?")
    expect(page.locator("#filter")).to_have_value("code x t ?")
    assert page.url.endswith("/channels/?") and not page.locator("dialog").count()
    page.locator("#filter").fill("")
    page.locator("h1").click()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("link", name="Close")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    with page.expect_response(lambda answer: "/channels/" in answer.url):
        page.keyboard.press("r")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/models/**")

    Preferences.objects.create(pk=django_user_model.objects.get(username="admin").pk, shortcuts=False)
    page.goto(page.url)
    for key in ("?", "t", "g", "c"):
        page.keyboard.press(key)
    assert "/models/" in page.url and not page.locator("dialog, details.range[open]").count()


def test_a_source_gets_its_channel_above_the_page(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?open=unknown")
    link = page.get_by_role("link", name="Assign to channel…")
    link.click()
    dialog = page.get_by_role("dialog", name="Which channel is")
    expect(dialog).to_contain_text("Also for its 12 past records")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(link).to_be_focused()
    link.press("Enter")
    dialog.get_by_label("Channel", exact=True).select_option("codex")
    dialog.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("status").filter(has_text="is of codex now")).to_be_visible()
    expect(page.locator("#row-unknown")).to_have_count(0)
    assert Source.objects.get(label="sk-a...9f3c").known_channel == Channel.objects.get(name="codex")

    row = page.locator("#row-claude tr").first
    row.hover()
    row.get_by_role("button", name="Actions: claude").click()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Filter by this")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/channels/?channel=claude**")


def test_they_are_pages_without_javascript(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?open=unknown", javascript=False)
    page.get_by_role("link", name="Assign to channel…").click()
    page.get_by_label("Channel", exact=True).select_option("codex")
    page.get_by_role("button", name="Assign").click()
    assert page.url.endswith("/channels/?open=unknown") and page.locator("#row-unknown").count() == 0
    page.locator("#row-claude").get_by_role("button", name="Actions: claude").click()
    page.get_by_role("link", name="View records").click()
    page.wait_for_url("**/records/?channel=claude")
