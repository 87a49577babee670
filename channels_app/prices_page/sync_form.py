"""The form of a synchronisation: which price list, and where it is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage.models import ModelPrice
from usage.price_lists.loading import MOST_BYTES, from_url, parsed
from usage.price_lists.sync import READERS, Preview, models_in, preview_catalog, preview_list

Origin = ModelPrice.Origin
# Somebody waits for the page, and what stands before it may wait no longer than a minute.
_SECONDS = 20.0


class SyncForm(forms.Form):
    source = forms.ChoiceField(label=gettext_lazy("Price list"), widget=forms.RadioSelect, initial=Origin.CATALOG)
    file = forms.FileField(
        label=gettext_lazy("From a file instead"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
    )
    url = forms.CharField(
        label=gettext_lazy("From another address"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("By https, on the public internet; redirects are not followed."),
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = {"most": MOST_BYTES // 2**20}
        self.fields["file"].help_text = _("The JSON file of models.dev or LiteLLM, %(most)s MB at most") % most
        source: Any = self.fields["source"]
        source.choices = [(Origin.CATALOG, _("genai-prices, as it is installed here: nothing is downloaded"))] + [
            (origin, _("%(list)s, from %(address)s") % {"list": origin.label, "address": address_of(origin)})
            for origin in READERS
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        place = next((name for name in ("file", "url") if cleaned.get(name)), "")
        if place and cleaned.get("source") == Origin.CATALOG:
            self.add_error(
                place, _("genai-prices is installed here: choose models.dev or LiteLLM, or leave this empty.")
            )
        elif cleaned.get("file") and cleaned.get("url"):
            self.add_error("url", _("Give a file or an address, not both."))
        return cleaned

    @property
    def place(self) -> str:
        """The field that says where the list is."""
        return next((name for name in ("file", "url") if self.cleaned_data[name]), "source")

    def preview(self) -> Preview:
        """Read the list and compare it. Raises BadPriceList; what it says belongs beside `place`."""
        source = Origin(self.cleaned_data["source"])
        if source == Origin.CATALOG:
            return preview_catalog()
        return preview_list(source, models_in(self._document(source), source))

    def _document(self, source: Origin) -> object:
        """The operator's own address may be in the own network; what is typed here may not."""
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file:
            return parsed(file.read(MOST_BYTES + 1), str(file.name)[:100])
        if url := self.cleaned_data["url"]:
            return from_url(url, public=True, seconds=_SECONDS)
        return from_url(address_of(source), seconds=_SECONDS)


def address_of(origin: Origin) -> str:
    """Where a list is unless somebody says otherwise: its own address, or the one that the operator set for it."""
    is_set = settings.PRICE_URL and origin == settings.PRICE_SOURCE
    return str(settings.PRICE_URL if is_set else READERS[origin].URL)
