"""How the pages look to all: the site's name and currency; and its time zone, which only the environment sets."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.sections import DISPLAY, SectionView
from channels_app.site import forget, is_of_environment, site
from config.currency import USD
from config.report_zone import report_zone
from usage import formats
from usage.models import SiteSettings

SITE = 1
_DAY = timedelta(days=1)
_CNY = "CNY"
# Which variable each field follows, where it is set.
VARIABLES = {
    "site_name": "SITE_NAME", "currency": "CURRENCY", "cny_per_usd": "CURRENCY", "rate_date": "CURRENCY",
}  # fmt: skip


class DisplayForm(forms.ModelForm):  # type: ignore[type-arg]
    """Fields that the environment sets show what it says, and cannot be changed."""

    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=[(USD.code, _("US dollar (USD)")), (_CNY, _("Yuan (CNY)"))],
        help_text=_("Of costs on pages. Prices, the API, files and commands stay in US dollars."),
    )

    class Meta:
        model = SiteSettings
        fields = ("site_name", "currency", "cny_per_usd", "rate_date", "week_start", "top_series")
        labels = {"week_start": _("Weeks begin on"), "top_series": _("Series of a chart")}
        help_texts = {
            "week_start": _("In charts by week, in the API too, and where weekdays stand below each other."),
            "top_series": _("So many of the largest; all others are one series."),
        }
        widgets = {"rate_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = site()
        self.fields["site_name"].widget.attrs["placeholder"] = settings.SITE_NAME
        self.initial["currency"] = shown.currency.code
        if shown.currency.rate_date:
            self.initial["cny_per_usd"] = shown.currency.per_usd.normalize()
            self.initial["rate_date"] = shown.currency.rate_date
        for name, variable in VARIABLES.items():
            if is_of_environment(variable):
                self.fields[name].disabled = True
        if self.fields["site_name"].disabled:
            self.initial["site_name"] = shown.name

    def clean_cny_per_usd(self) -> Decimal | None:
        rate: Decimal | None = self.cleaned_data["cny_per_usd"]
        if rate is not None and not 0 < rate < 10_000:
            raise ValidationError(gettext("A rate is more than 0 and less than 10,000, such as 7.12."))
        return rate

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for yuan without a rate and its day."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("currency") == _CNY and not self.fields["currency"].disabled:
            for name in ("cny_per_usd", "rate_date"):
                if not found.get(name) and name not in self.errors:
                    self.add_error(name, gettext("Yuan need the rate and its day."))
        day = found.get("rate_date")
        if day and day > timezone.now().date() + _DAY:  # it has begun somewhere already
            self.add_error("rate_date", gettext("This day is still to come."))
        return found


class Display(SectionView):
    section, template = DISPLAY, "settings/display.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request, DisplayForm(instance=_kept()))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DisplayForm(request.POST, instance=_kept())
        if not form.is_valid():
            return self._draw(request, form)
        changed = {name: form.cleaned_data[name] for name in form.fields if not form.fields[name].disabled}
        SiteSettings.objects.update_or_create(pk=SITE, defaults=changed)
        forget()
        messages.success(request, gettext("Saved."))
        return redirect(DISPLAY.address)

    def _draw(self, request: HttpRequest, form: DisplayForm) -> HttpResponse:
        asked = request.GET.get("zone", "").strip()
        zones = available_timezones()
        return self.page(
            request,
            form=form,
            locked=sorted({variable for variable in VARIABLES.values() if is_of_environment(variable)}),
            zone=_today_in(report_zone()),
            zone_is_of_environment=is_of_environment("TIME_ZONE"),
            asked=asked,
            other=_today_in(ZoneInfo(asked)) if asked in zones else None,
            zones=sorted(zones),
        )


def _kept() -> SiteSettings:
    return SiteSettings.objects.first() or SiteSettings()


def _today_in(zone: ZoneInfo) -> dict[str, Any]:
    """Return what today is in a zone: its beginning and end, each with its offset."""
    day = timezone.now().astimezone(zone).date()
    ends = [datetime.combine(one, time.min, zone) for one in (day, day + _DAY)]
    return {
        "name": zone.key,
        "day": f"{day:%Y-%m-%d}",
        "ends": [f"{end:%Y-%m-%d %H:%M} {formats.utc_offset(end)}" for end in ends],
        "utc": [f"{end.astimezone(ZoneInfo('UTC')):%Y-%m-%d %H:%M}" for end in ends],
    }
