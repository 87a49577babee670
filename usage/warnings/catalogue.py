"""The checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from usage.warnings import books, collecting
from usage.warnings.survey import Survey
from usage.warnings.warning import LEVELS, Warning

_Check = Callable[[Survey], Iterator[Warning]]

# What every page with data has to say.
_BANNERS: tuple[_Check, ...] = (
    collecting.stopped,
    collecting.not_collecting,
    collecting.stale,
    books.disk_full,
    collecting.gaps,
    collecting.delayed,
)
_OTHERS: tuple[_Check, ...] = (
    collecting.short_retention,
    collecting.overrun,
    collecting.others_read,
    books.unmatched,
    books.unpriced,
    books.quarantined,
    collecting.clocks,
    books.low_disk,
    books.behind,
    collecting.old_versions,
)


def warnings(now: datetime) -> list[Warning]:
    """Return all that is wrong, the worst first."""
    return all_warnings(Survey(now))


def all_warnings(survey: Survey) -> list[Warning]:
    return _find((*_BANNERS, *_OTHERS), survey)


def banners(survey: Survey) -> list[Warning]:
    """Return what keeps records from coming, or has kept them (W01 to W05, W16, W17, and a full disk), the worst first."""
    return _find(_BANNERS, survey)


def _find(checks: Sequence[_Check], survey: Survey) -> list[Warning]:
    """Without a server nothing is wrong with collection."""
    found = [warning for check in checks for warning in check(survey)] if survey.instances else []
    return sorted(found, key=lambda warning: LEVELS.index(warning.level))
