"""How long records are kept where nobody says otherwise on the Settings page."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


def kept_days(days: int) -> int:
    """Return what RECORDS_KEPT_DAYS says. Raises ImproperlyConfigured for less than none, which would delete all of them."""
    if days < 0:
        raise ImproperlyConfigured(
            f"RECORDS_KEPT_DAYS={days}: records are kept for a day or more, or for ever, which is 0"
        )
    return days
