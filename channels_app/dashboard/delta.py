"""How a figure changed against the period that it is compared with (`ui.md` 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django.utils.translation import gettext as _

from usage import formats

# Less than this is no change.
_ALIKE = 0.005


class Better(Enum):
    """Which direction is good; of most figures none is."""

    NEITHER = 0
    HIGHER = 1
    LOWER = -1


@dataclass(frozen=True, slots=True)
class Delta:
    """`direction` is an icon's (`rises`, `falls`) or empty; `level` is `ok`, `fail` or empty; `spoken` says it in words."""

    text: str
    spoken: str
    direction: str = ""
    level: str = ""


def delta(
    now: float | None, before: float | None, better: Better = Better.NEITHER, *, is_rate: bool = False
) -> Delta | None:
    """Return the change from `before` to `now`; None where there is none to tell. Rates change by percentage points."""
    if now is None or before is None or (not now and not before):
        return None
    if not before and not is_rate:
        return Delta(_("new"), _("new: there was nothing before"))
    change = now - before if is_rate else (now - before) / before
    if abs(change) < _ALIKE:
        return Delta(_("≈ 0 pp") if is_rate else "≈ 0%", _("about the same"))
    size = _("%(n)s pp") % {"n": f"{abs(change) * 100:.1f}"} if is_rate else _percent(abs(change))
    is_up = change > 0
    level = "" if better is Better.NEITHER else "ok" if is_up == (better is Better.HIGHER) else "fail"
    spoken = _("up by %(size)s") if is_up else _("down by %(size)s")
    return Delta(size, spoken % {"size": size}, "rises" if is_up else "falls", level)


def _percent(share: float) -> str:
    """Beyond a thousand the decimals say nothing."""
    return f"{share * 100:.1f}%" if share < 10 else f"{formats.grouped(round(share * 100))}%"
