"""Who works here: the collector, the housekeeping, cron."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django_crontab.crontab import Crontab  # type: ignore[import-untyped]

from usage import formats
from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis
from usage.housekeeping.runner import Standing, standings
from usage.models import CollectorProcess, Instance, JobRun

_ALIVE = timedelta(seconds=60)
# Cron looks every five minutes, and a job may wait for those before it.
_OVERDUE = timedelta(hours=1)
_CRONTAB_SECONDS = 10


def collector() -> Iterator[Diagnosis]:
    """W01 of the catalogue: a leading process that was seen within a minute, or three polls."""
    now = timezone.now()
    leading = CollectorProcess.objects.filter(role=CollectorProcess.Role.LEADING).order_by("-seen_at").first()
    if leading and now - leading.seen_at <= max(_ALIVE, timedelta(seconds=3 * settings.POLL_SECONDS)):
        yield Diagnosis(OK, "collector", _("A collector runs: %(name)s.") % {"name": leading.name})
    elif Instance.objects.filter(enabled=True).exists():
        text = _("No collector has run yet.")
        if leading:
            text = _("No collector runs; the last was seen %(ago)s.") % {"ago": formats.ago(leading.seen_at, now)}
        mend = _(
            "Start `manage.py serve`, or `manage.py collect` beside a web server: CPA keeps a record for a minute."
        )
        yield Diagnosis(FAIL, "collector", text, mend)


def housekeeping() -> Iterator[Diagnosis]:
    now = timezone.now()
    standing = standings()
    failed = [diagnosis for one in standing for diagnosis in _failure(one)]
    late = [one for one in standing if one.is_due(now - _OVERDUE)]
    yield from failed
    if late:
        text = _("Overdue in the housekeeping: %(jobs)s.") % {"jobs": " / ".join(str(one.job.title) for one in late)}
        mend = _("The collector does it, or cron after `manage.py crontab add`; now: `manage.py housekeeping`.")
        ever_ran = any(one.last for one in standing)
        yield Diagnosis(WARN if ever_ran else INFO, "housekeeping", text, mend)
    if not failed and not late:
        yield Diagnosis(OK, "housekeeping", _("The housekeeping is done, and each job went well."))


def _failure(standing: Standing) -> Iterator[Diagnosis]:
    last = standing.last
    if last and last.outcome == JobRun.Outcome.FAILED:
        text = _("%(job)s: failed %(ago)s: %(result)s")
        ago = formats.ago(last.started_at, timezone.now())
        mend = _("Mend what it says, then run `manage.py housekeeping --job %(name)s`.") % {"name": standing.job.name}
        facts = {"job": standing.job.title, "ago": ago, "result": last.text}
        yield Diagnosis(FAIL, "housekeeping", text % facts, mend)


def cron() -> Iterator[Diagnosis]:
    """Whether the installed lines are ours: after a change of CRONJOBS the old ones fail, and cron does not tell."""
    ours = Crontab(verbosity=0, readonly=True)
    ours.add_jobs()
    installed = _installed_lines(ours.settings.CRONTAB_EXECUTABLE)
    if {line.strip() for line in ours.crontab_lines} <= installed:
        yield Diagnosis(OK, "cron", _("Cron runs the housekeeping."))
    elif any(line.endswith(f"# {ours.settings.CRONTAB_COMMENT}") for line in installed):
        text = _("The crontab has jobs of another version or folder; those of another version fail at each call.")
        yield Diagnosis(WARN, "cron", text, _("Run `manage.py crontab add`."))
    else:
        yield Diagnosis(INFO, "cron", _("Cron does not run the housekeeping; it need not, where a collector runs."))


def _installed_lines(crontab: str) -> set[str]:
    """The lines of this user's crontab; none where there is no cron."""
    command = [*shlex.split(crontab), "-l"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=_CRONTAB_SECONDS)  # noqa: S603
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return set()
    return {line.strip() for line in listed.stdout.splitlines()}


CHECKS = (collector, housekeeping, cron)
