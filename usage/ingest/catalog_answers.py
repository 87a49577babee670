"""`python -m usage.ingest.catalog_answers`: what genai-prices says of the models that are asked for on standard input.

It is a process of its own that ends, because the catalog takes 40 MB; so nothing here needs Django.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import fields
from typing import Any, NamedTuple

from usage.accounting.pricing import Price
from usage.accounting.resolver import COMPATIBLE_PREFIX

Asked = tuple[str, str]  # a model, and CPA's name for the provider


class Answer(NamedTuple):
    """What the catalog calls a model, such as openai/gpt-4o, and its prices under all their conditions."""

    name: str
    prices: tuple[Price, ...]


# How CPA's provider ids are called in genai-prices; others are looked up by the model's name alone.
_CATALOG_PROVIDERS = {
    "claude": "anthropic",
    "codex": "openai",
    "openai": "openai",
    "xai": "x-ai",
    "kimi": "moonshotai",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    **dict.fromkeys(("gemini", "gemini-cli", "gemini-interactions", "vertex", "aistudio", "antigravity"), "google"),
}
_EFFORT = re.compile(r"\([^)]*\)$")


def read(said: Any) -> Answer | None:
    """Return the answer in what the process said of one question."""
    return Answer(said[0], tuple(Price(**columns) for columns in said[1])) if said else None


def main() -> None:
    json.dump([_answer((model, provider)) for model, provider in json.load(sys.stdin)], sys.stdout)


def _answer(question: Asked) -> Any:
    """Return what an Answer is made of, None where the catalog knows no price that fits our columns."""
    from usage.ingest.catalog_prices import prices_of

    model, provider = question
    found = None if "*" in model else _find(model, provider)  # as a pattern it would be the price of others
    prices = prices_of(found[1], model) if found else []
    return [f"{found[0].id}/{found[1].id}", [_say(price) for price in prices]] if found and prices else None


def _say(price: Price) -> dict[str, Any]:
    return {column.name: getattr(price, column.name) for column in fields(price) if column.init}


def _find(model: str, provider: str) -> Any:
    """Return the catalog's provider and model.

    Try the provider's own list, then the vendor that the name begins with, then all lists.
    """
    from genai_prices.data_snapshot import get_snapshot

    catalog = get_snapshot()
    name = _EFFORT.sub("", model)
    vendor, _, bare = name.rpartition("/")
    provider = _CATALOG_PROVIDERS.get(provider.removeprefix(COMPATIBLE_PREFIX), "")
    for model_ref, provider_id in ((name, provider), (name, None), (bare, vendor), (bare, None)):
        if provider_id == "":
            continue
        try:
            return catalog.find_provider_model(model_ref, None, provider_id, None)
        except LookupError:
            continue
    return None


if __name__ == "__main__":
    main()
