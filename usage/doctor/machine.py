"""The disk and the spool."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage import formats
from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis

_LEAST_FREE = 500 * 10**6
_ENOUGH_FREE = 10 * 10**9  # a tenth of a large disk is plenty
_BACKLOG_IS_OLD = timedelta(minutes=5)


def disk() -> Iterator[Diagnosis]:
    usage = shutil.disk_usage(_existing(settings.DATA_DIR))
    facts = {"free": filesizeformat(usage.free), "folder": settings.DATA_DIR}
    text = _("%(free)s are free on the disk of %(folder)s.") % facts
    mend = _("Make room, or move DATA_DIR to a larger disk. On a full disk nothing is taken from CPA any more.")
    if usage.free < settings.SPOOL_FREE_BYTES:
        yield Diagnosis(FAIL, "disk", text, mend)
    elif usage.free < _LEAST_FREE or usage.free < min(usage.total / 10, _ENOUGH_FREE):
        yield Diagnosis(WARN, "disk", text, mend)
    else:
        yield Diagnosis(OK, "disk", text)


def spool() -> Iterator[Diagnosis]:
    """Whether it can be written to: by a file without a name, which leaves nothing behind."""
    folder = settings.SPOOL_DIR
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)) as file:
            file.write(b"written by the doctor")
            file.flush()
    except OSError as error:
        text = _("The spool %(folder)s cannot be written to: %(reason)s.")
        facts = {"folder": folder, "reason": error.strerror}
        mend = _("Give the user that runs CPA Meter the right to write there; without it nothing is taken from CPA.")
        yield Diagnosis(FAIL, "spool", text % facts, mend)
    else:
        yield Diagnosis(OK, "spool", _("The spool %(folder)s can be written to.") % {"folder": folder})


def backlog() -> Iterator[Diagnosis]:
    files = _waiting(settings.SPOOL_DIR)
    if not files:
        yield Diagnosis(OK, "backlog", _("Nothing waits in the spool."))
        return
    now = timezone.now()
    oldest = datetime.fromtimestamp(min(moment for moment, _size in files), UTC)
    size = filesizeformat(sum(size for _moment, size in files))
    text = ngettext(
        "%(count)s answer (%(size)s) waits in the spool to be booked; it came %(ago)s.",
        "%(count)s answers (%(size)s) wait in the spool to be booked; the oldest came %(ago)s.",
        len(files),
    ) % {"count": formats.grouped(len(files)), "size": size, "ago": formats.ago(oldest, now)}
    if now - oldest > _BACKLOG_IS_OLD:
        mend = _("Nothing is lost. See whether a collector runs, and what its log says of the database.")
        yield Diagnosis(WARN, "backlog", text, mend)
    else:
        yield Diagnosis(INFO, "backlog", text)


def _waiting(folder: Path) -> list[tuple[float, int]]:
    """Return time and size of what a collector has taken and not booked; one may be at it while we look."""
    found = []
    for path in folder.glob("*/[!.]*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if status.st_size:
            found.append((status.st_mtime, status.st_size))
    return found


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it: it is made when it is first needed."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


CHECKS = (disk, spool, backlog)
