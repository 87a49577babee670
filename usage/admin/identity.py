"""Who used it and through what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from usage.admin.base import ReadOnlyAdmin, moment
from usage.ingest.sources import heal
from usage.models import Account, ApiKey, Channel, ChannelName, Instance, Source


class ChannelNameInline(admin.TabularInline):  # type: ignore[type-arg]
    """The names under which servers list it."""

    model = ChannelName
    fields = readonly_fields = ("name", "kind", "former_slug")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "kind", "slug", "accounts_listed", "position", "color_slot", "shape")
    list_filter = ("kind",)
    search_fields = ("name", "listed_names__name")
    readonly_fields = ("name", "kind", "slug")
    inlines = [ChannelNameInline]
    actions = ["merge", "match_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        found: QuerySet[Channel] = super().get_queryset(request).annotate(account_count=Count("accounts"))
        return found

    @admin.display(description=_("accounts"), ordering="account_count")
    def accounts_listed(self, channel: Any) -> int:
        count: int = channel.account_count
        return count

    @admin.action(description=_("Merge two channels, or one into another"))
    def merge(self, request: HttpRequest, queryset: QuerySet[Channel]) -> HttpResponseRedirect | None:
        """Asked on a page of its own, which names both."""
        chosen = list(queryset[:3])
        if len(chosen) > 2:
            self.message_user(request, gettext("Choose one or two channels to merge."), messages.ERROR)
            return None
        into = f"?into={chosen[1].pk}" if len(chosen) > 1 else ""
        return HttpResponseRedirect(reverse("channel_merge", args=[chosen[0].pk]) + into)

    @admin.action(description=_("Match sources again that have no account"))
    def match_again(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        """Of all servers: which channel a source is of, only the lists say."""
        found = [heal(instance) for instance in Instance.objects.all()]
        facts = {"sources": sum(one[0] for one in found), "records": sum(one[1] for one in found)}
        text = gettext("%(sources)s sources matched, with %(records)s records.")
        self.message_user(request, text % facts)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the servers say which there are

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = (
        "label",
        "qualifier",
        "alias",
        "channel",
        "kind",
        "instance",
        "state",
        moment("retry_at", _("cooling down until")),
        "plan",
        "priority",
        "auth_index",
    )
    list_filter = ("channel", "channel__kind", "state", "instance")
    list_select_related = ("channel", "instance")
    search_fields = ("label", "alias", "email", "file_name")

    @admin.display(description=_("kind"), ordering="channel__kind")
    def kind(self, account: Account) -> str:
        return account.channel.get_kind_display()


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
