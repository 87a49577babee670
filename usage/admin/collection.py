"""How collection goes: to look at; gaps can be acknowledged, and quarantined payloads tried again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from usage.admin.base import LedgerAdmin, ReadOnlyAdmin, moment
from usage.collector_page.quarantine import retry
from usage.collector_page.reasons import in_words
from usage.models import (
    CollectionGap,
    CollectionState,
    CollectorEvent,
    CollectorProcess,
    JobRun,
    QuarantinedPayload,
    Reconciliation,
)


@admin.register(CollectionState)
class CollectionStateAdmin(ReadOnlyAdmin):
    list_display = (
        "instance",
        "booked",
        "duplicates",
        "quarantined",
        moment("last_received_at", _("last answer booked")),
        moment("last_requested_at", _("last record")),
    )
    list_select_related = ("instance",)
    exclude = ("snapshot_details",)  # what a snapshot is compared with


@admin.register(CollectionGap)
class CollectionGapAdmin(ReadOnlyAdmin):
    list_display = (
        moment("since", _("from")), moment("until", _("to")), "instance", "cause", "lost", "is_measured",
        moment("acknowledged_at", _("acknowledged")),
    )  # fmt: skip
    list_filter = ("cause", "instance")
    list_select_related = ("instance",)
    actions = ["acknowledge"]

    @admin.action(description=_("Acknowledge the selected gaps"))
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[CollectionGap]) -> None:
        number = queryset.filter(acknowledged_at=None).update(acknowledged_at=timezone.now())
        self.message_user(
            request, ngettext("%(n)s gap acknowledged.", "%(n)s gaps acknowledged.", number) % {"n": number}
        )


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = (
        "account",
        "instance",
        "counted",
        "booked",
        "missing",
        moment("since", _("since")),
        moment("checked_at", _("compared")),
    )
    list_select_related = ("account__instance",)
    ordering = ("-missing", "-counted")
    exclude = ("counter", "sum_booked", "day", "ceiling")  # what the next comparison goes on from

    @admin.display(description=_("CPA server"))
    def instance(self, row: Reconciliation) -> str:
        return str(row.account.instance)


@admin.register(CollectorProcess)
class CollectorProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "role", moment("started_at", _("started")), moment("seen_at", _("last seen")))


@admin.register(CollectorEvent)
class CollectorEventAdmin(LedgerAdmin):
    list_display = (moment("at", _("time")), "level", "instance", "said")
    list_filter = ("level", "instance")
    list_select_related = ("instance",)
    exclude = ("message", "params")
    readonly_fields = ("said",)

    @admin.display(description=_("text"))
    def said(self, row: CollectorEvent) -> str:
        return row.text


@admin.register(JobRun)
class JobRunAdmin(LedgerAdmin):
    list_display = (
        "job",
        "driver",
        moment("started_at", _("started")),
        moment("finished_at", _("finished")),
        "outcome",
        "result",
    )
    list_filter = ("job", "outcome", "driver")
    exclude = ("params",)


@admin.register(QuarantinedPayload)
class QuarantinedPayloadAdmin(LedgerAdmin):
    list_display = (moment("received_at", _("received")), "instance", "why", "size")
    list_select_related = ("instance",)
    list_filter = ("instance",)
    ordering = ("-id",)
    exclude = ("encrypted_payload", "reason")
    readonly_fields = ("why",)
    actions = ["read_again"]

    @admin.display(description=_("reason"))
    def why(self, row: QuarantinedPayload) -> str:
        return in_words(row.reason)

    @admin.action(description=_("Read the selected payloads again"))
    def read_again(self, request: HttpRequest, queryset: QuerySet[QuarantinedPayload]) -> None:
        rows = list(queryset.select_related("instance"))
        booked = sum(not retry(row) for row in rows)
        facts = {"booked": booked, "all": len(rows)}
        level = messages.SUCCESS if booked == len(rows) else messages.WARNING
        self.message_user(request, gettext("%(booked)s of %(all)s could be read and are booked.") % facts, level)
