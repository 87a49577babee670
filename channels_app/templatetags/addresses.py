"""Links from a page to its neighbouring states."""

from __future__ import annotations

from typing import Any

from django import template

from channels_app.address import Address
from channels_app.channels_page import ChannelsPage, Column
from channels_app.channels_query import ChannelsQuery
from channels_app.errors_page.query import ErrorsQuery
from channels_app.overview.query import OverviewQuery
from channels_app.stats import SORT_KEYS, Share

register = template.Library()


@register.filter
def toggling(query: ChannelsQuery | OverviewQuery | ErrorsQuery, key: str) -> Address:
    return query.toggling(key).address


@register.filter
def share_of(share: Share | None, metric: str) -> float | None:
    fraction: float | None = getattr(share, metric, None)
    return fraction


@register.inclusion_tag("channels/_header.html")
def header(page: ChannelsPage, column: Column) -> dict[str, Any]:
    """A column's header: a link that sorts by it, and `aria-sort` on the sorted one."""
    query = page.query
    sortable = column.key in SORT_KEYS or column.key == "name"
    return {
        "column": column,
        "label": page.share_label if column.key == "share" else column.label,
        "address": query.sorting(column.key).address if sortable else "",
        "is_sorted": query.sorted_by == column.key,
        "descending": query.descending,
    }
