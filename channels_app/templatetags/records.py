"""Links of the Records page: what a cell filters by, and what a header sorts by."""

from __future__ import annotations

from typing import Any

from django import template

from channels_app.address import Address
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.records_page.page import RecordsPage

register = template.Library()


@register.simple_tag
def asking(address: Address, name: str, value: object) -> Address:
    """The same list of one server, channel, account, model or key alone."""
    return address.setting(name, str(value) if value != "" else UNKNOWN_CHANNEL)


@register.inclusion_tag("channels/_header.html")
def sortable(page: RecordsPage, sort: str, label: str, css_class: str) -> dict[str, Any]:
    """A column's header: a link that sorts by it, and `aria-sort` on the sorted one."""
    return {
        "column": {"key": css_class},
        "label": label,
        "address": page.query.sorting(sort),
        "is_sorted": page.query.sorted_by == sort,
        "descending": page.query.descending,
    }
