"""Tables of usage in templates."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from channels_app.address import Address
from channels_app.usage_table.row import Row, page_of
from channels_app.usage_table.table import Table

register = template.Library()


@register.simple_tag
def cells(table: Table, row: Row) -> SafeString:
    """The figures of a row."""
    return table.cells(row)


@register.simple_tag
def entity(by: str, value: object, address: Address, **within: object) -> str:
    """The address of the page of one channel, account, model or key, with the scope of this one; `within` are filters."""
    for name, one in within.items():
        address = address.setting(name, str(one))
    return page_of(by, value, address)
