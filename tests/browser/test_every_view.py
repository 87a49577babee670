"""Each view of the demo as it is looked at: wide and on a phone, light and dark, in both languages.

`pytest tests/browser/test_every_view.py --screenshots FOLDER` keeps what it sees, as `<view>-<width>-<theme>-<language>.png`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import time_machine
from playwright.sync_api import Page

from tests.browser.accessibility import Accessibility
from tests.browser.conftest import Open
from tests.browser.looks import (
    ACCESSIBILITY,
    MEANT_TO_BE_BRIGHT,
    SMALL_TARGETS,
    WIDTHS,
    bright,
    misfits,
    picture,
)
from usage.demo.seeding import seed
from usage.demo.views import NOBODY, views

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
# All keys of the demo have this in them; each is masked before it could be seen.
_SECRET = "FAKE"
_NO_NUMBERS = re.compile(r"\b(NaN|undefined|null|Infinity)\b|1000[KM]")


class Look(NamedTuple):
    width: int
    theme: str
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language[:2]}"


# When all pictures are taken, and of which looks (ui.md 18).
NOW = datetime.fromisoformat("2026-11-23T18:12:05+08:00")
PICTURES = [Look(1440, "light", "en"), Look(1440, "dark", "zh-hans"), Look(390, "light", "zh-hans")]
# Both windows, themes and languages are in these; a look costs a minute of a core.
LOOKS = [Look(1440, "light", "en"), Look(390, "dark", "zh-hans")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "look" in metafunc.fixturenames:
        looks = PICTURES if metafunc.config.getoption("--screenshots") else LOOKS
        metafunc.parametrize("look", looks, ids=str)


@pytest.fixture
def demo(site: str) -> Iterator[dict[str, str]]:
    """Its views. For the server the clock stands, so that nothing grows old while it is looked at."""
    with time_machine.travel(NOW, tick=False):
        seed(seed=7, days=35, records=1_200, now=NOW)
        yield views()


@pytest.mark.long
def test_every_view(
    open_page: Open, demo: dict[str, str], look: Look, site: str, request: pytest.FixtureRequest
) -> None:
    page = open_page("/", **look._asdict())
    nobody = open_page("/login/", **look._asdict(), signed_in=False)
    folder, found, paths = request.config.getoption("--screenshots"), list[str](), set[str]()
    accessibility = Accessibility()
    for visitor, addresses in ((page, demo), (nobody, NOBODY)):
        for name, address in addresses.items():
            answer = visitor.goto(site + address)
            assert answer and answer.status == 200, address
            if folder:
                visitor.wait_for_selector("html[data-ready]", state="attached")
                picture(visitor, Path(folder, f"{name}-{look}.png"))
            seen = troubles(visitor, look, answer.text())
            # Views of one page differ in their markup, which all looks share.
            seen += accessibility.troubles(visitor, markup=look == LOOKS[0] or urlsplit(address).path not in paths)
            paths.add(urlsplit(address).path)
            found += [f"{name}: {trouble}" for trouble in seen]
    assert not found, "\n".join(found)


def troubles(page: Page, look: Look, source: str) -> list[Any]:
    """What is wrong with one view, of this source; nothing, it is hoped."""
    page.wait_for_selector("html[data-ready]", state="attached")
    text = page.locator("main").inner_text()
    found: list[Any] = [("a secret", _SECRET)] if _SECRET in source else []
    found += [("no number", match[0]) for match in _NO_NUMBERS.finditer(text)]
    found += _does_not_fit(page)
    found += page.evaluate(ACCESSIBILITY)
    if look.width < 500:
        found += [("too small to touch", name) for name in page.evaluate(SMALL_TARGETS)]
    elif look.language == "en":  # which is the wider one
        found += _does_not_fit_other_windows(page, look)
    if look.theme == "dark":
        found += [("bright in the dark", color) for color in bright(page) - MEANT_TO_BE_BRIGHT]
    return found


def _does_not_fit(page: Page) -> list[Any]:
    too_wide, texts = misfits(page)
    return [("wider than its window by", too_wide)] * bool(too_wide) + [("clipped", text) for text in texts]


def _does_not_fit_other_windows(page: Page, look: Look) -> list[Any]:
    found = []
    for width in set(WIDTHS) - {look.width}:
        page.set_viewport_size({"width": width, "height": 900})
        found += [(width, trouble) for trouble in _does_not_fit(page)]
    page.set_viewport_size({"width": look.width, "height": 900})
    return found
