"""Prices of every kind that the Prices page can show, for the models of sample_usage."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from usage.models import ModelPrice


def make_sample_prices(now: datetime) -> None:
    """`mystery-model` has none; `claude-*` is behind what is exact, but for claude-sonnet-4-5."""
    _add("claude-opus-4-6", "5", "25", cached_input="0.5", cache_write="6.25", origin="genai-prices", locked=False)
    _add("claude-*", "3", "15", cached_input="0.3")
    _add("gpt-5-codex", "1.25", "10", cached_input="0.125", effective_from=now - timedelta(days=400))
    _add("gpt-5-codex", "2.5", "20", service_tier="priority", above_input_tokens=272_000, provider="codex")
    _add("house-model-*", "0.000001", "0", reasoning="4", per_request="0.01", multiplier="0.3")


def _add(pattern: str, input: str, output: str, **values: Any) -> ModelPrice:
    decimals = {name: Decimal(value) for name, value in values.items() if name in _AMOUNTS}
    row = {"pattern": pattern, "input": Decimal(input), "output": Decimal(output)} | values | decimals
    return ModelPrice.objects.create(**row)


_AMOUNTS = ("cached_input", "cache_write", "reasoning", "per_request", "multiplier")
