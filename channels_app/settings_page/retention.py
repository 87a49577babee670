"""How long what is kept: the environment says so, since the collector deletes what is older."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from channels_app.settings_page.sections import RETENTION, SectionView
from channels_app.site import is_of_environment
from usage.housekeeping.jobs import HISTORY
from usage.models import UsageRecord


class Kept(NamedTuple):
    """`variable` is what sets it; empty where nothing does."""

    what: Promise
    how_long: Promise | str
    variable: str = ""


class Retention(SectionView):
    section, template = RETENTION, "settings/retention.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        oldest = UsageRecord.objects.order_by("requested_at").values_list("requested_at", flat=True).first()
        return self.page(request, rows=_rows(), oldest=oldest, is_of_environment=is_of_environment("RECORDS_KEPT_DAYS"))


def _rows() -> list[Kept]:
    days = int(settings.RECORDS_KEPT_DAYS)
    return [
        Kept(
            _("Records, with what upstream said of failures and where clients called from"),
            _days(days) if days else _("for ever"),
            "RECORDS_KEPT_DAYS",
        ),
        Kept(_("Sums by hour and day, client requests, percentiles and peaks"), _("for ever")),
        Kept(_("Raw answers of CPA, in the spool"), _("until they are booked")),
        Kept(_("Events of the collector and runs of jobs"), _days(HISTORY.days)),
        Kept(_("What could not be read"), _("until it can be, or for ever")),
        Kept(_("Quota windows"), _("their newest reading")),
    ]


def _days(days: int) -> str:
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}
