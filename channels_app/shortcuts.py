"""The list of keyboard shortcuts: a page, which `core.js` shows above the one where somebody asks for it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from channels_app.way_back import address_back

# Keys that are pressed one after the other, and what they do (`ui.md` 4.2). Which element each is of, templates say
# (`data-key`).
SHORTCUTS: dict[str, Promise] = {
    "f": _("To the filters"),
    "t": _("Choose the period"),
    "x": _("Compare, or do not"),
    "r": _("Refresh"),
    "/": _("Search in the page"),
    "g o": _("Overview"),
    "g c": _("Channels"),
    "g m": _("Models"),
    "g k": _("API keys"),
    "g e": _("Errors"),
    "g r": _("Records"),
    "?": _("This list"),
}


@require_safe
@login_required
def shortcuts(request: HttpRequest) -> HttpResponse:
    return render(request, "shortcuts.html", {"shortcuts": SHORTCUTS, "back": address_back(request)})
