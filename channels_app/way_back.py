"""Where somebody goes after a small form that stands on several pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest, default: str = "/", back: str | None = None) -> HttpResponseRedirect:
    """To the page where the button is, if it is one of ours; else to `default`."""
    return HttpResponseRedirect(address_back(request, default, back))


def address_back(request: HttpRequest, default: str = "/", back: str | None = None) -> str:
    """Return the address of that page: `back`, else what the form sends, or the link to a page of its own says."""
    if back is None:
        back = request.POST.get("next", "") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return back if is_ours else default
