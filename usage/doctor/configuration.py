"""What the environment and `.env` say."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from config.report_zone import report_zone
from usage import formats
from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis

_THIS_MACHINE = {"localhost", "127.0.0.1", "[::1]", "::1"}


def debug() -> Iterator[Diagnosis]:
    if settings.DEBUG:
        text = _("DEBUG is on: pages show source code and settings when something fails, and memory grows.")
        yield Diagnosis(WARN, "debug", text, _("Remove DEBUG from the environment and .env."))
    else:
        yield Diagnosis(OK, "debug", _("DEBUG is off."))


def hosts() -> Iterator[Diagnosis]:
    names = set(settings.ALLOWED_HOSTS)
    if "*" in names:
        text = _("ALLOWED_HOSTS admits every name: whatever a request calls this host is believed.")
        yield Diagnosis(WARN, "hosts", text, _("Name the hosts: ALLOWED_HOSTS=meter.example"))
    elif names <= _THIS_MACHINE:
        mend = _("To change that: --bind 0.0.0.0:8000 and ALLOWED_HOSTS=meter.example, best behind a proxy with TLS.")
        yield Diagnosis(INFO, "hosts", _("The pages can be reached from this machine only."), mend)
    else:
        yield from _reached_from_elsewhere(", ".join(sorted(names - _THIS_MACHINE)))


def _reached_from_elsewhere(names: str) -> Iterator[Diagnosis]:
    yield Diagnosis(OK, "hosts", _("The pages answer to %(hosts)s.") % {"hosts": names})
    if not settings.HTTPS:
        text = _("HTTPS is off: passwords and cookies travel unencrypted.")
        mend = _("Put a proxy with TLS in front, set HTTPS=true and CSRF_TRUSTED_ORIGINS=https://meter.example")
        yield Diagnosis(WARN, "https", text, mend)


def time_zone() -> Iterator[Diagnosis]:
    text = _("Days begin at midnight in %(zone)s, where it is %(time)s now.")
    now = timezone.now()
    facts = {"zone": settings.TIME_ZONE, "time": formats.minute(now, report_zone(), now)}
    mend = _("If that is not your clock: TIME_ZONE=Asia/Shanghai, for example.") if settings.TIME_ZONE == "UTC" else ""
    yield Diagnosis(INFO, "time_zone", text % facts, mend)


def server_of_environment() -> Iterator[Diagnosis]:
    """Half of CPA_BASE_URL and CPA_MANAGEMENT_KEY makes no server."""
    if settings.CPA_BASE_URL and not settings.CPA_MANAGEMENT_KEY:
        text = _("CPA_BASE_URL is set, but CPA_MANAGEMENT_KEY is not.")
        yield Diagnosis(FAIL, "environment", text, _("Set it to remote-management.secret-key of CPA's config.yaml."))
    if settings.CPA_MANAGEMENT_KEY and not settings.CPA_BASE_URL:
        text = _("CPA_MANAGEMENT_KEY is set, but CPA_BASE_URL is not.")
        yield Diagnosis(WARN, "environment", text, _("Set it to where CPA listens, such as http://127.0.0.1:8317"))


CHECKS = (debug, hosts, time_zone, server_of_environment)
