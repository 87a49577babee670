"""Prices, which people edit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from usage.admin.base import moment
from usage.models import ModelPrice
from usage.prices.form import ModelPriceForm


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
        obj.note_edit(form.changed_data)
        super().save_model(request, obj, form, change)
        self.message_user(
            request,
            _(
                "Records that have no price yet get one within a few minutes; priced ones keep theirs until "
                "“manage.py reprice”."
            ),
        )
