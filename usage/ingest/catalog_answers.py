"""`python -m usage.ingest.catalog_answers`: what genai-prices says of the models that are asked for on standard input.

It is a process of its own that ends, because the catalog takes 40 MB; so nothing here needs Django.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from usage.accounting.resolver import COMPATIBLE_PREFIX

Asked = tuple[str, str]  # a model, and CPA's name for the provider
Amounts = dict[str, str | None]  # decimal USD per 1M tokens, by our columns; those of caches may be None

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
_COLUMNS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}


def main() -> None:
    json.dump(_answer(tuple(asked) for asked in json.load(sys.stdin)), sys.stdout)


def _answer(questions: Iterable[Asked]) -> list[Amounts | None]:
    """Return the amounts for each of `questions`, None where the catalog knows none that fits our columns."""
    return [_amounts(model, provider) for model, provider in questions]


def _amounts(model: str, provider: str) -> Amounts | None:
    found = _find(model, provider)
    amounts = {ours: _base_amount(getattr(found, theirs, None)) for ours, theirs in _COLUMNS.items()}
    return None if amounts["input"] is None or amounts["output"] is None else amounts


def _find(model: str, provider: str) -> Any:
    """Try the provider's own list, then the vendor that the name begins with, then all lists."""
    from genai_prices.data_snapshot import get_snapshot

    catalog = get_snapshot()
    name = _EFFORT.sub("", model)
    vendor, _, bare = name.rpartition("/")
    provider = _CATALOG_PROVIDERS.get(provider.removeprefix(COMPATIBLE_PREFIX), "")
    for model_ref, provider_id in ((name, provider), (name, None), (bare, vendor), (bare, None)):
        if provider_id == "":
            continue
        try:
            _, info = catalog.find_provider_model(model_ref, None, provider_id, None)
        except LookupError:
            continue
        return info.get_prices(datetime.now(UTC))
    return None


def _base_amount(amount: Any) -> str | None:
    """Of a tiered price the base tier, since a ModelPrice has one."""
    base = getattr(amount, "base", amount)
    return None if base is None else str(Decimal(base).quantize(Decimal("0.000001")))


if __name__ == "__main__":
    main()
