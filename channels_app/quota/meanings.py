"""What the columns of both tables of quota mean (windows.py and pools.py have the sums)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from usage.meaning import meanings

WINDOWS = meanings(
    ("window", _("Window"), _("Time after which upstream forgets what was used")),
    ("remaining", _("Remaining"), _("Part of the window that is not used, by the last answer")),
    ("resets", _("Resets"), _("When all of it is there again")),
    ("pace", _("At this pace"), _("When it is used up if use goes on as in the window so far (not told before 5%)")),
    ("reading", _("Reading"), _("When the answer came that told this")),
)

POOLS = meanings(
    ("window", *WINDOWS["window"][1:]),
    ("accounts", _("Accounts"), _("How many accounts of the channel have this window; known: not reset since their last answer")),
    ("remaining", _("Remaining on average"), _("Mean of what the known accounts have left: each counts as much as any other")),
    ("resets", _("First reset"), _("When the first of the known accounts has all of it again")),
    ("pace", _("At this pace"), _("When nothing is left of any if use goes on as in the windows so far, unless one is reset before")),
)  # fmt: skip
