"""The Collector page, for everybody who is signed in, and what staff can do on it."""

from __future__ import annotations

from abc import abstractmethod

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import UserPassesTestMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View
from django.views.decorators.http import require_safe

from usage import formats
from usage.collection import check, refresh_names, sync_instance
from usage.collector_page.page import CollectorPage
from usage.collector_page.quarantine import retry
from usage.collector_page.reasons import in_words
from usage.collector_page.statistics import BODY, PATH, switch_on
from usage.models import Account, CollectionGap, Instance, QuarantinedPayload
from usage.upstream.client import MANAGEMENT
from usage.warnings.warning import host_of


@require_safe
@login_required
def collector(request: HttpRequest) -> HttpResponse:
    return render(request, "collector/collector.html", {"page": CollectorPage(timezone.now())})


class Action(UserPassesTestMixin, View):
    """Does one thing for staff, by POST, and goes back to the page with what came of it."""

    http_method_names = ["post"]

    def test_func(self) -> bool:
        return self.request.user.is_staff

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        error, text = self.act(request, pk)
        messages.add_message(request, messages.ERROR if error else messages.SUCCESS, error or text)
        return redirect("collector")

    @abstractmethod
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        """Return what went wrong, or nothing, and what was done."""


class PollNow(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        instance = get_object_or_404(Instance, pk=pk)
        outcome = sync_instance(instance)
        counts = outcome.counts
        if not counts.read:
            text = _("%(server)s: no new records.") % {"server": instance.name}
        else:
            text = _("%(server)s: %(new)s new records, %(duplicate)s duplicates, %(quarantined)s unreadable.") % {
                "server": instance.name,
                "new": formats.grouped(counts.new),
                "duplicate": formats.grouped(counts.duplicate),
                "quarantined": formats.grouped(counts.quarantined),
            }
        return _failure(instance, outcome.error), text


class SyncAccounts(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        instance = get_object_or_404(Instance, pk=pk)
        _named, error = refresh_names(instance)
        listed = instance.accounts.exclude(state=Account.State.REMOVED).count()
        text = ngettext("%(server)s lists %(n)s account.", "%(server)s lists %(n)s accounts.", listed)
        return _failure(instance, error), text % {"server": instance.name, "n": listed}


class CheckConnection(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        instance = get_object_or_404(Instance, pk=pk)
        if not check(instance) or not instance.statistics_enabled:
            return _failure(instance, instance.state_text or str(instance.get_state_display())), ""
        facts = {"server": instance.name, "version": instance.version or "< 6.3.36"}
        return "", _("%(server)s answers: CLIProxyAPI %(version)s, and the management key is right.") % facts


class ChangeMode(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        instance = get_object_or_404(Instance, pk=pk)
        if request.POST.get("mode") not in Instance.Mode.values:
            return _("There is no such collection mode."), ""
        instance.mode = request.POST["mode"]
        instance.save(update_fields=["mode"])
        facts = {"server": instance.name, "mode": instance.get_mode_display()}
        return "", _("%(server)s: collection mode is now %(mode)s.") % facts


class SwitchStatisticsOn(UserPassesTestMixin, View):
    """Asks before it changes the configuration of a CPA server."""

    def test_func(self) -> bool:
        return self.request.user.is_staff

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        instance = get_object_or_404(Instance, pk=pk)
        context = {"instance": instance, "host": host_of(instance), "path": MANAGEMENT + PATH, "body": BODY}
        return render(request, "collector/statistics.html", context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        instance = get_object_or_404(Instance, pk=pk)
        if error := switch_on(instance):
            messages.error(request, _failure(instance, error))
        else:
            messages.success(request, _("%(server)s: usage statistics are on.") % {"server": instance.name})
        return redirect("collector")


class AcknowledgeGap(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        get_object_or_404(CollectionGap, pk=pk)
        CollectionGap.objects.filter(pk=pk, acknowledged_at=None).update(acknowledged_at=timezone.now())
        return "", _("Gap acknowledged.")


class RetryPayload(Action):
    def act(self, request: HttpRequest, pk: int) -> tuple[str, str]:
        reason = retry(get_object_or_404(QuarantinedPayload.objects.select_related("instance"), pk=pk))
        error = _("It still cannot be read: %(reason)s") % {"reason": in_words(reason)} if reason else ""
        return error, _("The record could be read and is booked.")


def _failure(instance: Instance, error: str) -> str:
    """Name the server before what went wrong with it."""
    if not error:
        return ""
    return _("%(server)s: %(error)s") % {"server": instance.name, "error": capfirst(error)}
