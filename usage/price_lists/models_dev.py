"""The list of models.dev (https://models.dev/api.json): providers, their models, USD per 1M tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from usage.accounting.pricing import Price
from usage.price_lists.listed import BadPriceList, Listed, as_object, objects, to_units

URL = "https://models.dev/api.json"
# A millionth of a USD per 1M tokens is our unit.
_SCALE = 6
_COLUMNS = {
    "input": "input",
    "output": "output",
    "cached_input": "cache_read",
    "cache_write": "cache_write",
    "reasoning": "reasoning",
}
_OVER_200K = 200_000
_CONTEXT = "context"


def listed(document: object) -> Iterator[Listed]:
    """Yield the models that have prices for input and output."""
    for vendor, provider in objects(document, ""):
        for model, info in objects(provider.get("models"), f"{vendor}.models"):
            prices = tuple(_prices(model, info, f"{vendor}.models.{model}"))
            if prices:
                yield Listed(f"{vendor}/{model}", vendor, model, prices)


def _prices(model: str, info: dict[str, Any], place: str) -> Iterator[Price]:
    """Prices above a threshold that are left out are those below it."""
    cost = as_object(info.get("cost") or {}, f"{place}.cost")
    if cost.get("input") is None or cost.get("output") is None:
        return
    yield _price(model, cost, f"{place}.cost")
    for above, tier, where in _thresholds(cost, f"{place}.cost"):
        yield _price(model, cost | tier, where, above_input_tokens=above)
    for name, mode in objects(as_object(info.get("experimental") or {}, place).get("modes") or {}, f"{place}.modes"):
        body = as_object(as_object(mode.get("provider") or {}, place).get("body") or {}, place)
        if isinstance(body.get("service_tier"), str) and mode.get("cost"):
            where = f"{place}.modes.{name}.cost"
            yield _price(model, cost | as_object(mode["cost"], where), where, service_tier=body["service_tier"])


def _thresholds(cost: dict[str, Any], place: str) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Of the two ways to say it, `tiers` is the newer and names its size. Other conditions no price of ours can say."""
    tiers = cost.get("tiers") or []
    if not isinstance(tiers, list):
        raise BadPriceList(_("%(place)s is no list of tiers") % {"place": f"{place}.tiers"})
    for number, tier in enumerate(tiers):
        where = f"{place}.tiers.{number}"
        condition = as_object(as_object(tier, where).get("tier"), f"{where}.tier")
        if condition.get("type", _CONTEXT) != _CONTEXT:
            continue
        size = condition.get("size")
        if type(size) is not int or not 0 < size < 10**12:
            raise BadPriceList(_("%(place)s has no size in tokens") % {"place": f"{where}.tier"})
        yield size, tier, where
    if not tiers and cost.get("context_over_200k"):
        where = f"{place}.context_over_200k"
        yield _OVER_200K, as_object(cost["context_over_200k"], where), where


def _price(model: str, cost: dict[str, Any], place: str, **conditions: Any) -> Price:
    for ours, theirs in _COLUMNS.items():
        conditions[ours] = to_units(cost.get(theirs), f"{place}.{theirs}", scale=_SCALE)
    return Price(model, **conditions)
