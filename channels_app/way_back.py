"""Where somebody goes after a small form that stands on several pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest, default: str = "/", back: str | None = None) -> HttpResponseRedirect:
    """To the page where the button is (`back`, else the form's `next`), if it is one of ours; else to `default`."""
    back = request.POST.get("next", "") if back is None else back
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back if is_ours else default)
