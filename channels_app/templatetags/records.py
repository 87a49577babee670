"""Links of the Records page (what else can be done with what a cell names, what a header sorts by), and its heads and cells
in the order of its columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context
from django.template.base import FilterExpression, Node, NodeList, Parser, Token
from django.utils.safestring import SafeString, mark_safe

from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.records_page.cells import cost, status_pill
from channels_app.records_page.menus import Menus
from channels_app.records_page.page import RecordRow, RecordsPage
from usage import privacy

register = template.Library()


@register.simple_tag
def menu_button(menus: Menus, by: str, value: object, name: object, page: object = None) -> SafeString:
    """What opens the menu of a channel (by its slug, empty for the unknown one), account, model (by its name, and `page`
    by its id) or key.
    """
    return menus.button((by, str(value) if value != "" else UNKNOWN_CHANNEL), str(name), page)


@register.simple_tag(takes_context=True)
def menus_of(context: Context, menus: Menus, swaps: bool) -> SafeString:
    """What the buttons before it open. `swaps`: the list that they filter is this very page."""
    user: Any = context["user"]
    return menus.opened(may_name=user.is_staff and not privacy.is_on(), swaps=swaps)


@register.inclusion_tag("channels/_header.html")
def sortable(page: RecordsPage, sort: str, column: str) -> dict[str, Any]:
    """A column's header: a link that sorts by it, and `aria-sort` on the sorted one."""
    return {
        "column": page.meanings[column],
        "label": page.meanings[column].label,
        "address": page.query.sorting(sort),
        "is_sorted": page.query.sorted_by == sort,
        "descending": page.query.descending,
    }


@register.simple_tag
def cells(page: RecordsPage, line: RecordRow) -> SafeString:
    """A row's cells, but for its time."""
    return page.cells.of(line)


register.simple_tag(status_pill)
register.simple_tag(cost, name="record_cost")


@register.tag
def columns(parser: Parser, token: Token) -> Columns:
    """`{% columns names %}{% column "cost" %}…{% column "speed" %}…{% endcolumns %}`: of its cells those of the columns that
    `names` lists, in that order.
    """
    _name, names = token.split_contents()
    cells: dict[str, NodeList] = {}
    parser.parse(("column",))
    while (part := parser.next_token().split_contents())[0] == "column":
        cells[part[1].strip('"')] = parser.parse(("column", "endcolumns"))
    return Columns(parser.compile_filter(names), cells)


class Columns(Node):
    def __init__(self, names: FilterExpression, cells: Mapping[str, NodeList]) -> None:
        self._names, self._cells = names, cells

    def render(self, context: Context) -> SafeString:
        return mark_safe("".join(self._cells[name].render(context) for name in self._names.resolve(context)))  # noqa: S308
