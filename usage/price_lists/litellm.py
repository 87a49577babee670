"""The list of LiteLLM (model_prices_and_context_window.json): models by their key, USD per token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from usage.accounting.pricing import Price
from usage.price_lists.listed import Listed, objects, to_units

URL = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
# A millionth of a USD per 1M tokens is our unit.
_SCALE = 12
_COLUMNS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
}
_KEY = re.compile(rf"({'|'.join(_COLUMNS.values())})(?:_above_(\d{{1,6}})k_tokens)?(?:_(priority|flex))?")
_SAMPLE = "sample_spec"

_Conditions = tuple[str, int]  # service tier, threshold
_PLAIN: _Conditions = ("", 0)


def listed(document: object) -> Iterator[Listed]:
    """Yield the models that have prices for input and output."""
    for key, info in objects(document, ""):
        sets = {} if key == _SAMPLE else _sets(key, info)
        if {"input", "output"} <= sets.get(_PLAIN, {}).keys():
            vendor = str(info.get("litellm_provider") or key.partition("/")[0])
            yield Listed(key, vendor, _model(key, vendor), tuple(_prices(key, sets)))


def _model(key: str, vendor: str) -> str:
    """Leave out what says the vendor: vertex_ai/claude-x is of vertex_ai-anthropic_models."""
    first, _slash, rest = key.partition("/")
    return rest if rest and vendor.startswith(first) else key


def _sets(key: str, info: dict[str, Any]) -> dict[_Conditions, dict[str, int]]:
    """Return the amounts that are there under each of the conditions, by our columns."""
    columns = {theirs: ours for ours, theirs in _COLUMNS.items()}
    sets: dict[_Conditions, dict[str, int]] = {}
    for name, value in info.items():
        if (said := _KEY.fullmatch(name)) and (units := to_units(value, f"{key}.{name}", scale=_SCALE)) is not None:
            conditions = said[3] or "", int(said[2] or 0) * 1_000
            sets.setdefault(conditions, {})[columns[said[1]]] = units
    return sets


def _prices(model: str, sets: dict[_Conditions, dict[str, int]]) -> Iterator[Price]:
    """What is left out under conditions is as without the threshold, then as without the tier."""
    for tier, above in sorted(sets):
        amounts: dict[str, Any] = sets[_PLAIN] | sets.get((tier, 0), {}) | sets[tier, above]
        yield Price(model, service_tier=tier, above_input_tokens=above, **amounts)
