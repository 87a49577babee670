"""`manage.py housekeeping`: what is done now and then, done now."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from usage.housekeeping.jobs import JOBS
from usage.housekeeping.runner import Standing, run_due, run_now, standings
from usage.models import JobRun

_BY_NAME = {job.name: job for job in JOBS}


class Command(BaseCommand):
    help = (
        "Runs the jobs that are due, or one job now. The collector does this by itself when it is idle, and cron does "
        "after `manage.py crontab add`. Ends with status 1 when a job failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--job", choices=_BY_NAME, help="run this one, due or not")
        what.add_argument("--list", action="store_true", help="tell the last run of each, run nothing")

    def handle(self, *, job: str | None, list: bool, **options: Any) -> None:
        if list:
            self.stdout.write("\n".join(map(_line, standings())))
            return
        runs = [_run(job)] if job else run_due(JobRun.Driver.COMMAND, timezone.now())
        for run in runs:
            self.stdout.write(f"{run.job}: {run.get_outcome_display()}, {run.text}")
        if not runs:
            self.stdout.write("Nothing is due.")
        if any(run.outcome == JobRun.Outcome.FAILED for run in runs):
            raise SystemExit(1)


def _run(name: str) -> JobRun:
    run = run_now(_BY_NAME[name], JobRun.Driver.COMMAND)
    if run is None:
        raise CommandError(f"{name} is being run by another process; `manage.py housekeeping --list` tells since when")
    return run


def _line(standing: Standing) -> str:
    last = standing.last
    past = f"{last.get_outcome_display()} {_time(last.started_at)} by {last.driver}" if last else "never run"
    line = f"{standing.job.name:8} {past}, next {_time(standing.due_at) if standing.due_at else 'at once'}"
    return f"{line}: {last.text}" if last and last.result else line


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
