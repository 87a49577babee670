"""Which colour and shape a series has: the same on every chart and page, whatever its rank (`ui.md` 8.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from usage.models import Channel

_SLOTS = range(1, 9)
_SHAPES = Channel.Shape.values


class Look(NamedTuple):
    """A class of the style sheet that fills, and a marker of `shell/_icons.html`."""

    fill: str
    shape: str


OTHER = Look("f-other", "square")
UNKNOWN = Look("f-unknown", "unknown")


def of_slot(slot: int, shape: str) -> Look:
    return Look(f"f{slot}", shape)


def of_names(names: Sequence[str]) -> list[Look]:
    """Return looks for what has none of its own (models, keys), the most important first.

    Each name has its slot. There are more names than slots: of two in one chart, the later one borrows the next that is
    free, and is told apart by its marker too.
    """
    taken: set[int] = set()
    looks = []
    for name in names:
        number = crc32(name.encode())
        own = number % len(_SLOTS)
        free = [(own + step) % len(_SLOTS) for step in range(len(_SLOTS))]
        slot = next((slot for slot in free if slot not in taken), own)
        taken.add(slot)
        looks.append(of_slot(_SLOTS[slot], _SHAPES[number // len(_SLOTS) % len(_SHAPES)]))
    return looks
