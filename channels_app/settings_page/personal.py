"""How one person wants to see the pages: kept for the person, but for language and theme, which are the browser's."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _

from channels_app import viewer
from channels_app.comparison import OFF, PREVIOUS, WEEK
from channels_app.filter_bar.scope import default_comparison, default_range
from channels_app.period import RANGES
from channels_app.settings_page.sections import PERSONAL, SectionView
from channels_app.shell import REFRESH_SECONDS, THEMES, Shell
from channels_app.way_back import keep_in_browser

_COMPARISONS: dict[str, Promise] = {
    PREVIOUS: _("With the period before"),
    WEEK: _("With the same weekdays before"),
    OFF: _("None"),
}
_COMFORTABLE, _COMPACT = "comfortable", "compact"
_DENSITIES: dict[str, Promise] = {_COMFORTABLE: _("Comfortable"), _COMPACT: _("Compact")}
_THOUSANDS, _MYRIADS = "thousands", "myriads"
_UNITS: dict[str, Promise | str] = {_THOUSANDS: "K, M, B", _MYRIADS: _("万 and 亿, on Chinese pages")}
_AS_THE_PAGE = ""
_REFRESH: dict[str, Promise] = {
    _AS_THE_PAGE: _("As each page does by itself"),
    **REFRESH_SECONDS,
}


class PersonalForm(forms.Form):
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Theme"), choices=THEMES.items())
    default_range = forms.ChoiceField(
        label=_("Period"),
        choices=RANGES.items(),
        help_text=_(
            "Of pages whose address says none. A link without one means another period to whoever prefers that."
        ),
    )
    comparison = forms.ChoiceField(label=_("Comparison"), choices=_COMPARISONS.items())
    refresh = forms.ChoiceField(
        label=_("Refresh"),
        choices=_REFRESH.items(),
        required=False,
        help_text=_("Of figures that still grow, while the page is in view. Needs JavaScript."),
    )
    density = forms.ChoiceField(label=_("Rows of tables"), choices=_DENSITIES.items())
    units = forms.ChoiceField(
        label=_("Large numbers"),
        choices=_UNITS.items(),
        help_text=_("On pages. Files and the API have all digits."),
    )
    shortcuts = forms.BooleanField(
        label=_("Keyboard shortcuts"),
        required=False,
        help_text=_("Single letters, such as ? for the list of them. Off while typing."),
    )
    privacy = forms.BooleanField(
        label=_("Privacy mode"),
        required=False,
        help_text=_(
            "Hides e-mails, the names of accounts and keys and half of each IP address, for you alone: on pages, in files and"
            " in answers of the API."
        ),
    )


class Personal(SectionView):
    section, template = PERSONAL, "settings/personal.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, form=PersonalForm(initial=_present(request)))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PersonalForm(request.POST)
        if not form.is_valid():
            return self.page(request, form=form)
        chosen = form.cleaned_data
        preferences = viewer.preferences()
        preferences.default_range, preferences.comparison = chosen["default_range"], chosen["comparison"]
        preferences.refresh_seconds = None if chosen["refresh"] == _AS_THE_PAGE else int(chosen["refresh"])
        preferences.is_dense = chosen["density"] == _COMPACT
        preferences.counts_in_myriads = chosen["units"] == _MYRIADS
        preferences.shortcuts, preferences.privacy = chosen["shortcuts"], chosen["privacy"]
        preferences.save()
        with override(chosen["language"]):
            messages.success(request, gettext("Saved."))
        response = redirect(PERSONAL.address)
        keep_in_browser(response, settings.LANGUAGE_COOKIE_NAME, chosen["language"])
        keep_in_browser(response, "theme", chosen["theme"])
        return response


def _present(request: HttpRequest) -> dict[str, object]:
    kept = viewer.preferences()
    return {
        "language": get_language(),
        "theme": Shell(request).theme,
        "default_range": default_range(),
        "comparison": default_comparison(),
        "refresh": _AS_THE_PAGE if kept.refresh_seconds is None else str(kept.refresh_seconds),
        "density": _COMPACT if kept.is_dense else _COMFORTABLE,
        "units": _MYRIADS if kept.counts_in_myriads else _THOUSANDS,
        "shortcuts": kept.shortcuts,
        "privacy": kept.privacy,
    }
