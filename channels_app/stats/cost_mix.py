"""What of a cost is for which kind of tokens (`ui.md` C5).

Sums know what the requests of a model cost, and which tokens they used, not what each kind of these cost. So the cost of each
model is divided as the price would divide it that its ordinary requests have now: parts are estimates, their sum is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import mul

from channels_app.stats.names import model_names
from channels_app.stats.questions import Group
from channels_app.stats.remembering import once
from channels_app.stats.usage import Usage
from usage.accounting.price_book import PriceBook
from usage.ingest.grains import TOKENS
from usage.ingest.prices import load_prices

# What is for no kind of tokens: of models with prices per request alone, or that have no price any more.
OTHER = "other"


def cost_by_kind(by_model: Mapping[Group, Usage], at: int) -> dict[str, int]:
    """Return the nano-USD for each of TOKENS and OTHER, those that are not 0; by the prices at `at` (microseconds since 1970 UTC)."""
    costs = {pk: usage for (pk,), usage in by_model.items() if pk and usage.cost_nanousd}
    names, book, found = model_names(costs.keys()), once(load_prices), Counter[str]()
    for pk, usage in costs.items():
        found.update(_divided(usage, book, names[pk], at))
    return {kind: cost for kind, cost in found.items() if cost}


def _divided(usage: Usage, book: PriceBook, model: str, at: int) -> dict[str, int]:
    """What is left over by rounding goes to the largest part."""
    price = book.find(model, at)
    weights = [*map(mul, (getattr(usage, kind) for kind in TOKENS), price.rates)] if price else []
    whole = sum(weights)
    if not whole:
        return {OTHER: usage.cost_nanousd}
    parts = [usage.cost_nanousd * weight // whole for weight in weights]
    parts[weights.index(max(weights))] += usage.cost_nanousd - sum(parts)
    return dict(zip(TOKENS, parts, strict=True))
