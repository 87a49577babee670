"""What no address shows by itself (`ui.md` 18): what one comes to by doing something, or when something is wrong.

Each is looked at as a view is (test_every_view.py), in one of the looks; with `--screenshots FOLDER` in all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
import time_machine
from django.db import OperationalError
from playwright.sync_api import Page, expect

from channels_app.overview import page as overview_page
from tests.browser.accessibility import Accessibility
from tests.browser.conftest import PASSWORD, Open
from tests.browser.looks import picture
from tests.browser.test_every_view import LOOKS, NOW, PICTURES, Look, troubles
from usage.demo.seeding import seed
from usage.models import CollectorProcess, Instance, ModelPrice, Preferences

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
# One is new, one has changed, one waits until one of two is chosen, and one is somebody's own.
_LIST = {
    "anthropic": {"models": {"claude-opus-4-6": {"id": "claude-opus-4-6", "cost": {"input": 4, "output": 20}}}},
    "openai": {"models": {"gpt-5.4": {"id": "gpt-5.4", "cost": {"input": 1, "output": 9}}}},
    "house": {"models": {"house-reranker-v2": {"id": "house-reranker-v2", "cost": {"input": 1, "output": 1}}}},
    "one": {"models": {"aurora-mini-preview": {"id": "aurora-mini-preview", "cost": {"input": 1, "output": 2}}}},
    "two": {"models": {"aurora-mini-preview": {"id": "aurora-mini-preview", "cost": {"input": 3, "output": 4}}}},
}


class Visit(NamedTuple):
    """A page of somebody who is signed in, and one of nobody."""

    page: Page
    nobody: Page
    site: str
    look: Look
    accessibility: Accessibility

    def go(self, address: str) -> Page:
        self.page.goto(self.site + address)
        return self.page


def _wrong_password(visit: Visit, times: int = 1) -> Page:
    for _time in range(times):
        visit.nobody.goto(f"{visit.site}/login/")
        visit.nobody.fill("[name=username]", "admin")
        visit.nobody.fill("[name=password]", PASSWORD[::-1])
        visit.nobody.locator("form button.primary").click()
        visit.nobody.wait_for_load_state()
    return visit.nobody


def _offline(visit: Visit, address: str) -> Page:
    CollectorProcess.objects.update(seen_at=NOW - timedelta(minutes=10))
    Instance.objects.update(synced_at=NOW - timedelta(minutes=10))
    return visit.go(address)


def _stale(visit: Visit) -> Page:
    Instance.objects.update(synced_at=NOW - timedelta(minutes=10))
    return visit.go("/")


def _private(visit: Visit) -> Page:
    page = visit.go("/")
    page.locator("header details.menu:has([name=privacy]) summary").click()
    page.locator("button[name=privacy]").click()
    expect(page.locator("header .chip.info")).to_be_visible()
    return page


def _without_an_answer(visit: Visit) -> Page:
    with patch.object(overview_page, "latency_chart", side_effect=OperationalError("it took too long")):
        return visit.go("/")


def _shorter(visit: Visit) -> Page:
    page = visit.go("/settings/retention/")
    page.fill("#id_records_kept_days", "7")
    page.locator("main form button.primary").click()
    expect(page.locator("[name=confirmed]")).to_have_value("7")
    return page


def _second_page(visit: Visit) -> Page:
    page = visit.go("/records/")
    page.locator("#older").click()
    expect(page.locator("#newer")).to_be_visible()
    return page


def _drawer(visit: Visit) -> Page:
    page = visit.go("/records/?status=ok")
    page.locator(".records tbody th a").first.click()
    expect(page.locator("#record-title")).to_be_visible()
    return page


def _preview(visit: Visit) -> Page:
    ModelPrice.objects.filter(pattern="claude-opus-4-6").update(origin=ModelPrice.Origin.MODELS_DEV, locked=False)
    page = visit.go("/prices/sync/")
    page.locator("[name=source][value='models.dev']").check()
    page.set_input_files("#id_file", {"name": "l.json", "mimeType": "text/plain", "buffer": json.dumps(_LIST).encode()})
    page.locator("main form button.primary").click()
    page.wait_for_url("**/prices/sync/*/")
    return page


def _invalid(visit: Visit) -> Page:
    page = visit.go("/prices/add/?model=aurora-mini-preview")
    page.fill("[name=input]", "-3")
    page.locator("main form button.primary").click()
    expect(page.locator("main .error").first).to_be_visible()
    return page


def _box(visit: Visit) -> Page:
    """Of points; fingers scroll instead."""
    page = visit.go("/explore/?mode=scatter")
    field = page.locator("[data-points]")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] * 0.8)
    page.mouse.up()
    return page


def _printed(visit: Visit) -> Page:
    page = visit.go("/?by=model")
    page.emulate_media(media="print")
    return page


STATES: dict[str, Callable[[Visit], Page]] = {
    "login-error": _wrong_password,
    "login-locked": lambda visit: _wrong_password(visit, 4),
    "overview-stale": _stale,
    "overview-offline": lambda visit: _offline(visit, "/"),
    "collector-offline": lambda visit: _offline(visit, "/collector/"),
    "overview-privacy": _private,
    "overview-block-error": _without_an_answer,
    "records-page-2": _second_page,
    "records-drawer": _drawer,
    "prices-sync-preview": _preview,
    "prices-invalid-form": _invalid,
    "settings-retention-shorter": _shorter,
    "scatter-selection": _box,
    "not-found": lambda visit: visit.go("/models/claude-opus/"),
    "overview-print": _printed,
}


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--screenshots") or "")


@pytest.fixture
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.long
def test_every_state(site: str, clock: None, open_page: Open, folder: str) -> None:
    looks, visits, found = PICTURES if folder else LOOKS, {}, list[str]()
    for look in looks:
        page, nobody = open_page("/", **look._asdict()), open_page("/login/", **look._asdict(), signed_in=False)
        visits[look] = Visit(page, nobody, site, look, Accessibility())
        found += _looked_at("overview-empty-install", page, visits[look], folder)
    seed(seed=7, days=35, records=1_200 if folder else 400, now=NOW)
    turns = cycle(looks)
    for name, come_to in STATES.items():
        for look in looks if folder else [next(turns)]:
            found += _looked_at(name, come_to(visits[look]), visits[look], folder)
            _mend(visits[look])
    assert not found, "\n".join(found)


def _mend(visit: Visit) -> None:
    """As it was before."""
    CollectorProcess.objects.update(seen_at=NOW - timedelta(seconds=3))
    Instance.objects.update(synced_at=NOW - timedelta(seconds=8))
    visit.page.emulate_media(media="screen")
    Preferences.objects.update(privacy=False)


def _looked_at(name: str, page: Page, visit: Visit, folder: str) -> list[str]:
    if folder:
        picture(page, Path(folder, f"{name}-{visit.look}.png"))
    if name == "overview-print":  # which is on paper, not in a window
        return []
    seen = troubles(page, visit.look, page.content()) + visit.accessibility.troubles(page)
    return [f"{name} ({visit.look}): {trouble}" for trouble in seen]
