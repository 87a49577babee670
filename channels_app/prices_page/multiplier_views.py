"""The second tab of the Prices page: what accounts and channels cost of the list price. Staff edits it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from channels_app.prices_page.edit_views import StaffView, beginning, tell_recalculated
from channels_app.prices_page.effect import Effect, effect_on, recalculate_sources
from channels_app.prices_page.form import RECALCULATE, PageMultiplierForm
from channels_app.prices_page.meanings import MULTIPLIERS
from usage.accounting.multipliers import Multipliers
from usage.models import PriceMultiplier, Source
from usage.models.fields import to_micros


class MultiplierRow(NamedTuple):
    """`is_in_force`: it counts now, unless an account has its own."""

    multiplier: PriceMultiplier
    is_in_force: bool


@require_safe
@login_required
def multipliers(request: HttpRequest) -> HttpResponse:
    """By owner, of each the last first."""
    rows = sorted(_all(), key=lambda row: row.effective_from, reverse=True)
    rows.sort(key=lambda row: row.owner.lower())
    book, now = Multipliers(row.multiplier for row in rows), to_micros(timezone.now())
    shown = [MultiplierRow(row, book.find(now, row.channel_id, row.account_id) == row.multiplier) for row in rows]
    return render(request, "prices/multipliers.html", {"rows": shown, "about": MULTIPLIERS})


class EditMultiplier(StaffView):
    """`check` tells what it would do, and `save` does it; both keep what was typed where something is wrong."""

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        initial = {} if pk else {"effective_from": timezone.now()}
        return _page(request, PageMultiplierForm(instance=_multiplier(pk), initial=initial))

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        before = _multiplier(pk)
        form = PageMultiplierForm(request.POST, instance=_multiplier(pk))
        if not form.is_valid():
            return _page(request, form)
        sources = _sources(before) | _sources(form.instance)
        if "save" not in request.POST:
            others = [row for row in _all() if row.pk != pk]
            return _page(request, form, effect_on(sources, [*others, form.instance], timezone.now()))
        multiplier = form.save()
        messages.success(request, _("%(multiplier)s: saved.") % {"multiplier": multiplier})
        if form.cleaned_data["records"] == RECALCULATE:
            day = form.cleaned_data["since"]
            tell_recalculated(request, day, recalculate_sources(sources, beginning(day), timezone.now()))
        return redirect("multipliers")


class DeleteMultiplier(StaffView):
    """Asks before, with what it does to costs."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        multiplier = get_object_or_404(PriceMultiplier, pk=pk)
        others = [row for row in _all() if row.pk != pk]
        effect = effect_on(_sources(multiplier), others, timezone.now())
        return render(request, "prices/multiplier_delete.html", {"multiplier": multiplier, "effect": effect})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        multiplier = get_object_or_404(PriceMultiplier, pk=pk)
        multiplier.delete()
        text = _("%(multiplier)s: deleted. Requests keep their cost.")
        messages.success(request, text % {"multiplier": multiplier})
        return redirect("multipliers")


def _all() -> Iterable[PriceMultiplier]:
    return PriceMultiplier.objects.select_related("channel", "account__channel")


def _multiplier(pk: int | None) -> PriceMultiplier:
    return PriceMultiplier() if pk is None else get_object_or_404(PriceMultiplier, pk=pk)


def _sources(multiplier: PriceMultiplier) -> frozenset[int]:
    """Whose requests it may count for."""
    channel, account = multiplier.channel_id, multiplier.account_id
    if account is not None:
        wanted = Q(account=account)
    elif channel is not None:
        wanted = Q(account__channel=channel) | Q(account=None, channel=channel)
    else:
        return frozenset()
    return frozenset(Source.objects.filter(wanted).values_list("pk", flat=True))


def _page(request: HttpRequest, form: PageMultiplierForm, effect: Effect | None = None) -> HttpResponse:
    multiplier = form.instance if form.instance.pk else None
    return render(request, "prices/multiplier_form.html", {"form": form, "multiplier": multiplier, "effect": effect})
