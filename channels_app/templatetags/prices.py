"""Prices in templates."""

from __future__ import annotations

from decimal import Decimal

from django import template

from channels_app.prices_page.query import PricesQuery

register = template.Library()


@register.filter
def usd(value: Decimal) -> str:
    """All decimals that are there, at least two: a price is never rounded."""
    whole, _point, fraction = f"{value:f}".partition(".")
    return f"{int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


@register.filter
def factor(value: Decimal) -> str:
    return f"× {value.normalize():f}"


@register.filter
def showing(query: PricesQuery, show: str) -> str:
    return query.showing(show).address


@register.filter
def turned_to(query: PricesQuery, page: int) -> str:
    return query.turned_to(page).address
