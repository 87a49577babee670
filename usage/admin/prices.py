"""Prices, which people edit."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from usage.admin.base import moment
from usage.models import ModelPrice


class ModelPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelPrice
        fields = ("pattern", "input", "cached_input", "cache_write", "output", "effective_from")


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ModelPriceForm
    list_display = (
        "pattern",
        "input",
        "cached_input",
        "cache_write",
        "output",
        moment("effective_from", _("effective from")),
        "origin",
        moment("updated_at", _("updated")),
    )
    list_filter = ("origin",)
    search_fields = ("pattern",)

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        """Whatever the catalog said before, it is the operator's price now."""
        obj.origin = ModelPrice.Origin.MANUAL
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)
        self.message_user(
            request, _("Records that have no price yet get one within a few minutes; priced ones keep theirs.")
        )
