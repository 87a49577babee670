"""The form by which people edit a multiplier, in the admin and on the Prices page."""

from __future__ import annotations

from django import forms

from usage.models import PriceMultiplier
from usage.prices.form import AccountChoice


class MultiplierForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = PriceMultiplier
        fields: tuple[str, ...] = ("channel", "account", "factor", "effective_from")
        field_classes = {"account": AccountChoice}
