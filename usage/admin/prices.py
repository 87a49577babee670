"""Prices, which people edit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from usage.admin.base import moment
from usage.models import ModelPrice

_WITHOUT = {"above_input_tokens": 0, "per_request": Decimal(0), "multiplier": Decimal(1)}


class ModelPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelPrice
        fields = (
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


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ModelPriceForm
    list_display = (
        "pattern",
        "provider",
        "service_tier",
        "above_input_tokens",
        moment("effective_from", _("effective from")),
        "input",
        "cached_input",
        "cache_write",
        "output",
        "reasoning",
        "per_request",
        "multiplier",
        "origin",
        "locked",
        moment("updated_at", _("updated")),
    )
    list_filter = ("origin", "locked")
    search_fields = ("pattern",)
    readonly_fields = ("origin", "catalog_name")

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        """Whatever the catalog said before, it is the operator's price now, unless they only unlocked it."""
        if form.changed_data != ["locked"]:
            obj.origin, obj.locked = ModelPrice.Origin.MANUAL, True
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)
        self.message_user(
            request,
            _(
                "Records that have no price yet get one within a few minutes; priced ones keep theirs until "
                "“manage.py reprice”."
            ),
        )
