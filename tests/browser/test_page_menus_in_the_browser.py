"""What hands do with the menus of a page, its strip of requests and its points; and what is printed of it."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.looks import background, overflow
from usage.models import Instance, Preferences, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def asked(page: Page) -> str:
    return page.url.partition("?")[2].replace("%3A", ":")


def test_a_strip_narrows_the_list_by_mouse_and_by_keys(open_page: Open, sample: Instance) -> None:
    page = open_page("/records/?range=7d&bucket=1h&channel=claude")
    plot = page.locator("#chart-volume .plot")
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 6.5 / 168, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 8.5 / 168, box["y"] + 20)
    page.mouse.up()
    page.wait_for_url("**from=**")
    assert asked(page).endswith("T09:00") and "T06:00&" in asked(page) and "channel=claude" in asked(page)
    page.goto(page.url.partition("?")[0] + "?range=7d&bucket=1h")
    plot.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#live")).to_contain_text("00:00 – ")
    expect(page.locator("#live")).to_contain_text(" 03:00")
    page.keyboard.press("Enter")
    page.wait_for_url("**from=**")
    assert asked(page).endswith("T03:00") and "T00:00&" in asked(page)


def test_a_point_opens_its_record_beside_the_plot(open_page: Open, sample: Instance) -> None:
    for number, row in enumerate(UsageRecord.objects.order_by("pk")):  # no two at one place
        UsageRecord.objects.filter(pk=row.pk).update(latency_ms=100 + 900 * number)
    page = open_page("/explore/?mode=scatter&y=latency&scale=linear&range=7d")
    dots, field = page.locator("path.dots").first, page.locator("[data-points]").bounding_box()
    assert field
    left, top = (dots.get_attribute("d") or "").removeprefix("M").partition("h0")[0].split()
    page.mouse.click(field["x"] + field["width"] * int(left) / 1000, field["y"] + field["height"] * int(top) / 1000)
    expect(page.locator("#record-title")).to_be_focused()
    opened = UsageRecord.objects.get(pk=page.url.partition("/records/")[2].split("/")[0])
    assert str(opened.pk) == (dots.get_attribute("data-ids") or "").split()[0]
    expect(page.locator("#record-title")).to_contain_text(f"{opened.requested_at:%H:%M:%S}")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    assert asked(page) == "mode=scatter&y=latency&scale=linear&range=7d"
    page.locator("a[data-drawer]").first.click()
    expect(page.locator("#drawer")).to_be_visible()


def test_menus_of_a_page(open_page: Open, sample: Instance) -> None:
    page = open_page("/channels/?range=24h")
    page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text }")
    page.locator("#export").click()
    page.locator("#copy-exact").click()
    expect(page.locator("#live")).to_have_text("Copied")
    copied = json.loads(page.evaluate("JSON.stringify(window.copied)"))
    assert copied.startswith(page.url.partition("?")[0] + "?from=") and "tz=UTC" in copied
    page.locator("#export").click()
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert download.value.suggested_filename.startswith("usage-channels_")
    UsageRecord.objects.all().delete()
    page.locator("#refresh").click()
    with page.expect_response(lambda answer: answer.request.headers.get("accept") == "text/html"):
        page.locator("#refresh-now").click()
    expect(page.locator("#refresh-now")).to_be_hidden()
    without = open_page("/channels/?range=24h", javascript=False)
    without.locator("#refresh").click()
    without.get_by_role("button", name="Every 10 seconds").click()
    assert asked(without) == "range=24h" and Preferences.objects.get().refresh_seconds == 10
    without.locator("#export").click()
    without.locator("#copy-exact").click()
    assert asked(without).startswith("from=")


def test_who_wants_no_renewal_gets_none(open_page: Open, sample: Instance) -> None:
    Preferences.objects.create(user=get_user_model().objects.get(username="admin"), refresh_seconds=0)
    page = open_page("/channels/")
    page.clock.install()
    page.reload()
    requests: list[str] = []
    page.on("request", lambda request: request.url.endswith("/channels/") and requests.append(request.url))
    for _number in range(6):
        page.clock.fast_forward(61_000)
    assert requests == []


def test_what_is_printed_is_light_whole_and_says_of_when_it_is(open_page: Open, sample: Instance, site: str) -> None:
    page = open_page("/channels/?open=claude&channel=claude", theme="dark", width=1032)
    page.emulate_media(media="print")
    for address in ("/channels/?open=claude&channel=claude", "/records/?channel=claude"):
        page.goto(site + address)
        assert (overflow(page), background(page)) == (0, "rgb(255, 255, 255)"), address
        for gone in (".side", ".tools", ".filters", "#clear"):
            expect(page.locator(gone).first).to_be_hidden()
        expect(page.locator(".filtered .period")).to_be_visible()
        expect(page.locator(".filtered .chip").first).to_have_text("Channel: claude")
        assert page.evaluate(_CLIPPED) == [], address


# Cells and names that do not fit into their box.
_CLIPPED = """() => [...document.querySelectorAll("td, th .name")]
    .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.className)"""
