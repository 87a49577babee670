"""What people chose on the pages: to look at, and views of those who are gone to delete. The Settings page changes the rest."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from usage.admin.base import ReadOnlyAdmin
from usage.models import Preferences, SavedView, SiteSettings


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "query")
    list_filter = ("user",)
    list_select_related = ("user",)
    search_fields = ("name", "query")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the rights of the user say, and not as for rows that CPA made."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    list_display = (
        "user", "default_range", "comparison", "refresh_seconds", "is_dense", "counts_in_myriads", "shortcuts", "privacy",
    )  # fmt: skip
    list_select_related = ("user",)


@admin.register(SiteSettings)
class SiteSettingsAdmin(ReadOnlyAdmin):
    list_display = (
        "shown_name",
        "currency",
        "cny_per_usd",
        "rate_date",
        "week_start",
        "top_series",
        "records_kept_days",
    )

    @admin.display(description=_("site name"))
    def shown_name(self, row: SiteSettings) -> str:
        return row.site_name or "—"
