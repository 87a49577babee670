"""The CPA servers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from usage.admin.base import moment
from usage.collection import check
from usage.models import Instance
from usage.setup.forms import ServerForm


class InstanceForm(ServerForm):
    class Meta(ServerForm.Meta):
        fields = (*ServerForm.Meta.fields, "enabled")  # type: ignore[assignment]


@admin.register(Instance)
class InstanceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = InstanceForm
    list_display = (
        "name",
        "base_url",
        "enabled",
        "state",
        "version",
        "mode",
        "way",
        moment("synced_at", _("last synced")),
    )
    readonly_fields = (  # type: ignore[assignment]
        "state", "why", moment("state_since", _("state since")), moment("retry_at", _("not to be asked before")),
        "version", "source", "way", "statistics_enabled", "retention_seconds", "clock_offset_seconds",
        moment("synced_at", _("last synced")),
    )  # fmt: skip
    actions = ["check_now"]

    @admin.display(description=_("reason"))
    def why(self, instance: Instance) -> str:
        return instance.state_text

    @admin.action(description=_("Check the selected servers now"))
    def check_now(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        for instance in queryset:
            found = check(instance)
            level = messages.SUCCESS if found else messages.ERROR
            self.message_user(request, f"{instance}: {instance.state_text or instance.get_state_display()}", level)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or not obj.sources.exists()  # its records stay: disable it instead
