"""Privacy mode: whoever has it on is shown no e-mail, no name of an account or key and no whole IP address
(`ui.md` 9.8), for pictures of pages.

Rows say what they are called by `alias`, wherever that is shown, and where clients called from by `addresses`; and of every answer the texts that others wrote are taken
care of by `without_emails`. Who has it on is decided for each request (channels_app/viewer.py); elsewhere nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address

from django.utils.functional import Promise

_is_on: ContextVar[Callable[[], bool]] = ContextVar("privacy", default=lambda: False)
_DOTS = "\u2022\u2022\u2022"

# What ends a word in HTML, JSON, CSV and addresses.
_ENDS = r"\s<>\"'&;,:/()\[\]{}|=?\\#%`"
# A word with an @ is looked for at its beginning alone: from each of its letters, a long one would take for ever.
_WORD = re.compile(rf"(?<![^{_ENDS}])[^@{_ENDS}]+@[^{_ENDS}]+")
_DOMAIN = re.compile(r"@([^\W_])[\w-]*(?:\.[\w-]+)*\.([^\W\d_]{2,})")


def is_on() -> bool:
    return _is_on.get()()


@contextmanager
def decided_by(decide: Callable[[], bool]) -> Iterator[None]:
    """Have `decide` asked while the block lasts, each time that something is shown."""
    token = _is_on.set(decide)
    try:
        yield
    finally:
        _is_on.reset(token)


def alias(name: str, kind: Promise | str, number: int | None) -> str:
    """Return `name` or, in privacy mode, something like `claude #3`, which is always the same."""
    return f"{kind} #{number}" if is_on() else name


def addresses(text: str) -> str:
    """Return IP addresses, divided by commas; in privacy mode as `203.0.x.x`, and of what is none of them nothing."""
    return ", ".join(map(_network, text.split(","))) if text and is_on() else text


def _network(text: str) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return _DOTS
    divider = "." if address.version == 4 else ":"
    return divider.join((*address.exploded.split(divider)[:2], "x", "x"))


def without_emails(text: str) -> str:
    """Return `text` with `alice@example.com` as `a•••@e•••.com`."""
    return _WORD.sub(_hidden, text) if "@" in text else text


def _hidden(word: re.Match[str]) -> str:
    """Of several in one word the last is told, and hides the others."""
    text = word[0]
    domains = list(_DOMAIN.finditer(text))
    if not domains:
        return text
    return f"{text[0]}{_DOTS}@{domains[-1][1]}{_DOTS}.{domains[-1][2]}{text[domains[-1].end() :]}"
