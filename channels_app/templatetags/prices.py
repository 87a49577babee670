"""Prices in templates."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.translation import gettext as _

from channels_app.prices_page import amounts
from channels_app.prices_page.query import PricesQuery
from usage import formats

register = template.Library()

register.filter("amounts_of", amounts.amounts)
register.filter(amounts.column_name)


@register.filter
def usd(value: Decimal) -> str:
    """All decimals that are there, at least two: a price is never rounded."""
    whole, _point, fraction = f"{value:f}".partition(".")
    return f"{int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


@register.filter
def factor(value: Decimal) -> str:
    return f"× {value.normalize():f}"


@register.filter
def cell(value: Decimal | bool | None, column: str) -> str:
    """What a column of a CSV file says; where it is empty, what that means."""
    if value is None:
        return _("= output") if column == "reasoning" else _("= input")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:f}"


@register.filter
def signed(percent: Decimal) -> str:
    return f"{percent:+f}%".replace("-", formats.MINUS)


@register.filter
def showing(query: PricesQuery, show: str) -> str:
    return query.showing(show).address


@register.filter
def turned_to(query: PricesQuery, page: int) -> str:
    return query.turned_to(page).address
