"""What whoever is signed in may have meant by an address at which there is nothing (`ui.md` 9.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from usage.models import Account, ApiKey, Channel, ModelName

_ADDRESS = re.compile(r"/(channels|accounts|models|keys)/([^/]+.*?)/?")
_PAGES = ("channels", "models", "keys", "explore", "quota", "records", "errors", "prices", "collector", "settings")
_MOST, _LEAST_ALIKE = 5, 0.6
# So many names of a kind are compared: some milliseconds each hundred.
_MOST_COMPARED = 2_000


class Similar(NamedTuple):
    name: str
    address: str


class _Kind(NamedTuple):
    """Things with a page of their own: `told_by` are the words by which an address may mean one of them."""

    page: str
    model: type[Model]
    told_by: Callable[[Model], tuple[str, ...]]
    in_address: str = "pk"


_KINDS = {
    "channels": _Kind("channel", Channel, lambda row: (str(row), row.slug), "slug"),  # type: ignore[attr-defined]
    "accounts": _Kind("account", Account, lambda row: (str(row),)),
    "models": _Kind("model", ModelName, lambda row: (str(row),)),
    "keys": _Kind("key", ApiKey, lambda row: (str(row),)),
}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    found = list(similar(request.path)) if request.user.is_authenticated else []
    return render(request, "404.html", {"similar": found}, status=404)


def similar(path: str) -> Iterator[Similar]:
    """Yield what has a name like the last words of `path`, the most similar first: of the kind that it asks for or, if
    none is, of another; else the page that it may misspell.
    """
    asked = _ADDRESS.fullmatch(path)
    if asked is None:
        yield from _pages(path)
        return
    kind, words = asked.groups()
    others = [other for other in _KINDS if other != kind]
    yield from next(filter(None, (_named_like(words, _KINDS[one]) for one in (kind, *others))), [])


def _named_like(words: str, kind: _Kind) -> list[Similar]:
    rows = kind.model._default_manager.order_by("-pk")[:_MOST_COMPARED]
    alike = [(max(_likeness(words, told) for told in kind.told_by(row)), row) for row in rows]
    best = sorted((one for one in alike if one[0] >= _LEAST_ALIKE), key=lambda one: (-one[0], str(one[1])))
    return [
        Similar(str(row), reverse(f"channels_app:{kind.page}", args=[getattr(row, kind.in_address)]))
        for _alike, row in best[:_MOST]
    ]


def _likeness(words: str, name: str) -> float:
    """From 0 to 1; of words and a name of which one is a part of the other, enough."""
    words, name = words.casefold(), name.casefold()
    shorter, longer = sorted((words, name), key=len)
    least = _LEAST_ALIKE if len(shorter) >= 3 and shorter in longer else 0.0
    matcher = SequenceMatcher(a=words, b=name, autojunk=False)
    if matcher.real_quick_ratio() < _LEAST_ALIKE or matcher.quick_ratio() < _LEAST_ALIKE:
        return least
    return max(matcher.ratio(), least)


def _pages(path: str) -> Iterator[Similar]:
    first = path.strip("/").partition("/")[0]
    for page in _PAGES:
        if _likeness(first, page) >= _LEAST_ALIKE:
            yield Similar(f"/{page}/", f"/{page}/")
