"""What every page shows around its content: the collector's state, theme, time zone and first-run hint.

All of it is worked out when a template asks, so that an error page or an admin page touches no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from config.report_zone import report_zone
from usage import formats
from usage.models import Instance

THEMES = {"light": _("Light"), "dark": _("Dark"), "system": _("System")}
DEFAULT_THEME = "system"

# Longer than this without a word is no longer a delay (`ui.md` 14).
_DELAYED = timedelta(minutes=5)


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell(request)}


@dataclass(frozen=True, slots=True)
class CollectorChip:
    """The state of collection in a few words; `level` is `ok`, `info`, `warn` or `fail`."""

    level: str
    text: str
    server: int
    as_of: datetime | None = None


class Shell:
    def __init__(self, request: HttpRequest) -> None:
        self.path = request.get_full_path()
        self._theme = request.COOKIES.get("theme", "")

    @property
    def site_name(self) -> str:
        return str(settings.SITE_NAME)

    @property
    def theme(self) -> str:
        return self._theme if self._theme in THEMES else DEFAULT_THEME

    @property
    def themes(self) -> dict[str, Any]:
        return THEMES

    @property
    def language(self) -> str:
        """The page's language as `<html lang>` wants it."""
        return "zh-Hans" if get_language() == "zh-hans" else "en"

    @property
    def zone(self) -> str:
        return str(settings.TIME_ZONE)

    @property
    def zone_offset(self) -> str:
        return formats.utc_offset(timezone.localtime(timezone=report_zone()))

    @cached_property
    def instances(self) -> list[Instance]:
        return list(Instance.objects.filter(enabled=True))

    @cached_property
    def collector(self) -> CollectorChip | None:
        """The worst state over the enabled servers; None without any."""
        chips = [collector_chip(instance, timezone.now()) for instance in self.instances]
        return max(chips, key=lambda chip: _LEVELS.index(chip.level), default=None)

    @cached_property
    def troubles(self) -> list[Instance]:
        """The servers that nothing can be collected from until somebody acts."""
        healthy = (Instance.State.OK, Instance.State.NEW)
        return [instance for instance in self.instances if instance.state not in healthy]

    @cached_property
    def is_first_run(self) -> bool:
        return not get_user_model().objects.exists()


_LEVELS = ("ok", "info", "warn", "fail")


def collector_chip(instance: Instance, now: datetime) -> CollectorChip:
    if instance.state == Instance.State.NEW:
        return CollectorChip("info", instance.get_state_display(), instance.pk)
    if instance.state != Instance.State.OK:
        return CollectorChip("fail", instance.get_state_display(), instance.pk, instance.synced_at)
    return _collecting(instance, now)


def _collecting(instance: Instance, now: datetime) -> CollectorChip:
    seen = instance.synced_at or instance.state_since or now
    late = now - seen
    if late <= _punctual(instance):
        level, text = "ok", gettext("Collecting · %(ago)s") % {"ago": formats.ago(seen, now)}
    elif late <= _DELAYED:
        level, text = "warn", gettext("Delayed · %(ago)s") % {"ago": formats.ago(seen, now)}
    else:
        level, text = "fail", gettext("No data since %(time)s") % {"time": formats.minute(seen, report_zone(), now)}
    return CollectorChip(level, text, instance.pk, seen)


def _punctual(instance: Instance) -> timedelta:
    """How long after a poll the next one is not yet late."""
    legacy = instance.source == Instance.Source.LEGACY
    interval = settings.LEGACY_POLL_SECONDS if legacy else settings.POLL_SECONDS
    return timedelta(seconds=max(2 * interval, 30))
