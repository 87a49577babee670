"""What is the same for all questions of one page: asked once, not by each of its twenty questions."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase

from channels_app.stats.database import database

Found = TypeVar("Found")
_remembered: ContextVar[dict[Any, Any] | None] = ContextVar("remembered", default=None)


def once(ask: Callable[[str], Found]) -> Found:
    """Return what `ask` finds in the database of this alias; while a request is answered, what it found first."""
    known, alias = _remembered.get(), database().alias
    if known is None:
        return ask(alias)
    if (ask, alias) not in known:
        known[ask, alias] = ask(alias)
    return known[ask, alias]  # type: ignore[no-any-return]


def remembering(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: what is found for one request is forgotten after it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _remembered.set({})
        try:
            return get_response(request)
        finally:
            _remembered.reset(token)

    return middleware
