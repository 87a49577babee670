"""What the columns of a table mean, a line each (`ui.md` 6)."""

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
    key: str
    label: Promise | str
    note: Promise | str
