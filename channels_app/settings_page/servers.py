"""Which CPA servers are read and how often; each is changed on a page of its own, and what the environment sets, there."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.sections import SERVERS, SectionView
from channels_app.site import is_of_environment
from usage.models import Instance


class Rhythm(NamedTuple):
    """What is set by `variable` alone."""

    what: Promise
    value: str
    variable: str

    @property
    def is_of_environment(self) -> bool:
        return is_of_environment(self.variable)


class Servers(SectionView):
    section, template = SERVERS, "settings/servers.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        from_environment = settings.CPA_BASE_URL.rstrip("/") if is_of_environment("CPA_BASE_URL") else ""
        servers = Instance.objects.order_by("name")
        return self.page(request, servers=servers, from_environment=from_environment, rhythms=_rhythms())


def _rhythms() -> list[Rhythm]:
    seconds = gettext("every %(seconds)s seconds")
    return [
        Rhythm(_("A usage queue is read"), seconds % {"seconds": f"{settings.POLL_SECONDS:g}"}, "POLL_SECONDS"),
        Rhythm(
            _("A usage snapshot is read (CPA before 6.10.8)"),
            seconds % {"seconds": f"{settings.LEGACY_POLL_SECONDS:g}"},
            "LEGACY_POLL_SECONDS",
        ),
    ]
