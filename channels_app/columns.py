"""Columns of tables besides the usual ones: those that the address names, else those that the viewer has kept (`ui.md` 9.3);
and the order of all columns, which is the viewer's alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from channels_app import viewer
from channels_app.way_back import way_back

PARAMETER = "cols"
TABLES = ("records", "channels", "models", "keys")
# In an address: only the usual ones.
_NONE = "none"
_MOST, _LONGEST = 30, 30


class Choice(NamedTuple):
    """A column that can be shown, or moved among the others; `is_usual`: it is always shown."""

    key: str
    label: Promise | str
    is_shown: bool
    is_usual: bool = False


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


def arranged(table: str, columns: Sequence[str]) -> list[str]:
    """Return `columns` in the order in which the viewer wants them; what that does not know keeps to those before it."""
    places = {name: place for place, name in enumerate(_order(table))}
    order, place = list[tuple[int, str]](), -1
    for name in columns:
        place = places.get(name, place)
        order.append((place, name))
    return [name for _place, name in sorted(order, key=lambda one: one[0])]


def is_rearranged(table: str) -> bool:
    return bool(_order(table))


def _order(table: str) -> list[str]:
    kept: Mapping[str, list[str]] = viewer.preferences().column_order
    return kept.get(table, [])


@require_POST
@login_required
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Keep the columns of one table for whoever asks; then back to the page, as its address without columns shows it."""
    table, columns, order = request.POST.get("table", ""), request.POST.getlist(PARAMETER), _wanted_order(request.POST)
    if table not in TABLES or any(
        len(names) > _MOST or max(map(len, names), default=0) > _LONGEST for names in (columns, order)
    ):
        known = ", ".join(TABLES)
        return HttpResponseBadRequest(_("table=%(value)s is none of %(known)s") % {"value": table[:60], "known": known})
    preferences = viewer.preferences()
    preferences.columns = preferences.columns | {table: columns}
    if "usual" in request.POST:
        preferences.column_order.pop(table, None)
    elif ",".join(order) != request.POST.get("before", ""):
        preferences.column_order[table] = order
    preferences.save()
    back = urlsplit(request.POST.get("next", ""))
    asked = QueryDict(back.query, mutable=True)
    asked.pop(PARAMETER, None)
    return way_back(request, back=back._replace(query=asked.urlencode(safe=",:~/")).geturl())


def _wanted_order(asked: QueryDict) -> list[str]:
    """As the columns stand in the form, but for the one whose button it was sent by."""
    order = asked.getlist("order")
    for button, by in (("up", -1), ("down", 1)):
        if (name := asked.get(button)) in order:
            place = order.index(name)
            order.insert(max(0, place + by), order.pop(place))
    return order
