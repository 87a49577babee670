"""What cron runs (CRONJOBS): cron sees no failure of a job, so each run is recorded with its outcome."""

from __future__ import annotations

from django.utils import timezone

from usage.housekeeping.runner import run_due
from usage.models import JobRun


def housekeeping() -> None:
    run_due(JobRun.Driver.CRON, timezone.now())
