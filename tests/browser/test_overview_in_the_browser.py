from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.looks import clipped, overflow
from usage.ingest import rollup
from usage.models import CollectionGap, Instance, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def timed(sample: Instance) -> Instance:
    """With durations, over some days, and a gap."""
    rows = list(UsageRecord.objects.all())
    for days in (1, 2, 3):
        for number, row in enumerate(rows):
            row.pk, row.dedup_key = None, f"{days}-{number}".encode()
            row.requested_at -= timedelta(days=1)
            row.latency_ms, row.ttft_ms = 2_000 + 40 * number, 300 + number
        UsageRecord.objects.bulk_create(rows)
    since = timezone.now() - timedelta(days=2)
    CollectionGap.objects.create(instance=sample, since=since, until=since + timedelta(hours=3), cause="away")
    rollup.rebuild()
    return sample


def test_the_figures_and_the_chart_are_above_the_fold(open_page: Open, timed: Instance) -> None:
    page = open_page("/")  # with the banner of the gap
    box = page.locator("#chart-usage .plot").bounding_box()
    assert box and box["y"] + box["height"] <= 900
    cards = [card.bounding_box() for card in page.locator(".kpi").all()]
    assert (
        len({round(card["height"]) for card in cards[:4] if card})
        == 1
        == len({card["height"] for card in cards[4:] if card})
    )


def test_without_javascript_the_tables_are_open(open_page: Open, timed: Instance) -> None:
    page = open_page("/", javascript=False)
    expect(page.locator("#numbers-usage table")).to_be_visible()
    expect(page.locator("#chart-usage path.f2")).to_be_visible()
    page.locator("#metric-3").click()
    expect(page.locator("#chart-usage-title")).to_have_text("Requests by channel")
    page.locator("#toggle-claude").click()
    expect(page.locator("#channel-claude").get_by_text("alice@example.com")).to_be_visible()
    page.locator("#legend-usage-1").click()
    expect(page.get_by_text("Hidden: claude")).to_be_visible()


def test_the_tables_open_on_demand_and_stay_so(open_page: Open, timed: Instance) -> None:
    page = open_page("/")
    table = page.locator("#numbers-usage table")
    expect(table).to_be_hidden()
    page.locator("#numbers-usage summary").click()
    expect(table).to_be_visible()
    page.locator("#metric-3").click()
    expect(page.locator("#chart-usage-title")).to_have_text("Requests by channel")
    expect(table).to_be_visible()
    expect(page.locator("#numbers-latency table")).to_be_hidden()


def test_switches_keep_the_page_and_go_into_the_history(open_page: Open, timed: Instance) -> None:
    page = open_page("/")
    page.evaluate("window.untouched = true")
    page.locator("#by-2").click()
    expect(page.locator("#chart-usage-title")).to_have_text("Tokens by model")
    assert page.url.endswith("/?by=model")
    expect(page.locator("#by-2")).to_be_focused()
    page.go_back()
    expect(page.locator("#chart-usage-title")).to_have_text("Tokens by channel")
    assert page.evaluate("window.untouched")


def hover(page: Page, chart: str, share: float) -> None:
    box = page.locator(f"#chart-{chart} .plot").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + 40)


