"""Prices as CSV. What a price comes from is not changed by a file, only kept of one that is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from usage.models import ModelPrice
from usage.prices.csv_file import Table
from usage.prices.csv_import import Importer, LineForm
from usage.prices.form import ModelPriceForm

_AMOUNTS = ("input", "cached_input", "cache_write", "output", "reasoning", "per_request", "multiplier")


class _PriceLine(LineForm, ModelPriceForm):
    class Meta(ModelPriceForm.Meta):
        exclude = ("locked",)

    locked = forms.ChoiceField(choices=[("true", "true"), ("false", "false")], required=False)
    origin = forms.ChoiceField(choices=ModelPrice.Origin, required=False)
    catalog_name = forms.CharField(max_length=300, required=False, strip=False)

    def __init__(self, cells: Mapping[str, str]) -> None:
        super().__init__({**cells, "locked": cells.get("locked", "").lower()})
        for name in ("pattern", "provider", "service_tier"):
            self.fields[name].strip = False  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """What the line does not say is as where a person adds a price."""
        cleaned, price = super().clean(), self.instance
        price.locked = cleaned.get("locked") != "false"
        price.origin = cleaned.get("origin") or ModelPrice.Origin.MANUAL
        price.catalog_name = cleaned.get("catalog_name", "")
        return cleaned


PRICES = Importer(
    Table(
        (
            "pattern", "provider", "channel", "account", "service_tier", "daily_from", "daily_until", "above_input_tokens",
            "effective_from", *_AMOUNTS, "locked", "origin", "catalog_name",
        ),
        required=("pattern", "input", "output"),
    ),
    _PriceLine,
    ModelPrice.objects.select_related("channel", "account"),
    values=(*_AMOUNTS, "locked"),
    written=("origin", "updated_at"),
    beside="pattern",
    twice=_("line %(line)s has a price for this model under these conditions from this moment on already"),
)  # fmt: skip
