"""Every row, to browse; what people decide (servers, names, prices), to edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from usage.collection import check
from usage.models import (
    Account,
    ApiKey,
    Channel,
    FailureText,
    Instance,
    ModelName,
    ModelPrice,
    QuarantinedPayload,
    RequestTraits,
    Source,
    UsageDaily,
    UsageHourly,
    UsageRecord,
)
from usage.setup.forms import ServerForm


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that CPA made: to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts 10,000 rows at most: a full count takes seconds where there are many millions."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by().values("pk")[: self.MOST].count()


class LedgerAdmin(ReadOnlyAdmin):
    """A table that may have millions of rows."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50


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


def moment(field: str, description: Any) -> Callable[[Any], Any]:
    """A column for an InstantField, which the admin would take for a number."""

    @admin.display(description=description, ordering=field)
    def column(row: Any) -> Any:
        return getattr(row, field)

    return column


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


@admin.register(UsageHourly, UsageDaily)
class RollupAdmin(LedgerAdmin):
    list_display = (
        moment("bucket", _("from")),
        "source",
        "model",
        "requests",
        "failed",
        "total_tokens",
        "cost_nanousd",
    )
    list_select_related = ("source", "model")
    ordering = ("-bucket", "-source", "-model")


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
        "source",
        "statistics_enabled",
        moment("synced_at", _("last synced")),
    )
    readonly_fields = (  # type: ignore[assignment]
        "state", "state_text", moment("state_since", _("state since")), moment("retry_at", _("not to be asked before")),
        "version", "source", "statistics_enabled", moment("synced_at", _("last synced")),
    )  # fmt: skip
    actions = ["check_now"]

    @admin.action(description=_("Check the selected servers now"))
    def check_now(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        for instance in queryset:
            found = check(instance)
            level = messages.SUCCESS if found else messages.ERROR
            self.message_user(request, f"{instance}: {instance.state_text or instance.get_state_display()}", level)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or not obj.sources.exists()  # its records stay: disable it instead


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


@admin.register(QuarantinedPayload)
class QuarantinedPayloadAdmin(LedgerAdmin):
    list_display = (moment("received_at", _("received")), "instance", "reason", "size")
    list_select_related = ("instance",)
    list_filter = ("instance",)
    ordering = ("-id",)
    exclude = ("encrypted_payload",)


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
