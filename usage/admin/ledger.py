"""The records, and the words that they repeat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from usage.admin.base import LedgerAdmin, ReadOnlyAdmin, moment
from usage.models import ClientTraits, FailureText, ModelName, RequestTraits, UsageRecord


class TimeFilter(admin.SimpleListFilter):
    title = _("time")
    parameter_name = "time"

    _SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        texts = (_("Last hour"), _("Last 24 hours"), _("Last 7 days"), _("Last 30 days"))
        return list(zip(self._SPANS, texts, strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        span = self._SPANS.get(self.value() or "")
        return queryset.filter(requested_at__gte=timezone.now() - span) if span else queryset


@admin.register(UsageRecord)
class UsageRecordAdmin(LedgerAdmin):
    list_display = (
        moment("requested_at", _("time")), "channel", "account", "model", "api_key", "status_code", "failed", "total_tokens", "cost",
    )  # fmt: skip
    list_select_related = ("source__account__channel", "source__channel", "source__instance", "model", "api_key")
    list_filter = (TimeFilter, "failed")
    search_fields = ("=request_id",)
    search_help_text = _("exact request id")
    # The unique index, read backwards.
    ordering = ("-requested_at", "-dedup_key")

    @admin.display(description=_("channel"))
    def channel(self, record: UsageRecord) -> str:
        return str(record.source.known_channel or _("Unknown channel"))

    @admin.display(description=_("account"))
    def account(self, record: UsageRecord) -> str:
        return str(record.source.account or record.source)

    @admin.display(description=_("tokens"))
    def total_tokens(self, record: UsageRecord) -> int:
        return record.total_tokens

    @admin.display(description=_("est. cost (USD)"))
    def cost(self, record: UsageRecord) -> str:
        return str(_("unpriced")) if record.cost_usd is None else f"{record.cost_usd:.6f}"


@admin.register(FailureText)
class FailureTextAdmin(LedgerAdmin):
    list_display = ("record", "text")
    list_select_related = ("record",)
    ordering = ("-record",)


@admin.register(ModelName)
class ModelNameAdmin(ReadOnlyAdmin):
    search_fields = ("name",)


@admin.register(RequestTraits)
class RequestTraitsAdmin(ReadOnlyAdmin):
    list_display = ("endpoint", "reasoning_effort", "service_tier", "billed_tier")


@admin.register(ClientTraits)
class ClientTraitsAdmin(ReadOnlyAdmin):
    list_display = ("ip", "forwarded_for", "user_agent")
