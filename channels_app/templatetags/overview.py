"""Amounts and links of the Overview's lists."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.errors_page.query import ErrorsQuery
from channels_app.overview.entities import Row
from channels_app.overview.query import OverviewQuery
from channels_app.templatetags.formats import count, money, tokens

register = template.Library()

_WRITTEN = {"tokens": tokens, "cost": money, "requests": count, "failed": count}


@register.filter
def toggling(query: OverviewQuery | ErrorsQuery, key: str) -> Address:
    return query.toggling(key).address


@register.filter
def amount(row: Row, metric: str) -> SafeString:
    """The value by which a row has its place; what has no price is never zero."""
    if metric == "cost" and row.value is None:
        return format_html("{}", _("unpriced"))
    return _WRITTEN[metric](row.value)
