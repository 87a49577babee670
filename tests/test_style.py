"""The style sheet: contrast of its colours (WCAG), one dark theme in two places, its weight."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "channels_app" / "static" / "channels_app"
CSS = (STATIC / "app.css").read_text()


def tokens(selector: str) -> dict[str, str]:
    block = CSS[CSS.index(selector) :]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", block[: block.index("}")]))


LIGHT = tokens(':root, [data-theme="light"] {')
DARK = tokens('[data-theme="dark"] {')
SYSTEM = tokens('[data-theme="system"] {')


def luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_dark_theme_is_the_same_by_choice_and_by_system() -> None:
    assert DARK == SYSTEM
    assert LIGHT.keys() == DARK.keys() and len(LIGHT) > 40


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["text", "text-2", "text-3", "link", "ok", "warn", "fail", "info"])
@pytest.mark.parametrize("ground", ["bg", "surface", "surface-2"])
def test_text_can_be_read_on_every_ground(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("level", ["ok", "warn", "fail", "info"])
def test_states_can_be_read_on_their_own_tint(theme: dict[str, str], level: str) -> None:
    assert contrast(theme[level], theme[f"{level}-bg"]) >= 4.5
    assert contrast(theme["text"], theme[f"{level}-bg"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_and_controls_stand_out(theme: dict[str, str]) -> None:
    for name in (*(f"c{slot}" for slot in range(1, 9)), "c-other", "border-strong", "focus"):
        assert contrast(theme[name], theme["surface"]) >= 3, name
    assert contrast(theme["accent"], theme["on-accent"]) >= 4.5


def test_paper_is_never_dark() -> None:
    for selector in ('[data-theme="dark"] {', '[data-theme="system"] {'):
        assert re.search(r"@media screen[^{]*\{\s*$", CSS[: CSS.index(selector)])


def test_the_admin_uses_no_other_colours() -> None:
    ours = {*LIGHT.values(), *DARK.values()}
    assert set(re.findall(r"#[0-9a-f]{6}\b", (STATIC / "admin.css").read_text())) <= ours


def test_colours_stand_only_in_the_tokens() -> None:
    rules = CSS[CSS.index("/* Ground */") :]
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;, )])", rules) == []


@pytest.mark.parametrize(("name", "kilobytes"), [("app.css", 14), ("core.js", 7)])
def test_assets_stay_light(name: str, kilobytes: int) -> None:
    assert len(gzip.compress((STATIC / name).read_bytes())) <= kilobytes * 1024


def test_focus_is_never_hidden() -> None:
    assert ":focus-visible { outline: 2px solid var(--focus)" in CSS
    assert re.findall(r"([^{}]+)\{[^}]*outline:\s*(?:0|none)", CSS) == ["\nmain "]
