"""Who looks: the person whose request is being answered, and how that person wants to see things.

Asked for late, since the API learns who somebody is in its views; then kept for the rest of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import ResolverMatch
from django.utils.translation import get_language

from channels_app.site import site
from config.currency import Currency
from usage import formats, privacy
from usage.models import Preferences

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_TEXTS = ("text/", "application/json")
# What of the admin shows nobody but oneself.
_OWN = ("login", "logout", "password_change", "password_change_done", "jsi18n")


def preferences() -> Preferences:
    """Return the viewer's; the defaults where nobody is signed in, and outside of requests."""
    request = _request.get()
    return Preferences() if request is None else _preferences_of(request)


def _preferences_of(request: HttpRequest) -> Preferences:
    """Kept with whose they are: whoever signs in, or is known by a token, is another object. Asked for a thousand times a
    page, of which the user's own attributes would each be a look-up.
    """
    user = getattr(request, "user", None)
    whose, kept = getattr(request, "_preferences", (None, None))
    if kept is None or whose is not user:
        kept = Preferences() if user is None or not user.is_authenticated else _stored(user.pk)
        request._preferences = user, kept  # type: ignore[attr-defined]
    return cast(Preferences, kept)


def _stored(user: int) -> Preferences:
    return Preferences.objects.filter(pk=user).first() or Preferences(pk=user)


def _is_private(request: HttpRequest) -> bool:
    return _preferences_of(request).privacy


def _units(request: HttpRequest) -> formats.CompactUnits:
    """Words of one language do not stand among those of another."""
    in_myriads = (get_language() or "").startswith("zh") and _preferences_of(request).counts_in_myriads
    return formats.MYRIADS if in_myriads else formats.THOUSANDS


def _currency() -> Currency:
    return site().currency


class ViewerMiddleware:
    """Goes inside of authentication. In privacy mode the admin is shut, whose forms would save what they show."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            with (
                privacy.decided_by(partial(_is_private, request)),
                formats.currency_decided_by(cache(_currency)),
                formats.units_decided_by(cache(partial(_units, request))),
            ):
                response = self._get_response(request)
                return _masked(response) if _shows_text(response) and privacy.is_on() else response
        finally:
            _request.reset(token)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = cast(ResolverMatch, request.resolver_match)
        if match.app_name != "admin" or match.url_name in _OWN or not privacy.is_on():
            return None
        return render(request, "privacy/admin.html", status=403)


def _shows_text(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith(_TEXTS)


def _masked(response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = _stream(cast(Iterable[bytes], response.streaming_content))
    elif isinstance(response, HttpResponse):
        response.content = _mask(response.content)
    return response


def _stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What is streamed is made when the request is over; and each line of it comes in one piece."""
    waiting = iter(chunks)
    while True:
        with privacy.decided_by(lambda: True):
            chunk = next(waiting, None)
        if chunk is None:
            return
        yield _mask(chunk)


def _mask(text: bytes) -> bytes:
    return privacy.without_emails(text.decode()).encode()
