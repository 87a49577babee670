"""Runs jobs when they are due, one run of each at a time, and records every run.

The due times follow from the runs in the database, so several drivers (cron, the collector's idle time, a person) share
the work and none does it twice.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _
from django.utils.translation import override

from usage.housekeeping.jobs import JOBS, Job, JobFailed, Report
from usage.models import JobRun
from usage.redaction import redact

logger = logging.getLogger(__name__)

Outcome = JobRun.Outcome

_LONGEST_RESULT = 2_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A job, its last run, and when the next one is due: None is at once."""

    job: Job
    last: JobRun | None
    due_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        return self.due_at is None or self.due_at <= now


def run_due(driver: JobRun.Driver, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> list[JobRun]:
    """Run the jobs that are due at `now`, until `is_stopping`; return the runs, of which there may be none.

    Raises the database's errors where a run cannot be recorded, and nothing else.
    """
    runs = []
    for job in JOBS:
        if not is_stopping() and standing(job).is_due(now) and (run := _claim(job, driver, now)):
            runs.append(_carry_out(job, run))
    return runs


def keep_house(is_stopping: Callable[[], bool]) -> list[JobRun]:
    """What the collector does in its idle time."""
    return run_due(JobRun.Driver.COLLECTOR, timezone.now(), is_stopping)


def run_now(job: Job, driver: JobRun.Driver) -> JobRun | None:
    """Run `job` whether or not it is due; None when another process is at it."""
    run = _claim(job, driver, now=None)
    return run and _carry_out(job, run)


def standings() -> list[Standing]:
    return [standing(job) for job in JOBS]


def standing(job: Job) -> Standing:
    last = JobRun.objects.filter(job=job.name).first()
    if last is None:
        return Standing(job, None, None)
    return Standing(job, last, last.started_at + (job.longest if last.outcome == Outcome.RUNNING else job.every))


def _claim(job: Job, driver: JobRun.Driver, now: datetime | None) -> JobRun | None:
    """Return a new run of `job`, or None when it is being run, or is not due at `now` (None: always due).

    Of several who come at once the first gets it: the look and the new row are one transaction, and these go one
    after another: those of SQLite always (they begin IMMEDIATE), those of PostgreSQL by the lock.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {JobRun._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        started_at = timezone.now()
        running = JobRun.objects.filter(job=job.name, outcome=Outcome.RUNNING)
        dead = running.filter(started_at__lte=started_at - job.longest)
        dead.update(outcome=Outcome.FAILED, finished_at=started_at, result=_("its process ended before it did"))
        if running.exists() or (now and not standing(job).is_due(now)):
            return None
        return JobRun.objects.create(job=job.name, driver=driver, started_at=started_at)  # type: ignore[misc]


def _carry_out(job: Job, run: JobRun) -> JobRun:
    """Do the work of `run` and record how it ended."""
    run.outcome, run.result = Outcome.FAILED, _("interrupted")
    try:
        with override("en"):
            _note(run, job.run())
        run.outcome = Outcome.OK
    except JobFailed as error:
        _note(run, error.report)
        logger.warning("housekeeping, %s: %s", job.name, error)
    except Exception as error:  # the edge of a job: whatever went wrong is recorded, and the others have their turn
        run.result = _without_secrets(f"{type(error).__name__}: {error}")
        logger.error("housekeeping, %s:\n%s", job.name, _without_secrets("".join(traceback.format_exception(error))))
    finally:
        run.result = run.result.strip()[:_LONGEST_RESULT]
        run.finished_at = timezone.now()
        run.save(update_fields=["outcome", "result", "params", "finished_at"])
    return run


def _note(run: JobRun, report: Report) -> None:
    run.result, run.params = str(report), report.params


def _without_secrets(text: str) -> str:
    password = settings.DATABASES["default"].get("PASSWORD")
    return redact(text, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, settings.CPA_MANAGEMENT_KEY, password)