def test_the_cursor_tells_what_the_table_says(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d")
    hover(page, "usage", 0.999)  # beyond what has begun: the last interval
    rows = page.locator("#numbers-usage tbody tr")
    tip = page.locator("#chart-usage .tip")
    expect(tip).to_contain_text(rows.last.locator("th").text_content() or "?")
    # The last one may have begun just now and hold nothing; one that holds something names it.
    begun = reversed(range(rows.count()))
    busy = next(at for at in begun if rows.nth(at).locator("td:not([data-value='0'])").count())
    hover(page, "usage", (busy + 0.5) / int(page.locator("#chart-usage").get_attribute("data-count") or 0))
    expect(tip).to_contain_text(rows.nth(busy).locator("th").text_content() or "?")
    expect(tip.locator("div").first).to_contain_text("claude")
    expect(tip).to_contain_text("Total")
    expect(page.locator("#chart-latency .crosshair")).to_have_count(1)
    expect(page.locator("#chart-latency .tip")).to_have_count(0)
    page.mouse.move(5, 5)
    expect(page.locator(".tip, .crosshair")).to_have_count(0)


def test_the_cursor_moves_by_keys(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d")
    page.locator("#chart-usage .plot").focus()
    page.keyboard.press("Home")
    first = page.locator("#numbers-usage tbody tr").first.locator("th").text_content()
    expect(page.locator("#chart-usage .tip p")).to_have_text(first or "?")
    expect(page.locator("#chart-usage .tip p")).to_have_attribute("data-zone", "UTC")
    expect(page.locator("#live")).to_contain_text(first or "?")
    page.keyboard.press("ArrowRight")
    second = page.locator("#numbers-usage tbody tr").nth(1).locator("th").text_content()
    expect(page.locator("#chart-usage .tip p")).to_have_text(second or "?")
    page.keyboard.press("End")
    expect(page.locator("#chart-usage .tip p")).to_contain_text("in progress")
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_have_count(0)


def test_a_click_or_a_key_leads_to_the_requests_under_the_cursor(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d")
    rows, plot = page.locator("#numbers-usage tbody tr"), page.locator("#chart-usage .plot")
    count, scale = (int(page.locator("#chart-usage").get_attribute(f"data-{name}") or 0) for name in ("count", "scale"))
    at = next(at for at in range(rows.count()) if rows.nth(at).locator("td:not([data-value='0'])").count())
    since = rows.nth(at).locator("th").get_attribute("data-from") or "?"
    claude, codex = (int(rows.nth(at).locator("td").nth(place).get_attribute("data-value") or 0) for place in (0, 1))
    box = plot.bounding_box()
    assert box
    page.mouse.move(x := box["x"] + box["width"] * (at + 0.5) / count, box["y"] + 5)
    first = page.locator("#chart-usage .tip div").first
    expect(first).to_contain_text("claude")
    expect(first.locator("small")).to_have_text(re.compile(r"^\d+\.\d%$"))
    page.mouse.click(x, box["y"] + box["height"] * (1 - (claude + codex / 2) / scale))  # upon claude lies codex
    page.wait_for_url(re.compile(r"/records/\?channel=codex&from="))
    assert since in page.url.replace("%3A", ":") and "range=" not in page.url
    page.go_back()
    plot.focus()
    for key in ("Home", *["ArrowRight"] * at, "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#live")).to_contain_text("claude: ")
    expect(page.locator("#chart-usage .tip .at")).to_contain_text("claude")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/records/\?channel=claude&from="))
    page.go_back()
    page.locator("#legend-usage-2").click(modifiers=["Alt"])
    expect(page.locator("#chart-usage .legend .hides")).to_have_count(3)
    page.locator("#only-usage-2").click(force=True)
    expect(page.locator("#chart-usage .legend .hides")).to_have_count(0)


def test_a_gap_is_told_under_the_cursor(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d")
    count = int(page.locator("#chart-usage").get_attribute("data-count") or 0)
    gap = page.locator("#numbers-usage tbody tr", has_text="no data collected").first
    place = int(gap.evaluate("row => row.sectionRowIndex"))
    hover(page, "usage", (place + 0.5) / count)
    expect(page.locator("#chart-usage .tip")).to_contain_text("no data collected")
    assert page.locator("#chart-usage .plot rect[fill='url(#p-gap)']").count() == 1


def test_dragging_shows_that_time_alone(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d&metric=requests")
    hover(page, "usage", 0.2)
    page.mouse.down()
    hover(page, "usage", 0.4)
    expect(page.locator("#chart-usage .chosen")).to_have_count(1)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=\d{4}-\d\d-\d\dT\d\d%3A00"))
    assert "metric=requests" in page.url and "range=" not in page.url


def test_escape_gives_up_dragging(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=7d")
    hover(page, "usage", 0.2)
    page.mouse.down()
    hover(page, "usage", 0.4)
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".chosen")).to_have_count(0)
    assert page.url.endswith("/?range=7d")


def test_a_word_explains_itself(open_page: Open, timed: Instance) -> None:
    page = open_page("/")
    page.locator(".cards").get_by_role("button", name="What is “Est. cost”?").click()
    expect(page.locator("#about-cost")).to_be_visible()
    expect(page.locator("#about-cost")).to_have_text("At API list prices; an estimate, not a bill")
    page.keyboard.press("Escape")
    expect(page.locator("#about-cost")).to_be_hidden()


def test_all_of_a_card_leads_on(open_page: Open, timed: Instance) -> None:
    page = open_page("/?range=24h")
    page.locator("#card-cost .value").click(force=True)  # all of the card is the link
    expect(page.get_by_role("heading", name="Explore", level=1)).to_be_visible()
    assert page.url.endswith("/explore/?metric=cost&range=24h")


def test_on_a_phone_a_touch_tells(open_page: Open, timed: Instance) -> None:
    page = open_page("/", width=390)
    plot = page.locator("#chart-usage .plot")
    plot.evaluate("plot => plot.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = plot.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + box["width"] - 5, box["y"] + 50)
    expect(page.locator("#chart-usage .tip")).to_be_visible()
    assert overflow(page) == 0


def test_figures_that_grow_renew_themselves(open_page: Open, timed: Instance) -> None:
    page = open_page("/")
    page.clock.install()
    page.reload()
    before = page.locator("#card-requests .value").text_content()
    UsageRecord.objects.filter(source__account__label="bob@example.com").delete()
    rollup.rebuild()
    page.clock.fast_forward(61_000)
    expect(page.locator("#card-requests .value")).not_to_have_text(before or "")


def test_an_empty_install_shows_the_steps(open_page: Open) -> None:
    page = open_page("/", width=390)
    expect(page.get_by_role("link", name="Connect a CPA server")).to_be_visible()
    expect(page.locator(".kpi")).to_have_count(0)
    assert (overflow(page), clipped(page)) == (0, [])


COLORS_OF_WHAT_WAS_COPIED = """async () => {
  const [item] = await navigator.clipboard.read();
  const image = await createImageBitmap(await item.getType("image/png"));
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const found = new Set();
  for (let at = 0; at < data.length; at += 4) found.add(`#${[0, 1, 2].map((of) => data[at + of].toString(16).padStart(2, "0")).join("")}`);
  return [...found];
}"""


def test_a_chart_is_copied_as_an_image(open_page: Open, timed: Instance) -> None:
    page = open_page("/", theme="dark")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # The bars of claude; a cell of a table, where no SVG is.
    for chart, colors in {"usage": {"#16181d", "#f09718"}, "heatmap": {"#16181d", "#1c2534"}}.items():
        menu = page.locator(f"details:has(#more-{chart})")
        menu.locator("summary").click()
        menu.get_by_role("button", name="Copy image").click()
        expect(menu.get_by_role("button", name="Copied")).to_be_visible()
        found = set(page.evaluate(COLORS_OF_WHAT_WAS_COPIED))
        assert colors <= found, chart
        expect(menu).not_to_have_attribute("open", "")
        expect(menu.locator("summary")).to_be_focused()


def test_on_a_phone_the_table_of_a_chart_is_in_its_menu(open_page: Open, timed: Instance) -> None:
    page = open_page("/", width=390)
    title, switch, plot = (
        page.locator(one).bounding_box() for one in ("#chart-usage-title", "#metric-1", "#chart-usage .plot")
    )
    assert title and switch and plot and title["y"] + title["height"] <= switch["y"] <= plot["y"] - switch["height"]
    row, chart = (page.locator(one).bounding_box() for one in ("#chart-usage .choices-of >> nth=0", "#chart-usage"))
    assert row and chart and row["width"] == chart["width"]
    table, menu = page.locator("#numbers-usage"), page.locator("details:has(#more-usage)")
    expect(table.locator("summary")).to_be_hidden()
    for state in ("true", "false"):
        menu.locator("summary").click()
        menu.get_by_role("button", name="Table").click()
        expect(menu.locator("[data-table]")).to_have_attribute("aria-expanded", state)
        expect(table.locator("table")).to_be_visible(visible=state == "true")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(table.locator("summary")).to_be_visible()
    menu.locator("summary").click()
    expect(menu.locator("[data-table]")).to_be_hidden()
