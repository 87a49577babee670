"""The form by which people edit a price, in the admin and on the Prices page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from usage.models import ModelPrice

_WITHOUT = {"above_input_tokens": 0, "per_request": Decimal(0), "multiplier": Decimal(1)}


class ModelPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelPrice
        fields: tuple[str, ...] = (
            "pattern", "provider", "service_tier", "above_input_tokens", "effective_from",
            "input", "cached_input", "cache_write", "output", "reasoning", "per_request", "multiplier", "locked",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """What is left empty is as if there were no such column."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, without in _WITHOUT.items():
            if name in cleaned and cleaned[name] is None:
                cleaned[name] = without
        return cleaned
