"""The time zone in which days, weeks and months are cut and times are shown."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings


def report_zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)
