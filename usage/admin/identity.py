"""Who used it and through what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from usage.admin.base import ReadOnlyAdmin, moment
from usage.models import Account, ApiKey, Channel, Source


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "kind", "slug", "color_slot", "shape")
    list_filter = ("kind",)
    search_fields = ("name",)
    readonly_fields = ("name", "kind", "slug")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the servers say which there are

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = (
        "label",
        "qualifier",
        "channel",
        "instance",
        "state",
        moment("retry_at", _("cooling down until")),
        "auth_index",
    )
    list_filter = ("channel", "state", "instance")
    list_select_related = ("channel", "instance")
    search_fields = ("label", "email", "file_name")


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "instance", "match", "channel_name", "account")
    list_filter = ("match", "instance")
    list_select_related = ("instance", "channel", "account__channel")
    search_fields = ("label", "provider", "auth_index")

    @admin.display(description=_("channel"))
    def channel_name(self, source: Source) -> str:
        return str(source.known_channel or _("Unknown channel"))


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "key_mask", "alias")
    list_editable = ("alias",)
    readonly_fields = ("key_mask",)
    search_fields = ("alias",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
