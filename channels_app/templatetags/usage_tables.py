"""Tables of usage in templates."""

from __future__ import annotations

from html import escape
from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString, mark_safe

from channels_app.address import Address
from channels_app.templatetags.charts import look
from channels_app.templatetags.marks import icon
from channels_app.usage_table.menu import Condition, menu, subject
from channels_app.usage_table.row import Row, page_of
from channels_app.usage_table.table import Table
from usage import privacy

register = template.Library()

# Rows beneath one of a channel, whose look is theirs.
_OF_THE_LOOK_ABOVE = ("account", "model")


@register.simple_tag
def cells(table: Table, row: Row) -> SafeString:
    """The figures of a row."""
    return table.cells(row)


@register.simple_tag(takes_context=True)
def name_line(context: Context, row: Row, parent: Row | str = "") -> SafeString:
    """The name of a row between what opens it and what can be done with it; `parent` is the row that it is a part of.

    Put together here: of a hundred rows a template takes several times as long.
    """
    name, mark = escape(row.name), ""
    if row.look and row.css not in _OF_THE_LOOK_ABOVE:
        mark = look(row.look)
    named = f'<span class="name" title="{name}">{name}</span>'
    if row.page:
        named = f'<a class="name" href="{escape(row.page)}" title="{name}">{name}</a>'
    return mark_safe(f'<span class="line">{_toggle(row)}{mark}{named}{_row_menu(context, row, parent)}</span>')  # noqa: S308


def _toggle(row: Row) -> str:
    if not row.toggle:
        return ""
    return (
        f'<a class="toggle" id="toggle-{escape(row.key)}" href="{escape(str(row.toggle))}#row-{escape(row.key)}" data-swap '
        f'aria-expanded="{"true" if row.is_open else "false"}"{_controls(row)}>{icon("chevron", "turns")}'
        f'<span class="sr-only">{escape(row.name)}</span></a>'
    )


def _controls(row: Row) -> str:
    """The rows that it has opened; a shut one has none yet."""
    ids = " ".join(f"row-{escape(part.key)}" for part in row.children)
    return f' aria-controls="{ids}"' if ids else ""


def _row_menu(context: Context, row: Row, parent: Row | str) -> SafeString | str:
    within = (parent.dimension, parent.value) if isinstance(parent, Row) else None
    return entity_menu(context, row.key, row.name, (row.dimension, row.value), row.page, within)


@register.simple_tag(takes_context=True)
def menu_for(context: Context, by: str, value: object, name: str) -> SafeString | str:
    """The same for one channel (by its slug), account or key (by their ids) of a table of another kind."""
    page = page_of(by, value, context["page"].scope.address)
    return entity_menu(context, f"{by}-{value}", name, (by, str(value)), page)


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
