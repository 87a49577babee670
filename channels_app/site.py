"""What the operator says of the whole site: by the environment, else on the Settings page."""

from __future__ import annotations

import os
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from config.currency import USD, Currency
from usage.models import SiteSettings

YUAN = "¥"
_KEY = "site"
# How much later than it was saved another process shows it.
_KEPT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Site:
    """`week_start` is a weekday as Python counts them (Monday is 0), `top_series` how many of the largest charts show."""

    name: str
    currency: Currency
    week_start: int
    top_series: int


def is_of_environment(name: str) -> bool:
    """Whether the environment, or a file that it names, says so: then nobody can say otherwise on a page. Empty is nothing."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def site() -> Site:
    """A page that says that something is wrong needs no database: without it, all is as the environment says."""
    kept: SiteSettings | None = cache.get(_KEY)
    if kept is None:
        try:
            kept = SiteSettings.objects.first() or SiteSettings()
            cache.set(_KEY, kept, _KEPT_SECONDS)
        except DatabaseError:
            kept = SiteSettings()
    name = "" if is_of_environment("SITE_NAME") else kept.site_name
    return Site(name or str(settings.SITE_NAME), _currency(kept), kept.week_start, kept.top_series)


def forget() -> None:
    """Have what was saved count at once in this process."""
    cache.delete(_KEY)


def _currency(kept: SiteSettings) -> Currency:
    if is_of_environment("CURRENCY") or not kept.currency:
        return settings.CURRENCY
    if kept.currency == USD.code or not kept.cny_per_usd:
        return USD
    return Currency(kept.currency, YUAN, kept.cny_per_usd, kept.rate_date)
