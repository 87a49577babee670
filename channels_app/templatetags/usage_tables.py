"""Tables of usage in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.meaning import Explained
from channels_app.templatetags.marks import icon
from channels_app.usage_table.menu import Condition, menu, subject
from channels_app.usage_table.row import Row, page_of
from channels_app.usage_table.table import Table
from usage import privacy

register = template.Library()


@register.simple_tag
def cells(table: Table, row: Row) -> SafeString:
    """The figures of a row."""
    return table.cells(row)


@register.simple_tag(takes_context=True)
def row_menu(context: Context, row: Row, parent: Row | str = "") -> SafeString | str:
    """What can be done with what a row is of; `parent` is the row that it is a part of."""
    within = (parent.dimension, parent.value) if isinstance(parent, Row) else None
    return entity_menu(context, row.key, row.name, (row.dimension, row.value), row.page, within)


@register.simple_tag(takes_context=True)
def menu_for(context: Context, by: str, value: object, name: str) -> SafeString | str:
    """The same for one channel (by its slug), account or key (by their ids) of a table of another kind."""
    page = page_of(by, value, context["page"].scope.address)
    return entity_menu(context, f"{by}-{value}", name, (by, str(value)), page)


@register.simple_tag
def about(table: str, column: Explained, label: str = "") -> SafeString | str:
    """A button that opens what a column means, of those that usage_table/_explained.html lists for this table."""
    if not column.note:
        return ""
    return format_html(
        '<button class="about-it" type="button" popovertarget="{}-explained" data-about="{}" aria-label="{}">{}</button>',
        table, column.key, _("What is “%(name)s”?") % {"name": label or column.label}, icon("info"),
    )  # fmt: skip


@register.simple_tag
def head(table: str, column: Explained, css_class: str = "") -> SafeString:
    """The header of a column that nothing sorts by."""
    return format_html(
        '<th scope="col" class="{}" abbr="{}">{}{}</th>', css_class or column.key, column.label, column.label, about(table, column),
    )  # fmt: skip


def entity_menu(
    context: Context, id: str, name: str, own: Condition, page: str, parent: Condition | None = None
) -> SafeString | str:
    found, shown = subject(id, name, own, page, parent), context["page"]
    if found is None:
        return ""
    user: Any = context["user"]
    return menu(found, shown.address, shown.scope.address, may_name=user.is_staff and not privacy.is_on())


@register.simple_tag
def entity(by: str, value: object, address: Address, **within: object) -> str:
    """The address of the page of one channel, account, model or key, with the scope of this one; `within` are filters."""
    for name, one in within.items():
        address = address.setting(name, str(one))
    return page_of(by, value, address)
