"""Prices and multipliers from a CSV file: previewed, then written all or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels_app.prices_page.edit_views import StaffView
from channels_app.prices_page.kept import Kept, StalePreview
from usage import formats
from usage.prices.csv_file import MOST_BYTES, BadCsv
from usage.prices.csv_import import Import, Importer
from usage.prices.multiplier_csv import MULTIPLIERS
from usage.prices.price_csv import PRICES

# What nobody reads any more; all of it is applied.
_SHOWN = 200


class ImportForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = {"most": MOST_BYTES // 2**20}
        self.fields["file"].help_text = _("As the export writes it, %(most)s MB at most") % most


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is of: how it is read, its name in what is kept, the names of its addresses, and its words."""

    importer: Importer
    kept_as: str
    home: str
    choose: str
    preview: str
    title: Promise
    home_title: Promise
    hint: Promise
    row_label: Promise
    value_label: Promise


_KEPT = gettext_lazy(
    "Rows of the same conditions and time are changed, others added, none deleted. Nothing is written before you have seen what "
    "would change, and applied it."
)
PRICE_FILE = Kind(
    PRICES, "CSV file", "prices", "price_import", "price_import_preview", gettext_lazy("Import prices"),
    gettext_lazy("Prices"), _KEPT, gettext_lazy("Model or pattern"), gettext_lazy("USD per 1 M tokens"),
)  # fmt: skip
MULTIPLIER_FILE = Kind(
    MULTIPLIERS, "CSV file of multipliers", "multipliers", "multiplier_import", "multiplier_import_preview",
    gettext_lazy("Import multipliers"), gettext_lazy("Multipliers"), _KEPT, gettext_lazy("Channel or account"),
    gettext_lazy("Multiplier"),
)  # fmt: skip


class ChooseCsv(StaffView):
    kind = PRICE_FILE

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "prices/import.html", {"form": ImportForm(), "kind": self.kind})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST, request.FILES)
        found = Import()
        if form.is_valid():
            content = form.cleaned_data["file"].read(MOST_BYTES + 1)
            try:
                found = self.kind.importer.prepare(content)
            except BadCsv as error:
                form.add_error("file", _("%(problem)s. Nothing was changed.") % {"problem": error})
            else:
                if not found.mistakes:
                    kept = Kept.make(self.kind.kept_as, request.user.pk, content.decode())
                    return redirect(self.kind.preview, kept.key)
                form.add_error("file", _told(found))
        mistakes, more = found.mistakes[:_SHOWN], len(found.mistakes) - _SHOWN
        context = {"form": form, "kind": self.kind, "mistakes": mistakes, "more": more}
        return render(request, "prices/import.html", context)


class ApplyCsv(StaffView):
    """The preview, and once it is applied what came of it. The same file and the same prices make the same of it."""

    kind = PRICE_FILE

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(self.kind.kept_as, request.user.pk, key)
        return self._preview(request, kept) if kept else self._gone(request)

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = Kept.find(self.kind.kept_as, request.user.pk, key)
        if kept is None:
            return self._gone(request)
        importer, content = self.kind.importer, kept.content.encode()
        try:
            kept.apply(lambda: str(importer.write(importer.prepare(content))))
        except StalePreview:
            return self._preview(request, kept)
        return redirect(self.kind.preview, key)

    def _preview(self, request: HttpRequest, kept: Kept) -> HttpResponse:
        """What is stale or done is not compared any more: it would be told of other prices than it was made for."""
        context: dict[str, Any] = {"kept": kept, "kind": self.kind, "written": kept.outcome and int(kept.outcome)}
        if not kept.outcome and not kept.is_stale:
            found = self.kind.importer.prepare(kept.content.encode())
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

    def _gone(self, request: HttpRequest) -> HttpResponse:
        messages.warning(request, _("That preview is no longer kept. Make it again."))
        return redirect(self.kind.choose)


def _told(found: Import) -> str:
    text = ngettext(
        "The file has %(n)s mistake: nothing was changed.", "The file has %(n)s mistakes: nothing was changed.",
        len(found.mistakes),
    )  # fmt: skip
    return text % {"n": formats.grouped(len(found.mistakes))}
