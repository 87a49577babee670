"""What figures mean, a line each: the columns of a table, and the terms of a list of facts (`ui.md` 6)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from django.utils.functional import Promise


class Explained(Protocol):
    """Anything with a meaning: a column of a table of usage, too."""

    @property
    def key(self) -> str: ...
    @property
    def label(self) -> Promise | str: ...
    @property
    def note(self) -> Promise | str: ...


class Meaning(NamedTuple):
    """`key` is unique within its table or list."""

    key: str
    label: Promise | str
    note: Promise | str


def meanings(*lines: tuple[str, Promise | str, Promise | str]) -> dict[str, Meaning]:
    """Return those of a table by their keys, in the order of its columns; `lines` are keys, labels and notes."""
    return {key: Meaning(key, label, note) for key, label, note in lines}
