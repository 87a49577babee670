"""By how the columns of tables differ from the usual ones: as the address says, else as the viewer has kept it (`ui.md` 9.3);
and the order of all columns, which is the viewer's alone.

One that is shown besides them stands by its name, and one of them that is hidden by its name behind a minus: so a column
that an upgrade makes usual is seen by everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
_HIDDEN = "-"
_MOST, _LONGEST = 30, 30


class Choice(NamedTuple):
    """A column that can be shown, hidden, or moved among the others; `is_usual`: it is shown unless somebody hides it."""

    key: str
    label: Promise | str
    is_shown: bool
    is_usual: bool = False


def read_columns(query: QueryDict, table: str, usual: Iterable[str], optional: Iterable[str]) -> tuple[str, ...]:
    """Return which of the `optional` columns of one of TABLES to show, and which of the `usual` ones to hide."""
    asked = query.getlist(PARAMETER) or _kept(table)
    known = (*optional, *(f"{_HIDDEN}{name}" for name in usual))
    return tuple(word for word in known if word in asked)


def shown(usual: Iterable[str], columns: Collection[str]) -> frozenset[str]:
    """Return which are shown where `columns` differ from the `usual` ones."""
    kept = {name for name in usual if f"{_HIDDEN}{name}" not in columns}
    return frozenset(kept | {word for word in columns if not word.startswith(_HIDDEN)})


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
    table, columns, order = request.POST.get("table", ""), _wanted(request.POST), _wanted_order(request.POST)
    if table not in TABLES or any(
        len(names) > _MOST or max(map(len, names), default=0) > _LONGEST for names in (columns, order)
    ):
        known = ", ".join(TABLES)
        return HttpResponseBadRequest(_("table=%(value)s is none of %(known)s") % {"value": table[:60], "known": known})
    preferences = viewer.preferences()
    if "usual" in request.POST:
        preferences.columns.pop(table, None)
        preferences.column_order.pop(table, None)
    else:
        preferences.columns[table] = columns
        if ",".join(order) != request.POST.get("before", ""):
            preferences.column_order[table] = order
    preferences.save()
    back = urlsplit(request.POST.get("next", ""))
    asked = QueryDict(back.query, mutable=True)
    asked.pop(PARAMETER, None)
    return way_back(request, back=back._replace(query=asked.urlencode(safe=",:~/")).geturl())


def _wanted(asked: QueryDict) -> list[str]:
    """By how what is ticked differs from the usual columns, all of which the form names."""
    ticked, usual = asked.getlist(PARAMETER), asked.getlist("known")
    return [name for name in ticked if name not in usual] + [f"{_HIDDEN}{name}" for name in usual if name not in ticked]


def _wanted_order(asked: QueryDict) -> list[str]:
    """As the columns stand in the form, but for the one whose button it was sent by."""
    order = asked.getlist("order")
    for button, by in (("up", -1), ("down", 1)):
        if (name := asked.get(button)) in order:
            place = order.index(name)
            order.insert(max(0, place + by), order.pop(place))
    return order
