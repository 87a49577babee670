"""Where somebody goes after a small form that stands on several pages, and what the browser keeps of it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

_YEAR = 365 * 86_400


def way_back(request: HttpRequest, default: str = "/", back: str | None = None) -> HttpResponseRedirect:
    """To the page where the button is, if it is one of ours; else to `default`."""
    return HttpResponseRedirect(address_back(request, default, back))


def address_back(request: HttpRequest, default: str = "/", back: str | None = None) -> str:
    """Return the address of that page: `back`, else what the form sends, or the link to a page of its own says."""
    if back is None:
        back = request.POST.get("next", "") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return back if is_ours else default


def keep_in_browser(response: HttpResponse, name: str, value: str) -> None:
    """Have the browser say so with each request, for a year."""
    response.set_cookie(
        name, value, max_age=_YEAR, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
