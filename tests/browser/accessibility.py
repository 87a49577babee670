"""What axe-core finds serious or critical on a page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Of the rows of a long table, and of what a menu offers, the first are like all others; and of shapes axe says nothing. If
# these were only left out, axe would still go through them.
_REMOVE_LIKE_OTHERS = """document.querySelectorAll(
  "tbody tr:nth-of-type(n + 13), .choices-list li:nth-of-type(n + 7), svg :is(path, rect, circle, line, polyline, polygon)"
).forEach(one => one.remove())"""
# What a contrast comes from: letters, of which large ones may be paler, and what is painted behind them. Marks where it
# is not among those that are known.
_MARK_NEW_COLORS = """known => {
  const painted = new Map(), found = new Set(), seen = new Set(known);
  const behind = e => {
    if (!e) return "";
    if (!painted.has(e)) {
      const {backgroundColor, backgroundImage, opacity, position} = getComputedStyle(e);
      const own = [backgroundColor, backgroundImage, opacity, position].join(" ");
      painted.set(e, behind(e.parentElement) + (own === "rgba(0, 0, 0, 0) none 1 static" ? "" : own + "/"));
    }
    return painted.get(e);
  };
  const hasText = e => e.matches("input, select, textarea") || [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  for (const e of document.body.querySelectorAll("*")) {
    if (!hasText(e) || !e.checkVisibility()) continue;
    const {color, fill, fontSize, fontWeight, textShadow} = getComputedStyle(e);
    const isLarge = parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
    const look = [color, e.namespaceURI.endsWith("svg") && fill, isLarge, textShadow, behind(e)].join("|");
    e.toggleAttribute("data-new-colors", !seen.has(look));
    found.add(look);
  }
  return [...found].filter(look => !seen.has(look));
}"""
_RUN = """options => {
  axe.configure({rules: [{id: "color-contrast", selector: "[data-new-colors], [data-new-colors] *"}]});
  return axe.run(options).then(results => results.violations);
}"""
# A quarter of the work is for these, and axe calls none of them serious.
_NEVER_SERIOUS = [
    "aria-allowed-role", "aria-deprecated-role", "empty-heading", "empty-table-header", "form-field-multiple-labels",
    "heading-order", "html-xml-lang-mismatch", "image-redundant-alt", "landmark-banner-is-top-level",
    "landmark-contentinfo-is-top-level", "landmark-main-is-top-level", "landmark-no-duplicate-banner",
    "landmark-no-duplicate-contentinfo", "landmark-no-duplicate-main", "landmark-one-main", "landmark-unique",
    "meta-viewport-large", "no-autoplay-audio", "page-has-heading-one", "presentation-role-conflict", "region",
    "scope-attr-valid", "server-side-image-map", "skip-link", "table-duplicate-name",
]  # fmt: skip
_OPTIONS: dict[str, Any] = {
    "resultTypes": ["violations"],
    "preload": False,
    "rules": {name: {"enabled": False} for name in _NEVER_SERIOUS},
}
_COLORS_ALONE = _OPTIONS | {"runOnly": ["color-contrast"]}


class Accessibility:
    """Of the pages of one look. Contrast is most of the work: each is looked at on the first page that has it."""

    def __init__(self) -> None:
        self._colors: set[str] = set()

    def troubles(self, page: Page, markup: bool = True) -> list[Any]:
        """Return what is wrong; without `markup` only of colours. The page has fewer rows then."""
        page.evaluate(_REMOVE_LIKE_OTHERS)
        new = page.evaluate(_MARK_NEW_COLORS, list(self._colors))
        self._colors.update(new)
        if not markup and not new:
            return []
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate(_RUN, _OPTIONS if markup else _COLORS_ALONE)
        bad = [one for one in found if one["impact"] in ("serious", "critical")]
        return [(one["impact"], one["id"], one["nodes"][0]["html"][:200]) for one in bad]
