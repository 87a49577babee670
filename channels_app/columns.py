"""Columns of tables besides the usual ones: those that the address names, else those that the viewer has kept (`ui.md` 9.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from channels_app import viewer
from channels_app.way_back import way_back

PARAMETER = "cols"
TABLES = ("records", "channels", "models", "keys")
# In an address: only the usual ones.
_NONE = "none"
_MOST, _LONGEST = 30, 30


def read_columns(query: QueryDict, table: str, optional: Iterable[str]) -> tuple[str, ...]:
    """Return which of the `optional` columns of one of TABLES to show, in their own order."""
    asked = query.getlist(PARAMETER) or _kept(table)
    return tuple(name for name in optional if name in asked)


def written(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return how these columns stand in an address; what the viewer has kept needs no words."""
    return () if {*columns} == {*_kept(table)} else columns or (_NONE,)


def _kept(table: str) -> list[str]:
    kept: Mapping[str, list[str]] = viewer.preferences().columns
    return kept.get(table, [])


@require_POST
@login_required
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Keep the columns of one table for whoever asks; then back to the page, as its address without columns shows it."""
    table, columns = request.POST.get("table", ""), request.POST.getlist(PARAMETER)
    if table not in TABLES or len(columns) > _MOST or any(len(name) > _LONGEST for name in columns):
        known = ", ".join(TABLES)
        return HttpResponseBadRequest(_("table=%(value)s is none of %(known)s") % {"value": table[:60], "known": known})
    preferences = viewer.preferences()
    preferences.columns = preferences.columns | {table: columns}
    preferences.save()
    back = urlsplit(request.POST.get("next", ""))
    asked = QueryDict(back.query, mutable=True)
    asked.pop(PARAMETER, None)
    return way_back(request, back=back._replace(query=asked.urlencode(safe=",:~/")).geturl())
