"""What an address says wrongly, for it to be told at the field of the page's form that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Wrong(NamedTuple):
    """A parameter, the value that is ignored, and why: empty where that is said of another parameter beside it."""

    name: str
    value: str
    text: str


def texts_of(name: str, wrong: Iterable[Wrong]) -> str:
    """Return all that is wrong with one parameter, in words."""
    return " ".join(one.text for one in wrong if one.name == name and one.text)
