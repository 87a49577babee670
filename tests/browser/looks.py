"""What is looked at on every page: that it fits its window, that it can be used by all, and its colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Open

# The narrowest window of each layout, where least fits, and the usual one.
WIDTHS = (320, 720, 1100, 1440)


_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_CLIPPED = """[...document.querySelectorAll("td, thead th, .button, button, .chip, .pill, h1, h2, p, label")]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth && e.checkVisibility() && !e.closest(".sr-only"))
    .map(e => e.className + ": " + e.textContent.trim())"""


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate(_OVERFLOW))


def clipped(page: Page) -> list[str]:
    """Texts of controls and figures that do not fit into their box; names may end in an ellipsis."""
    return list(page.evaluate(_CLIPPED))


def misfits(page: Page) -> tuple[int, list[str]]:
    """Both of these, asked at once."""
    too_wide, texts = page.evaluate(f"[{_OVERFLOW}, {_CLIPPED}]")
    return int(too_wide), list(texts)


def fits(open_page: Open, address: str, language: str) -> Page:
    """Look at a page on a phone, and at every width in the dark; return the latter."""
    phone = open_page(address, width=390, language=language)
    assert phone.evaluate("innerWidth") == 390
    assert misfits(phone) == (0, [])
    page = open_page(address, language=language, theme="dark")
    fits_every_width(page)
    return page


def fits_every_width(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, *misfits(page)) == (width, 0, [])


# Primary buttons, and the upper steps of the heat map.
MEANT_TO_BE_BRIGHT = {"rgb(236, 238, 241)", "rgb(107, 160, 232)", "rgb(181, 211, 255)"}


def bright(page: Page) -> set[str]:
    """Return the background colours that are bright."""
    script = """() => [...document.querySelectorAll("main *")].map(e => getComputedStyle(e).backgroundColor)
        .filter(c => c.startsWith("rgb(") && c.match(/\\d+/g).every(part => part > 128))"""
    return set(page.evaluate(script))


SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden])")]
    .filter(e => e.checkVisibility() && !e.closest("p, label") && !e.classList.contains("skip"))
    .map(e => [e.textContent.trim() || e.id, e.getBoundingClientRect()])
    .filter(([name, box]) => box.height && (box.height < 24 || box.width < 24)).map(([name, box]) => name)"""


def background(page: Page) -> Any:
    return page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")


ACCESSIBILITY = """() => {
  const found = [];
  const named = e => (e.getAttribute("aria-label") || e.textContent || e.title || "").trim();
  for (const e of document.querySelectorAll("a[href], button, summary"))
    if (e.checkVisibility() && !named(e)) found.push("no name: " + e.outerHTML);
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.getAttribute("aria-label")) found.push("no label: " + e.outerHTML);
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption) found.push("no caption");
    for (const cell of e.querySelectorAll("th")) if (!cell.scope) found.push("no scope: " + cell.textContent);
    for (const row of e.querySelectorAll("tbody tr")) if (!row.querySelector("th[scope=row]")) found.push("no row header");
    const widths = new Set([...e.rows].map(row => [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0)));
    if (widths.size !== 1) found.push("rows of different lengths: " + [...widths]);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(e => +e.tagName[1]);
  if (levels.filter(level => level === 1).length !== 1) found.push("not one h1: " + levels);
  levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) found.push("skipped a heading level: " + levels); });
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title.trim()) found.push("no title");
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) found.push("positive tabindex");
  for (const e of document.querySelectorAll("svg")) if (e.getAttribute("aria-hidden") !== "true") found.push("svg speaks");
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby], [aria-controls]"))
    for (const name of ["aria-describedby", "aria-labelledby", "aria-controls"])
      for (const id of (e.getAttribute(name) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) found.push(name + " leads nowhere: " + id);
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  ids.forEach((id, i) => { if (ids.indexOf(id) !== i) found.push("id twice: " + id); });
  return found;
}"""


def picture(page: Page, path: Path) -> None:
    """Take one of all the page in a window as high: what sticks to the window's edges stands at the page's."""
    size = page.viewport_size
    assert size
    page.set_viewport_size({**size, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.screenshot(path=path, full_page=True)
    page.set_viewport_size(size)
