"""Prices from a CSV file: previewed, then written all or none."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels_app.prices_page.edit_views import StaffView
from channels_app.prices_page.kept import Kept, StalePreview
from usage import formats
from usage.prices import csv_file, csv_import
from usage.prices.csv_file import MOST_BYTES, BadCsv
from usage.prices.csv_import import Import

_KIND = "CSV file"
# What nobody reads any more; all of it is applied.
_SHOWN = 200


class ImportForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = {"most": MOST_BYTES // 2**20}
        self.fields["file"].help_text = _("As the export writes it, %(most)s MB at most") % most


class ChooseCsv(StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "prices/import.html", {"form": ImportForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST, request.FILES)
        found = Import()
        if form.is_valid():
            content = form.cleaned_data["file"].read(MOST_BYTES + 1)
            try:
                found = _prepared(content)
            except BadCsv as error:
                form.add_error("file", _("%(problem)s. Nothing was changed.") % {"problem": error})
            else:
                if not found.mistakes:
                    kept = Kept.make(_KIND, request.user.pk, content.decode())
                    return redirect("price_import_preview", kept.key)
                form.add_error("file", _told(found))
        context = {"form": form, "mistakes": found.mistakes[:_SHOWN], "more": len(found.mistakes) - _SHOWN}
        return render(request, "prices/import.html", context)


class ApplyCsv(StaffView):
    """The preview, and once it is applied what came of it. The same file and the same prices make the same of it."""

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(_KIND, request.user.pk, key)
        return _preview(request, kept) if kept else _gone(request)

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(_KIND, request.user.pk, key)
        if kept is None:
            return _gone(request)
        content = kept.content.encode()
        try:
            kept.apply(lambda: str(csv_import.write(_prepared(content))))
        except StalePreview:
            return _preview(request, kept)
        return redirect("price_import_preview", key)


def _prepared(content: bytes) -> Import:
    return csv_import.prepare(csv_file.read(content))


def _told(found: Import) -> str:
    text = ngettext(
        "The file has %(n)s mistake: nothing was changed.", "The file has %(n)s mistakes: nothing was changed.",
        len(found.mistakes),
    )  # fmt: skip
    return text % {"n": formats.grouped(len(found.mistakes))}


def _preview(request: HttpRequest, kept: Kept) -> HttpResponse:
    """What is stale or done is not compared any more: it would be told of other prices than it was made for."""
    context: dict[str, Any] = {"kept": kept, "written": kept.outcome and int(kept.outcome)}
    if not kept.outcome and not kept.is_stale:
        found = _prepared(kept.content.encode())
        counts = found.counts
        context |= {
            "new": found.new[:_SHOWN],
            "more_new": counts["new"] - _SHOWN,
            "changed": found.changed[:_SHOWN],
            "more_changed": counts["changed"] - _SHOWN,
            "counts": counts,
            "count": counts["new"] + counts["changed"],
        }
    return render(request, "prices/import_preview.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    messages.warning(request, _("That preview is no longer kept. Make it again."))
    return redirect("price_import")
