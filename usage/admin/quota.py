"""What upstream said of the quotas of accounts."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from usage.admin.base import ReadOnlyAdmin, moment
from usage.models import QuotaWindow


@admin.register(QuotaWindow)
class QuotaWindowAdmin(ReadOnlyAdmin):
    list_display = (
        "account", "channel", "name", "minutes", "used_percent",
        moment("resets_at", _("resets at")), moment("seen_at", _("reading of")),
    )  # fmt: skip
    list_filter = ("name", "source__instance")
    list_select_related = ("source__account__channel", "source__channel", "source__instance")
    search_fields = ("source__label", "source__account__label", "source__account__alias")

    @admin.display(description=_("account"))
    def account(self, window: QuotaWindow) -> str:
        return str(window.source.account or window.source)

    @admin.display(description=_("channel"))
    def channel(self, window: QuotaWindow) -> str:
        return str(window.source.known_channel or _("Unknown channel"))
