"""What the script of Explore's points adds: a box across them becomes bounds."""

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
