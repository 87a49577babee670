from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from urllib.parse import urljoin

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from channels_app.stats.failures import Kind
from tests.browser.conftest import Open
from tests.browser.looks import ACCESSIBILITY, MEANT_TO_BE_BRIGHT, bright, clipped
from tests.factories import auth_file, auth_files, book, list_names, payload
from tests.sample_prices import make_sample_prices
from usage.models import Instance, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def records(sample: Instance) -> int:
    """The id of a record of a call that was retried; it is the third of the list, after two of other calls."""
    make_sample_prices(timezone.now())
    listed = auth_files(auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"))
    list_names(sample, auth_files=listed)
    now = timezone.now()
    for number in range(8):
        failed = number == 3
        book(sample, payload(
            now - number * timedelta(seconds=2), request_id="again" if number in (2, 3) else f"id-{number}",
            auth_index="dave", model="gpt-5-codex", alias="best" if number == 1 else "gpt-5-codex",
            endpoint="POST /v1/responses", latency_ms=1_500, ttft_ms=400, failed=failed,
            fail={"status_code": 429, "body": '{"error": "slow down, sk-FAKE-upstream-00112233445566"}'} if failed else None,
            tokens={"input_tokens": 90_000, "cached_tokens": 80_000, "output_tokens": 900, "reasoning_tokens": 200,
                    "total_tokens": 90_900},
        ))  # fmt: skip
    return UsageRecord.objects.get(request_id="again", failed=False).pk


def test_the_drawer_is_for_all(open_page: Open, records: int) -> None:
    page = open_page("/records/", theme="dark", language="zh-hans")
    page.locator(f"#record-{records}").click()
    expect(page.locator("#record-title")).to_be_focused()
    assert (clipped(page), page.evaluate(ACCESSIBILITY), bright(page) - MEANT_TO_BE_BRIGHT) == ([], [], set())
    # The bar of tokens has no hole: each piece begins where the one before it ends.
    ends = page.evaluate("""() => [...document.querySelectorAll("#drawer .bar.mix")[0].children].map(piece => piece.getBBox())
        .map(({ x, width }) => [Math.round(x), Math.round(x + width)])""")
    assert len(ends) == 4 and all(abs(start - end) <= 2 for (_, end), (start, _) in pairwise(ends))


def test_on_a_phone_a_row_shows_what_matters(open_page: Open, records: int) -> None:
    page = open_page("/records/", width=390)
    row = page.locator("tr", has=page.locator(f"#record-{records}"))
    for name in ("time", "status", "model-name", "total", "cost", "latency"):
        expect(row.locator(f".{name}").first).to_be_visible()
    row.locator(".model-name").tap(force=True)
    expect(page.locator("h2#record-title")).to_be_visible()
    assert f"/records/{records}/" in page.url


@pytest.mark.parametrize("javascript", [True, False])
def test_older_and_newer(open_page: Open, records: int, javascript: bool) -> None:
    page = open_page("/records/?channel=claude", javascript=javascript)
    first = page.locator("tbody a[data-drawer]").first.get_attribute("id")
    expect(page.locator("#newer")).to_have_count(0)
    page.locator("#older").click()
    expect(page.locator("#newer")).to_be_visible()
    assert "channel=claude" in page.url and "before=" in page.url
    expect(page.locator(f"#{first}")).to_have_count(0)
    page.locator("#newer").click()
    expect(page.locator(f"#{first}")).to_be_visible()


def test_a_drawer_opens_walks_and_closes(open_page: Open, records: int) -> None:
    page = open_page("/records/?range=24h")
    page.evaluate("window.untouched = true")
    page.locator(f"#record-{records}").click()
    expect(page.locator("#drawer")).to_contain_text("Attempts of this client request")
    expect(page.locator("#record-title")).to_be_focused()
    assert page.url.endswith(f"/records/{records}/?range=24h")
    page.keyboard.press("j")
    expect(page.locator("#drawer")).to_contain_text("slow down, [redacted]")
    page.keyboard.press("k")
    expect(page.locator("#drawer")).not_to_contain_text("slow down")
    assert f"/records/{records}/" in page.url
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(page.locator(f"#record-{records}")).to_be_focused()
    assert page.url.endswith("/records/?range=24h")
    page.go_forward()
    expect(page.locator("#drawer")).to_contain_text("Attempts of this client request")
    page.go_back()
    expect(page.locator("#drawer")).to_be_hidden()
    assert page.evaluate("window.untouched")


def test_a_drawer_opens_from_every_list_of_records(open_page: Open, records: int) -> None:
    page = open_page("/")
    (failed,) = UsageRecord.objects.filter(request_id="again", failed=True)
    group = str(Kind(429, failed.message_id))
    for place in ("/?channel=codex", "/channels/codex/?range=24h", f"/errors/?open={group}&range=24h"):
        page.goto(urljoin(page.url, place))
        page.evaluate("window.untouched = true")
        link = page.locator(f"#record-{failed.pk}")
        link.click()
        expect(page.locator("#drawer")).to_contain_text("slow down, [redacted]")
        expect(page.locator("#record-title")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#drawer")).to_be_hidden()
        expect(link).to_be_focused()
        assert page.url.endswith(place) and page.evaluate("window.untouched"), place
    link.click()
    expect(page.locator("#drawer")).to_be_visible()
    page.reload()  # the record is a page of its own now, and the way back leads to the list
    page.go_back()
    expect(link).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_what_a_row_names_has_a_menu(open_page: Open, records: int, javascript: bool) -> None:
    page = open_page("/records/?range=24h", javascript=javascript)
    row = page.locator("tr", has=page.locator(f"#record-{records}"))
    button = row.get_by_role("button", name="Actions: codex")
    row.locator("a.name", has_text="codex").first.focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    menu = page.locator("#menu-channel-codex")
    expect(menu).to_be_visible()
    assert abs(menu.bounding_box()["y"] - button.bounding_box()["y"]) < 150  # type: ignore[index]
    menu.get_by_role("link", name="Filter by this").click()
    expect(page.locator("#channel-menu")).to_contain_text("Channel: codex")
    assert page.url.endswith("/records/?channel=codex&range=24h")


def test_the_drawer_closes_by_its_button_and_by_what_is_beside_it(open_page: Open, records: int) -> None:
    page = open_page("/records/")
    for close in (lambda: page.locator("[data-close]").click(), lambda: page.mouse.click(300, 500)):
        page.locator(f"#record-{records}").click()
        expect(page.locator("#record-title")).to_be_visible()
        close()
        expect(page.locator("#drawer")).to_be_hidden()
        assert page.url.endswith("/records/")


def test_without_javascript_a_record_is_a_page(open_page: Open, records: int) -> None:
    page = open_page("/records/?range=24h", javascript=False)
    page.locator(f"#record-{records}").click()
    expect(page.locator("h2#record-title")).to_be_visible()
    page.get_by_role("link", name="Older").click()
    expect(page.locator("article")).to_contain_text("slow down, [redacted]")
    page.get_by_role("main").get_by_role("link", name="Newer").click()
    page.locator("h1 a").click()
    assert page.url.endswith("/records/?range=24h")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [390, 1440])
def test_filters_are_ticked_and_applied(open_page: Open, records: int, javascript: bool, width: int) -> None:
    page = open_page("/records/?range=24h", javascript=javascript, width=width)
    sheet = page.locator("#filter-sheet-button")  # on a phone the filters are in a sheet, which has one button for all

    def apply(name: str) -> None:
        page.locator(f"button[name=apply][value={'all' if width < 720 else name}]").click()

    if width < 720:
        expect(page.locator("#channel-menu")).to_be_hidden()
        sheet.click()
    page.locator("#channel-menu").click()
    page.get_by_role("checkbox", name="claude").check()
    apply("channel")
    expect(page.locator("#channel-menu")).to_contain_text("Channel: claude")
    assert page.url.endswith("/records/?channel=claude&range=24h")
    if width < 720:
        expect(sheet).to_have_text("Filters (1)")
        if javascript:
            expect(sheet).to_be_focused()
        sheet.click()
    page.locator("#status-menu").click()
    page.get_by_role("radio", name="Failed").check()
    apply("status")
    expect(page.locator(".records tbody tr")).to_have_count(9)
    assert page.url.endswith("?channel=claude&range=24h&status=fail")
    page.locator(".filtered").get_by_text("Channel: claude").click()
    expect(page.locator(".records tbody tr")).to_have_count(10)
    page.locator("#clear").click()
    expect(page.locator(".filtered .chip")).to_have_count(0)
    assert page.url.endswith("/records/?range=24h")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_period_with_times(open_page: Open, records: int, javascript: bool) -> None:
    page = open_page("/channels/?channel=codex", javascript=javascript)
    page.locator("#range-menu").click()
    page.get_by_label("From").fill("2026-01-02")
    page.get_by_label("Begins at").fill("08:30")
    page.get_by_label("To (included)").fill("2026-01-03")
    page.locator("button[name=apply][value=range]").click()
    expect(page.locator("#range-menu")).to_contain_text("Custom range")
    assert page.url.endswith("?channel=codex&from=2026-01-02T08:30&to=2026-01-03")
    expect(page.locator("#from-time")).to_have_value("08:30")


def test_typing_finds_a_choice_and_keeps_what_is_ticked(open_page: Open, records: int) -> None:
    page = open_page("/records/")
    page.locator("#channel-menu").click()
    panel = page.locator("details.choose[open]")
    panel.get_by_role("checkbox", name="claude").check()
    panel.get_by_role("searchbox").fill("CODEX")
    expect(panel.get_by_role("checkbox")).to_have_count(2)
    expect(panel.get_by_role("checkbox", name="claude")).to_be_checked()
    panel.get_by_role("checkbox", name="codex").check()
    panel.get_by_role("searchbox").press("Enter")
    expect(page.locator("#channel-menu")).to_contain_text("Channel: 2")
    expect(page.locator("#channel-menu")).to_be_focused()
    assert page.url.endswith("?channel=claude&channel=codex")


def test_the_zone_of_the_browser_is_offered(open_page: Open, records: int) -> None:
    page = open_page("/records/?tz=Asia/Shanghai")
    page.locator("#time-zone").click()
    here = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    expect(page.locator("[data-browser-zone]")).to_have_text(f"Browser zone: {here}")
    assert f"tz={here}" in str(page.locator("[data-browser-zone]").get_attribute("href")).replace("%2F", "/")
    without = open_page("/records/", javascript=False)
    without.locator("#time-zone").click()
    expect(without.locator("[data-browser-zone]")).to_be_hidden()


def test_new_requests_are_told_and_nothing_moves(open_page: Open, sample: Instance, records: int) -> None:
    page = open_page("/records/")
    page.clock.install()
    page.reload()
    before = page.locator(".records tbody").inner_text()
    book(sample, payload(timezone.now(), request_id="later", auth_index="dave"))
    page.clock.fast_forward(31_000)
    expect(page.locator("#newcomers")).to_have_text("1 new request")
    assert page.locator(".records tbody").inner_text() == before
    page.locator("#newcomers").click()
    expect(page.locator("#newcomers")).to_be_hidden()
    assert page.locator(".records tbody").inner_text() != before


@pytest.mark.parametrize("javascript", [True, False])
def test_columns_are_chosen(open_page: Open, records: int, javascript: bool) -> None:
    page = open_page("/records/?channel=codex", javascript=javascript)
    page.locator("#columns-menu").click()
    page.get_by_role("checkbox", name="Request ID").check()
    page.locator("button.primary[form=columns]").click()
    expect(page.get_by_role("cell", name="id-0")).to_be_visible()
    assert page.url.endswith("/records/?channel=codex")
    page.goto(page.url.replace("channel=codex", "cols=none"))
    expect(page.get_by_role("cell", name="id-0")).to_have_count(0)
