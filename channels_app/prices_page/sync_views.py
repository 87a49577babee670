"""Prices from a list: chosen and previewed, then applied. Nothing is written before that."""

from __future__ import annotations

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from channels_app.prices_page.edit_views import StaffView
from channels_app.prices_page.kept import Kept, StalePreview
from channels_app.prices_page.sync_form import SyncForm
from channels_app.prices_page.sync_page import Applied, SyncPage, write
from usage.price_lists.listed import BadPriceList
from usage.price_lists.sync import Preview

_KIND = "price list"


class ChooseList(StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "prices/sync.html", {"form": SyncForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SyncForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                preview = form.preview()
            except BadPriceList as error:
                form.add_error(form.place, _("%(problem)s. Nothing was changed.") % {"problem": error})
            else:
                kept = Kept.make(_KIND, request.user.pk, msgspec.json.encode(preview).decode())
                return redirect("price_sync_preview", kept.key)
        return render(request, "prices/sync.html", {"form": form})


class ApplyList(StaffView):
    """The preview, and once it is applied what came of it."""

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(_KIND, request.user.pk, key)
        return _preview(request, kept) if kept else _gone(request)

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(_KIND, request.user.pk, key)
        if kept is None:
            return _gone(request)
        prefix = "candidate-"
        candidates = {name.removeprefix(prefix): request.POST[name] for name in request.POST if name.startswith(prefix)}
        chosen = _page(kept).chosen(request.POST.getlist("take"), candidates)
        if not chosen.proposals:
            return _preview(request, kept, problem=_("Choose what is to be applied. Nothing was changed."))
        try:
            kept.apply(lambda: write(chosen))
        except StalePreview:
            return _preview(request, kept)
        return redirect("price_sync_preview", key)


def _page(kept: Kept) -> SyncPage:
    return SyncPage(msgspec.json.decode(kept.content, type=Preview))


def _preview(request: HttpRequest, kept: Kept, *, problem: str = "") -> HttpResponse:
    applied = msgspec.json.decode(kept.outcome, type=Applied) if kept.outcome else None
    context = {"page": _page(kept), "kept": kept, "applied": applied, "problem": problem}
    return render(request, "prices/sync_preview.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    messages.warning(request, _("That preview is no longer kept. Make it again."))
    return redirect("price_sync")
