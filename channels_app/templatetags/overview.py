"""Amounts and links of the Overview's lists."""

from __future__ import annotations

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.errors_page.query import ErrorsQuery
from channels_app.overview.entities import Row
from channels_app.overview.query import OverviewQuery
from channels_app.templatetags.formats import count, money, tokens
from channels_app.templatetags.usage_tables import entity_menu

register = template.Library()

_WRITTEN = {"tokens": tokens, "cost": money, "requests": count, "failed": count}


@register.filter
def toggling(query: OverviewQuery | ErrorsQuery, key: str) -> Address:
    return query.toggling(key).address


@register.simple_tag(takes_context=True)
def menu_of(context: Context, row: Row, place: str) -> SafeString | str:
    """What can be done with what a row is of; the same may stand in several `place`s of the page."""
    return entity_menu(context, f"{place}-{row.key}", row.name, row.condition, row.page)


@register.filter
def amount(row: Row, metric: str) -> SafeString:
    """The value by which a row has its place; what has no price is never zero."""
    if metric == "cost" and row.value is None:
        return format_html("{}", _("unpriced"))
    return _WRITTEN[metric](row.value)
