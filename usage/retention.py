"""How long records are kept: as staff say on the Settings page, else as the environment does."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext, ngettext

from usage.models import SiteSettings

FOR_EVER = 0


def records_kept_days() -> int:
    """Return for how many days, or FOR_EVER."""
    own = SiteSettings.objects.values_list("records_kept_days", flat=True).first()
    return int(settings.RECORDS_KEPT_DAYS) if own is None else own


def how_long(days: int) -> str:
    """Return it in words."""
    if days == FOR_EVER:
        return gettext("for ever")
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}


def is_shorter(days: int, than: int) -> bool:
    """Whether fewer records are kept for `days` than for another number of days; each may be FOR_EVER."""
    return days != FOR_EVER and (than == FOR_EVER or days < than)
