"""How much the colours of channels stand out from what they are drawn on (WCAG 2), by the colours of the style sheet itself."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_STYLE_SHEET = Path(__file__).parent.parent / "static" / "channels_app" / "app.css"
_THEMES = (':root, [data-theme="light"] {', '[data-theme="dark"] {')
_COLOUR = re.compile(r"--([\w-]+):\s*#([0-9a-f]{6});")


class Contrast(NamedTuple):
    """From 1 to 21; graphics need 3."""

    light: float
    dark: float


@cache
def contrast_of(slot: int) -> Contrast:
    """Return that of a channel's colour and the ground of cards, by theme."""
    return Contrast(*(_contrast(colours[f"c{slot}"], colours["surface"]) for colours in map(_colours, _THEMES)))


@cache
def _colours(theme: str) -> dict[str, str]:
    block = _STYLE_SHEET.read_text().partition(theme)[2].partition("}")[0]
    return dict(_COLOUR.findall(block))


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Of six hexadecimal digits: relative luminance, from 0 to 1."""
    red, green, blue = (_linear(part / 255) for part in bytes.fromhex(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
