"""What every page shows around its content: the collector's state, theme, time zone and first-run hint.

All of it is worked out when a template asks, so that an error page or an admin page touches no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from channels_app import viewer
from channels_app.address import Address
from channels_app.dismissed import dismissed
from channels_app.filter_bar.scope import GLOBAL_PARAMETERS
from channels_app.site import site
from channels_app.stats import Conditions, Span, aggregate
from channels_app.version import version
from usage import formats, privacy
from usage.freshness import Freshness, Verdict, freshness
from usage.ingest.grains import HOUR
from usage.models import Instance
from usage.models.fields import to_micros
from usage.warnings import Survey, Warning, banners

THEMES = {"light": _("Light"), "dark": _("Dark"), "system": _("System")}
DEFAULT_THEME = "system"
# How often figures that grow can be renewed.
REFRESH_SECONDS: dict[str, Any] = {
    "0": _("Off"),
    "10": _("Every 10 seconds"),
    "30": _("Every 30 seconds"),
    "60": _("Every minute"),
    "300": _("Every 5 minutes"),
}


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell.of(request)}


@dataclass(frozen=True, slots=True)
class CollectorChip:
    """The state of collection in a few words; `level` is `ok`, `info`, `warn` or `fail`."""

    level: str
    text: str
    as_of: datetime | None = None

    @property
    def needs_attention(self) -> bool:
        return self.level in ("warn", "fail")


class Shell:
    def __init__(self, request: HttpRequest) -> None:
        self.path = request.get_full_path()
        self._request = request
        self._asked = request.GET
        self._theme = request.COOKIES.get("theme", "")

    @classmethod
    def of(cls, request: HttpRequest) -> Shell:
        """The same wherever a request asks for it, so that what it tells is read once."""
        if not hasattr(request, "_shell"):
            request._shell = cls(request)  # type: ignore[attr-defined]
        return cast(Shell, request._shell)  # type: ignore[attr-defined]

    @property
    def site_name(self) -> str:
        return site().name

    @property
    def version(self) -> str:
        return version()

    @property
    def scope(self) -> str:
        """What navigation keeps: period, comparison, zone and filters of the address, as it says them."""
        kept = [(name, value) for name in GLOBAL_PARAMETERS for value in self._asked.getlist(name) if value]
        return str(Address(tuple(kept))) if kept else ""

    @property
    def theme(self) -> str:
        return self._theme if self._theme in THEMES else DEFAULT_THEME

    @property
    def themes(self) -> dict[str, Any]:
        return THEMES

    @property
    def is_private(self) -> bool:
        return privacy.is_on()

    @property
    def user_name(self) -> str:
        """What whoever is signed in is called."""
        user = self._request.user
        return privacy.alias(user.get_username(), gettext("User"), user.pk)

    @property
    def refresh(self) -> int | None:
        """How often, in seconds, the viewer wants figures that grow to be renewed, 0 for never; None: as the page does."""
        return viewer.preferences().refresh_seconds

    @property
    def is_dense(self) -> bool:
        """Whether the viewer wants rows to stand closer together."""
        return viewer.preferences().is_dense

    @property
    def has_shortcuts(self) -> bool:
        return viewer.preferences().shortcuts

    @property
    def refreshes(self) -> dict[str, Any]:
        return REFRESH_SECONDS

    @property
    def language(self) -> str:
        """The page's language as `<html lang>` wants it."""
        return "zh-Hans" if get_language() == "zh-hans" else "en"

    @property
    def zone(self) -> str:
        """The one in which this page shows its times."""
        return timezone.get_current_timezone_name()

    @property
    def rate(self) -> str:
        """By which rate costs are shown in another currency than USD; empty where they are not."""
        currency = formats.currency()
        return formats.rate(currency) if currency.rate_date else ""

    @property
    def zone_offset(self) -> str:
        return formats.utc_offset(timezone.localtime())

    @cached_property
    def survey(self) -> Survey:
        return Survey(timezone.now())

    @property
    def instances(self) -> Sequence[Instance]:
        return self.survey.instances

    @cached_property
    def collector(self) -> CollectorChip | None:
        """The worst state over the enabled servers; None without any."""
        chips = [collector_chip(instance, self.survey) for instance in self.instances]
        return max(chips, key=lambda chip: _LEVELS.index(chip.level), default=None)

    @property
    def unpriced_models(self) -> int:
        return self.survey.unpriced_models

    @cached_property
    def failed_lately(self) -> int:
        """How many requests failed in the last hour."""
        now = to_micros(self.survey.now)
        found = aggregate(Span(now - HOUR, now + HOUR), Conditions(failed=True), (), ("requests",))
        return int(found[0][0]) if found else 0

    @cached_property
    def troubles(self) -> list[Warning]:
        """What keeps records from coming, or has kept them, but for what was dismissed."""
        read = dismissed(self._request)
        return [warning for warning in banners(self.survey) if warning.key not in read]

    @cached_property
    def is_first_run(self) -> bool:
        return not get_user_model().objects.exists()


_LEVELS = ("ok", "info", "warn", "fail")


def collector_chip(instance: Instance, survey: Survey) -> CollectorChip:
    fresh = freshness(instance, survey.pulse, survey.now)
    return CollectorChip(fresh.level, _chip_text(instance, fresh, survey.now), fresh.seen_at)


def _chip_text(instance: Instance, fresh: Freshness, now: datetime) -> str:
    """A state of the server in its own words; else how long ago its records came."""
    if instance.state != Instance.State.OK:
        return str(instance.get_state_display())
    if fresh.verdict == Verdict.OFFLINE and fresh.seen_at:
        return gettext("No data since %(time)s") % {
            "time": formats.minute(fresh.seen_at, timezone.get_current_timezone(), now)
        }
    ago = {"ago": formats.ago(fresh.seen_at or now, now)}
    return gettext("Delayed · %(ago)s") % ago if fresh.level == "warn" else gettext("Collecting · %(ago)s") % ago
