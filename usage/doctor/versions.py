"""What a release of CPA can do that no harmless request tells (contract section 0)."""

from __future__ import annotations

import re

# A local build calls itself `dev`; it has everything.
_NEWEST = (999, 0, 0)


def number(text: str) -> tuple[int, ...]:
    """Return the numbers of a version as servers write it: `v6.9.45-0`, `7.2.99`, `dev`."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else _NEWEST


def can_be_subscribed_to(version: str) -> bool:
    """Whether it knows `SUBSCRIBE usage`; 7.1.17 alone refuses all RESP."""
    return number(version) >= (7, 0, 7) and number(version) != (7, 1, 17)
