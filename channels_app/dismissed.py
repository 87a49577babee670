"""Banners that somebody has read. Each is of one incident: the next of its kind shows again (`ui.md` 9.6)."""

from __future__ import annotations

import re

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from channels_app.way_back import keep_in_browser, way_back

_COOKIE, _BETWEEN, _MOST = "dismissed", ".", 20
_KEY = re.compile(r"[\w-]{1,60}")


def dismissed(request: HttpRequest) -> list[str]:
    """Return the keys of their warnings, the oldest first."""
    return request.COOKIES.get(_COOKIE, "").split(_BETWEEN)


@require_POST
@login_required
def dismiss(request: HttpRequest) -> HttpResponse:
    """Show a banner no more in this browser; then back to the page."""
    response, key = way_back(request), request.POST.get("warning", "")
    if _KEY.fullmatch(key):
        keys = [one for one in dismissed(request) if one not in ("", key)]
        keep_in_browser(response, _COOKIE, _BETWEEN.join([*keys, key][-_MOST:]))
    return response
