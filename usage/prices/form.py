"""The form by which people edit a price, in the admin and on the Prices page."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

from django import forms

from usage.models import ModelPrice

_WITHOUT = {
    "daily_from": time.min,
    "daily_until": time.min,
    "above_input_tokens": 0,
    "per_request": Decimal(0),
    "multiplier": Decimal(1),
}


CLOCK = forms.TimeInput(format="%H:%M", attrs={"autocomplete": "off"})


class AccountChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Accounts of one name are told apart by their channels."""

    def __init__(self, queryset: Any, **options: Any) -> None:
        ordered = queryset.select_related("channel").order_by(
            "channel__position", "channel__name", "label", "qualifier", "pk"
        )
        super().__init__(ordered, **options)

    def label_from_instance(self, account: Any) -> str:
        return f"{account.channel} · {account}"


class ModelPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelPrice
        fields: tuple[str, ...] = (
            "pattern", "provider", "channel", "account", "service_tier", "daily_from", "daily_until", "above_input_tokens",
            "effective_from", "input", "cached_input", "cache_write", "output", "reasoning", "per_request", "multiplier", "locked",
        )  # fmt: skip
        field_classes = {"account": AccountChoice}
        widgets: dict[str, forms.Widget] = {"daily_from": CLOCK, "daily_until": CLOCK}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """All day is shown as nothing."""
        super().__init__(*args, **kwargs)
        if self.instance.daily_from == self.instance.daily_until:
            self.initial.update(daily_from=None, daily_until=None)

    def clean(self) -> dict[str, Any]:
        """What is left empty is as if there were no such column."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, without in _WITHOUT.items():
            if name in cleaned and cleaned[name] is None:
                cleaned[name] = without
        return cleaned
