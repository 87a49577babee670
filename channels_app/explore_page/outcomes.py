"""What succeeded, and what failed, as groups."""

from __future__ import annotations

from dataclasses import replace

from channels_app.filters import FAIL, OK
from channels_app.stats import Conditions

STATUSES = (OK, FAIL)


def by_status(conditions: Conditions) -> list[Conditions]:
    """Return the same of what succeeded, and of what failed: in the order of STATUSES."""
    found = []
    for failed in (False, True):
        is_asked = conditions.failed in (None, failed) and not (conditions.codes and not failed)
        found.append(replace(conditions, failed=failed) if is_asked else replace(conditions, sources=frozenset()))
    return found
