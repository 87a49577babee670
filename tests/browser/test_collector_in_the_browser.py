from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.looks import ACCESSIBILITY, fits
from tests.traffic import fake_cpa, read_from, send_traffic
from usage.demo.collection import lead, make_sample_collection
from usage.models import CollectionGap, CollectorProcess, Instance

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def state(request: pytest.FixtureRequest) -> str:
    """The collection: empty, full or broken."""
    name = str(request.param)
    if name != "empty":
        instance = request.getfixturevalue("sample")
        make_sample_collection(instance, timezone.now())
        lead(timezone.now())
    if name == "broken":
        CollectorProcess.objects.update(seen_at=timezone.now() - timezone.timedelta(minutes=20))
        for number, broken in enumerate(Instance.State.values):
            Instance.objects.create(
                name=f"CPA {broken}", base_url=f"http://a-long-name-of-a-host.example:{number}", encrypted_key="x"
            ).enter(Instance.State(broken), reason="the connection broke (%(reason)s)", reason_params={"reason": "EOF"})
    return name


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("state", ["empty", "broken"], indirect=True)
def test_the_page_fits_its_window(open_page: Open, site: str, state: str, language: str) -> None:
    assert fits(open_page, "/collector/", language).evaluate(ACCESSIBILITY) == []


@pytest.mark.parametrize("state", ["full"], indirect=True)
def test_the_page_is_reached_from_every_page(open_page: Open, site: str, state: str) -> None:
    page = open_page("/channels/")
    page.locator("#collector a").click()
    expect(page.get_by_role("heading", name="Collector", exact=True)).to_be_visible()
    page.get_by_role("link", name="Channels").first.click()
    page.locator("nav").get_by_role("link", name="Collector").click()
    expect(page.locator("nav a[aria-current=page]")).to_have_text(re.compile("Collector"))


@pytest.mark.parametrize("javascript", [True, False])
def test_polling_says_that_it_works_and_what_came(open_page: Open, site: str, javascript: bool) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        instance = read_from(cpa)
        page = open_page("/collector/", javascript=javascript)
        page.get_by_role("button", name="Poll now").click()
        told = page.get_by_text(f"{instance.name}: 9 new records")
        expect(told).to_be_visible()
        assert told.evaluate("e => e.clientWidth") > 600
        expect(page.locator(".state strong")).to_have_text("Collecting")


def test_a_button_that_works_cannot_be_pressed_twice(open_page: Open, site: str) -> None:
    with fake_cpa() as cpa:
        read_from(cpa)
        page = open_page("/collector/")
        pressed = page.evaluate(
            """() => new Promise(tell => {
                const button = document.querySelector("button[formaction$='/poll/']");
                button.click();
                setTimeout(() => tell([button.textContent, button.disabled]));
            })"""
        )
        assert pressed == ["Polling…", True]
        expect(page.get_by_text("no new records")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_mode_is_chosen_from_a_menu(open_page: Open, sample: Instance, javascript: bool) -> None:
    page = open_page("/collector/", javascript=javascript)
    page.locator(".actions summary").click()
    page.get_by_role("button", name="Subscription").click()
    expect(page.locator(".actions summary")).to_have_text("Subscription")


@pytest.mark.parametrize("state", ["full"], indirect=True)
def test_figures_renew_themselves_and_keep_the_focus(open_page: Open, site: str, state: str) -> None:
    page = open_page("/collector/")
    page.clock.install()
    page.reload()
    first = page.locator("button[id^=acknowledge]").first
    name = first.get_attribute("id")
    first.focus()
    CollectionGap.objects.exclude(pk=int(str(name).partition("-")[2])).delete()
    page.clock.fast_forward(11_000)
    expect(page.locator("#gaps tbody tr")).to_have_count(1)
    expect(page.locator(f"#{name}")).to_be_focused()


def test_statistics_are_enabled_after_a_question(open_page: Open, site: str) -> None:
    with fake_cpa(statistics=False) as cpa:
        read_from(cpa)
        page = open_page("/collector/")
        page.get_by_role("button", name="Test connection").click()
        page.get_by_role("link", name="Enable usage statistics").click()
        expect(page.get_by_role("link", name="Cancel")).to_be_focused()
        page.get_by_role("button", name="Enable").click()
        expect(page.get_by_text("usage statistics are on.")).to_be_visible()
