"""Adding, editing and deleting a price, for staff."""

from __future__ import annotations

from datetime import date, datetime, time

from django.contrib import messages
from django.contrib.auth.mixins import UserPassesTestMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from channels_app.prices_page.effect import Effect, effect_of, fitting, recalculate
from channels_app.prices_page.form import RECALCULATE, PriceForm
from channels_app.prices_page.recent import recent
from config.report_zone import report_zone
from usage import formats
from usage.ingest.repricing import Change
from usage.models import ModelPrice

_LONGEST = 300


class StaffView(UserPassesTestMixin, View):
    def test_func(self) -> bool:
        return self.request.user.is_staff


class EditPrice(StaffView):
    """`check` tells what the price would do, and `save` does it; both keep what was typed where something is wrong."""

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        initial = {} if pk else {"pattern": request.GET.get("model", "")[:_LONGEST], "effective_from": timezone.now()}
        return _page(request, PriceForm(instance=_price(pk), initial=initial))

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        before = _price(pk).pattern
        form = PriceForm(request.POST, instance=_price(pk))
        if not form.is_valid():
            return _page(request, form)
        patterns = [pattern for pattern in (before, form.instance.pattern) if pattern]
        others = ModelPrice.objects.exclude(pk=form.instance.pk)
        effect = effect_of(patterns, [*others, form.instance], timezone.now())
        if "save" not in request.POST:
            return _page(request, form, effect)
        price = form.save()
        messages.success(request, _("%(price)s: saved and locked.") % {"price": price} + _told(effect))
        if form.cleaned_data["records"] == RECALCULATE:
            day = form.cleaned_data["since"]
            tell_recalculated(request, day, recalculate(patterns, beginning(day), timezone.now()))
        return redirect("prices")


class Matches(StaffView):
    """What a pattern matches while it is typed: a part of the form."""

    def get(self, request: HttpRequest) -> HttpResponse:
        pattern = request.GET.get("pattern", "").strip()
        return render(request, "prices/_matches.html", {"models": _matches(pattern[:_LONGEST])})


class DeletePrice(StaffView):
    """Asks before, with what it does to costs."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        price = get_object_or_404(ModelPrice, pk=pk)
        effect = effect_of([price.pattern], ModelPrice.objects.exclude(pk=price.pk), timezone.now())
        return render(request, "prices/delete.html", {"price": price, "effect": effect})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        price = get_object_or_404(ModelPrice, pk=pk)
        price.delete()
        messages.success(request, _("%(price)s: deleted. Requests keep their cost.") % {"price": price})
        return redirect("prices")


def _matches(pattern: str | None) -> list[str] | None:
    """Return the models of the last 30 days that it fits; None: there is no pattern yet."""
    return fitting([pattern], recent(timezone.now()).models) if pattern else None


def _price(pk: int | None) -> ModelPrice:
    return ModelPrice() if pk is None else get_object_or_404(ModelPrice, pk=pk)


def _page(request: HttpRequest, form: PriceForm, effect: Effect | None = None) -> HttpResponse:
    price = form.instance if form.instance.pk else None
    context = {"form": form, "price": price, "effect": effect, "models": _matches(form["pattern"].value())}
    return render(request, "prices/form.html", context)


def _told(effect: Effect) -> str:
    if not effect.is_known or not effect.requests:
        return ""
    sums = {"before": formats.money(effect.before), "after": formats.money(effect.after)}
    return " " + _("Est. cost of its models, last 30 days: %(before)s → %(after)s.") % sums


def beginning(day: date) -> datetime:
    return datetime.combine(day, time(), report_zone())


def tell_recalculated(request: HttpRequest, day: date, change: Change | None) -> None:
    if change is None:
        text = _("These are too many requests for a page. Run: manage.py reprice --from %(day)s")
        messages.warning(request, text % {"day": day.isoformat()})
        return
    done = ngettext("%(n)s request recalculated: %(before)s → %(after)s.", "%(n)s requests recalculated: %(before)s → %(after)s.", change.changed)  # fmt: skip
    sums = {"before": formats.money(change.before), "after": formats.money(change.after)}
    messages.success(request, done % ({"n": formats.grouped(change.changed)} | sums))
