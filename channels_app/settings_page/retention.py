"""How long what is kept. Of records staff say it here; what is older, the next run of the housekeeping deletes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.display import SITE
from channels_app.settings_page.sections import RETENTION, SectionView
from channels_app.site import forget, is_of_environment
from usage.housekeeping.jobs import HISTORY, RECORDS
from usage.housekeeping.runner import standing
from usage.ingest.pruning import edge_of, prunable
from usage.models import SiteSettings, UsageRecord
from usage.retention import how_long, is_shorter, records_kept_days


class Kept(NamedTuple):
    what: Promise
    how_long: Promise | str


class RetentionForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = SiteSettings
        fields = ("records_kept_days",)
        labels = {"records_kept_days": _("Records are kept, days")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field, usual = self.fields["records_kept_days"], int(settings.RECORDS_KEPT_DAYS)
        field.help_text = _("0: for ever. Empty: as %(variable)s says, %(usual)s.") % {
            "variable": "RECORDS_KEPT_DAYS", "usual": how_long(usual),
        }  # fmt: skip
        field.widget.attrs["placeholder"] = str(usual)

    @property
    def days(self) -> int:
        """For how many days records are kept by what was filled in."""
        own: int | None = self.cleaned_data["records_kept_days"]
        return int(settings.RECORDS_KEPT_DAYS) if own is None else own


class Retention(SectionView):
    section, template = RETENTION, "settings/retention.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request, RetentionForm(instance=SiteSettings.objects.first()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """What would delete records is asked once more, for just this many days."""
        form = RetentionForm(request.POST)
        if not form.is_valid():
            return self._draw(request, form)
        days = form.days
        if is_shorter(days, records_kept_days()) and request.POST.get("confirmed") != str(days):
            return _asked_again(request, form)
        SiteSettings.objects.update_or_create(pk=SITE, defaults=form.cleaned_data)
        forget()
        messages.success(request, gettext("Saved."))
        return redirect(RETENTION.address)

    def _draw(self, request: HttpRequest, form: RetentionForm) -> HttpResponse:
        oldest = UsageRecord.objects.order_by("requested_at").values_list("requested_at", flat=True).first()
        days = records_kept_days()
        own = SiteSettings.objects.exclude(records_kept_days=None).exists()
        return self.page(
            request, form=form, kept=how_long(days), is_own=own, rows=_rows(), oldest=oldest,
            is_of_environment=is_of_environment("RECORDS_KEPT_DAYS"),
        )  # fmt: skip


def _asked_again(request: HttpRequest, form: RetentionForm) -> HttpResponse:
    now = timezone.now()
    until, job = now - timedelta(days=form.days), standing(RECORDS)
    facts = {
        "form": form,
        "kept": how_long(form.days),
        "before": edge_of(until),
        "going": prunable(until),
        "all": UsageRecord.objects.count(),
        "due_at": None if job.is_due(now) else job.due_at,
    }
    return render(request, "settings/retention_shorter.html", facts)


def _rows() -> list[Kept]:
    return [
        Kept(_("Sums by hour and day, client requests, percentiles and peaks"), _("for ever")),
        Kept(_("Raw answers of CPA, in the spool"), _("until they are booked")),
        Kept(_("Events of the collector and runs of jobs"), how_long(HISTORY.days)),
        Kept(_("What could not be read"), _("until it can be, or for ever")),
        Kept(_("Quota windows"), _("their newest reading")),
    ]
