"""The forms of the Prices page: a price or a multiplier, and what becomes of the records that have been priced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage.models import ModelPrice
from usage.models.fields import EPOCH
from usage.prices.form import ModelPriceForm
from usage.prices.multiplier_form import MultiplierForm

KEEP, RECALCULATE = "keep", "recalculate"
_MONTH = timedelta(days=30)
_MOMENT = "%Y-%m-%d %H:%M:%S"
_DECIMAL = ("input", "cached_input", "cache_write", "output", "reasoning", "per_request", "multiplier")


def _text(inputmode: str) -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": inputmode, "autocomplete": "off"})


_SINCE = forms.DateTimeInput(format=_MOMENT, attrs={"autocomplete": "off"})
_SINCE_HELP = gettext_lazy("In the report time zone. Empty: since ever")


class Recalculation(forms.Form):
    """The part about the records, of the forms of this page."""

    # What a channel or an account that is not chosen is called.
    nobody = gettext_lazy("none")

    records = forms.ChoiceField(
        label=gettext_lazy("Requests that have a cost"),
        choices=[
            (KEEP, gettext_lazy("From now on: they keep their cost")),
            (RECALCULATE, gettext_lazy("Recalculate them from a date")),
        ],
        initial=KEEP,
        widget=forms.RadioSelect,
    )
    since = forms.DateField(
        label=gettext_lazy("Recalculate from"),
        required=False,
        help_text=gettext_lazy("Each request gets the price that was in force at its time."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["effective_from"].required = False
        for name in ("channel", "account"):
            cast("forms.ModelChoiceField[Any]", self.fields[name]).empty_label = str(self.nobody)
        if self.initial.get("effective_from") == EPOCH:
            self.initial["effective_from"] = None
        self.fields["since"].initial = (timezone.localtime() - _MONTH).date()

    def clean_effective_from(self) -> Any:
        """The field shows whole seconds: what nobody changed keeps its fractions."""
        if "effective_from" not in self.changed_data:
            return self.instance.effective_from  # type: ignore[attr-defined]
        return self.cleaned_data["effective_from"] or EPOCH

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("records") == RECALCULATE and not cleaned.get("since") and "since" not in self.errors:
            self.add_error("since", _("Choose the first day whose requests are recalculated."))
        return cleaned


class PriceForm(Recalculation, ModelPriceForm):
    nobody = gettext_lazy("any")

    class Meta(ModelPriceForm.Meta):
        fields = (
            "pattern", "provider", "channel", "account", "service_tier", "daily_from", "daily_until", "above_input_tokens",
            "effective_from", *_DECIMAL,
        )  # fmt: skip
        widgets = {
            **ModelPriceForm.Meta.widgets,
            **{name: _text("decimal") for name in _DECIMAL},
            "above_input_tokens": _text("numeric"),
            "effective_from": _SINCE,
        }
        help_texts = {"effective_from": _SINCE_HELP}

    def save(self, commit: bool = True) -> ModelPrice:
        """Who saves a price here makes it theirs, also unchanged."""
        price: ModelPrice = self.instance
        price.note_edit(self.fields)
        super().save(commit)
        return price


class PageMultiplierForm(Recalculation, MultiplierForm):
    """A multiplier: whose requests, and by what they are multiplied."""

    class Meta(MultiplierForm.Meta):
        widgets = {"factor": _text("decimal"), "effective_from": _SINCE}
        help_texts = {"effective_from": _SINCE_HELP}
