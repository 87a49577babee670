"""What a price list says: models with their prices, in integers; and the refusal of what it may not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from usage.accounting.pricing import Price

# Below one million USD per 1M tokens, in units of 0.000001 USD: what the columns of our own form hold.
_MOST_UNITS = Decimal(10) ** 12
# What the columns hold, and PostgreSQL takes.
_LONGEST_NAME, _LONGEST_TIER = 300, 40


class BadPriceList(ValueError):
    """A price list that cannot be read or trusted; its message names the place, the value and the rule."""


class Listed(NamedTuple):
    """A model of a list. `name` is unique in the list, `vendor` who sells it, `model` what they call it."""

    name: str
    vendor: str
    model: str
    prices: tuple[Price, ...]


def check_names(models: Iterable[Listed]) -> None:
    for one in models:
        tiers = [price.service_tier for price in one.prices]
        if not (one.name.isprintable() and len(one.name) <= _LONGEST_NAME and all(map(_is_tier, tiers))):
            name = ascii(_short(one.name))
            raise BadPriceList(_("%(name)s is no name of a model, or has one that is none of a tier") % {"name": name})


def _is_tier(name: str) -> bool:
    return name.isprintable() and len(name) <= _LONGEST_TIER


def to_units(value: object, place: str, *, scale: int) -> int | None:
    """Return USD x 10**scale, rounded half up, None for what is not given."""
    if value is None:
        return None
    amount = Decimal(value) if type(value) is int else value
    if not isinstance(amount, Decimal):
        raise BadPriceList(_("%(place)s is %(value)s; a price is a number") % {"place": place, "value": _short(value)})
    if not 0 <= amount < _MOST_UNITS.scaleb(-scale):
        most = {"place": place, "value": _short(amount), "most": f"{_MOST_UNITS.scaleb(-scale).normalize():f}"}
        raise BadPriceList(_("%(place)s is %(value)s; a price is 0 or more and below %(most)s USD") % most)
    return int(amount.scaleb(scale).to_integral_value(ROUND_HALF_UP))


def objects(parent: object, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the members of a JSON object, each of which must be one too, and refuse another currency than USD."""
    for name, member in as_object(parent, place).items():
        yield name, as_object(member, f"{place}.{name}" if place else name)


def as_object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        where = {"place": place or _("the list"), "value": _short(value)}
        raise BadPriceList(_("%(place)s is %(value)s; it should be a JSON object") % where)
    currency = value.get("currency", "USD")
    if not isinstance(currency, dict) and str(currency).upper() != "USD":
        where = {"place": place or _("the list"), "value": _short(currency)}
        raise BadPriceList(_("%(place)s is in %(value)s; prices are read in USD only") % where)
    return value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
