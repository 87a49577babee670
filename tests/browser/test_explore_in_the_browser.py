"""What the scripts of Explore's points add: a box across them becomes bounds, as does the wheel; and the window beneath."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from usage.models import Instance, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_box_across_the_points_leads_to_their_records(open_page: Open, sample: Instance) -> None:
    for number, row in enumerate(UsageRecord.objects.order_by("pk")):
        UsageRecord.objects.filter(pk=row.pk).update(
            latency_ms=1_000 if number % 2 else 60_000, uncached_input=10 + number
        )
    page = open_page("/explore/?mode=scatter&range=24h&x=input")
    box = page.locator("[data-points]").bounding_box()
    assert box
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    page.mouse.up()
    expect(page.locator(".selection")).to_contain_text("87 drawn points in the box")
    page.get_by_role("link", name="Open records").first.click()
    page.wait_for_url("**/records/?*min_latency=*")
    assert "min_input=" in page.url and "max_latency=" in page.url
    latencies = page.locator("tbody td.latency")
    expect(latencies).to_have_count(50)
    assert set(latencies.all_inner_texts()) == {"1 m 00 s"}

    page = open_page("/explore/?mode=scatter&range=24h&x=input")
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] + 4)
    page.mouse.up()
    page.get_by_role("link", name="Zoom").click()
    page.wait_for_url("**/explore/?*max_latency=*")
    expect(page.locator("#chart-scatter .legend")).to_contain_text("All 87 requests")
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_have_count(0)


def test_the_window_and_the_wheel_zoom_and_escape_goes_back(open_page: Open, sample: Instance) -> None:
    page = open_page("/explore/?mode=scatter&range=24h&y=tokens")
    first = page.locator("#window-from")
    most = int(page.locator("#window-to").input_value())
    first.focus()
    for _press in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**/explore/?around=24h&from=*")
    expect(first).to_be_focused()
    expect(first).to_have_value("3")
    expect(page.locator("#window-to")).to_have_value(str(most))

    grip = page.locator(".grip").bounding_box()
    assert grip
    page.keyboard.press("Home")
    page.wait_for_url("**/explore/?mode=scatter&range=24h&y=tokens")
    page.locator("#window-to").focus()
    page.keyboard.press("PageDown")
    page.wait_for_url("**/explore/?around=24h&from=*")
    before = page.url
    grip = page.locator(".grip").bounding_box()
    assert grip
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 3)
    page.mouse.down()
    page.mouse.move(grip["x"] + grip["width"] / 2 + 400, grip["y"] + 3, steps=4)
    page.mouse.up()
    page.wait_for_url(lambda url: url != before and "around=24h" in url)
    assert int(first.input_value()) > 0
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    page.wait_for_url("**/explore/?mode=scatter&range=24h&y=tokens")

    page.evaluate("scrollTo(0, 0)")
    box = page.locator("[data-points]").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_url("**/explore/?around=24h&from=*min_tokens=*")
    assert "max_tokens=" in page.url and page.evaluate("scrollY") == 0
    page.locator("#unzoom").click()
    page.wait_for_url("**/explore/?mode=scatter&range=24h&y=tokens")
    page.mouse.wheel(0, 100)
    for _wait in range(40):  # the policy lets no script be made of a string, as wait_for_function does
        page.wait_for_timeout(50 * (page.evaluate("scrollY") == 0))
    assert page.evaluate("scrollY") > 0
    assert "min_tokens" not in page.url
