"""How pages with a filter bar are answered, and what a filter can be set to, while somebody types."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.filter_bar.bar import FilterBar
from channels_app.filter_bar.page import DataPage
from channels_app.filter_bar.scope import read_scope
from channels_app.filters import PARAMETERS

# What the form's own buttons send.
_APPLY = "apply"


def answer(request: HttpRequest, template: str, page: DataPage) -> HttpResponse:
    """Draw a page with its times in the zone that is asked for; a form is sent on to the address that says the same."""
    if _APPLY in request.GET and not page.warnings:
        return HttpResponseRedirect(f"{request.path}{page.address}")
    with timezone.override(page.scope.period.zone):
        return render(request, template, {"page": page})


@require_safe
@login_required
def choices(request: HttpRequest, name: str) -> HttpResponse:
    """The choices of one filter whose name holds `q`, as a part of a page."""
    if name not in PARAMETERS or name == "status":
        raise Http404
    scope = read_scope(request.GET, timezone.now())
    found = FilterBar(scope, scope.address).menu(name, request.GET.get("q", ""))
    return render(request, "filter_bar/_choices.html", {"menu": found})
