"""Prices, which people edit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from usage.admin.base import moment
from usage.models import ModelPrice, PriceMultiplier
from usage.prices.form import ModelPriceForm
from usage.prices.multiplier_form import MultiplierForm

_KEPT = _(
    "Records that have no price yet get one within a few minutes; priced ones keep theirs until “manage.py reprice”."
)


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ModelPriceForm
    list_display = (
        "pattern",
        "provider",
        "channel",
        "account",
        "service_tier",
        "hours",
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
    list_select_related = ("channel", "account__channel")
    list_filter = ("origin", "locked", "channel")
    search_fields = ("pattern",)
    readonly_fields = ("origin", "catalog_name")

    @admin.display(description=_("time of day"))
    def hours(self, price: ModelPrice) -> str:
        return str(price.hours)

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        obj.note_edit(form.changed_data)
        super().save_model(request, obj, form, change)
        self.message_user(request, _KEPT)


@admin.register(PriceMultiplier)
class PriceMultiplierAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = MultiplierForm
    list_display = ("channel", "account", "factor", moment("effective_from", _("effective from")))
    list_display_links = ("factor",)
    list_select_related = ("channel", "account__channel")
    list_filter = ("channel",)

    def save_model(self, request: HttpRequest, obj: PriceMultiplier, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.message_user(request, _KEPT)
