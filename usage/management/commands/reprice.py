"""`manage.py reprice`: give records the cost that they would have by the prices of now."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from usage.ingest.repricing import Change, Scope, Step, count, preview, reprice
from usage.management.days import span_of_days
from usage.models import ModelName
from usage.models.fields import from_micros

_NANO = Decimal(10) ** 9


class Command(BaseCommand):
    help = (
        "Recomputes the cost of records by the prices as they are now, each by the one in force at its time, and the sums "
        "with them, while collection goes on. Tells first what each model costs before and after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", required=True, help="the first day")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="the last day; until now without")
        parser.add_argument("--model", metavar="NAME", help="only records of this model")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would change")

    def handle(self, *, first: str, last: str | None, model: str | None, dry_run: bool, **options: Any) -> None:
        if model is not None and not ModelName.objects.filter(name=model).exists():
            raise CommandError(f"--model {model}: no record has this model; names are those of /api/usage/?by=model")
        scope = Scope(*span_of_days(first, last), None if model is None else [model])
        total = count(scope)
        changes = _add_up(_with_bar(preview(scope), total, "compared"))
        self._tell(changes, total)
        if not dry_run and any(change.changed for change in changes.values()):
            self._reprice(scope, total)

    def _tell(self, changes: dict[str, Change], total: int) -> None:
        for name, change in sorted(changes.items(), key=lambda item: -abs(item[1].after - item[1].before)):
            if change.changed:
                self.stdout.write(f"{name}: {_usd(change.before)} -> {_usd(change.after)}{_unpriced(change)}")
        before, after = (sum(getattr(one, side) for one in changes.values()) for side in ("before", "after"))
        changed = sum(change.changed for change in changes.values())
        self.stdout.write(f"{changed} of {total} records change: {_usd(before)} -> {_usd(after)}")

    def _reprice(self, scope: Scope, total: int) -> None:
        reached, changed = scope.since, 0
        try:
            for step in _with_bar(reprice(scope), total, "repriced"):
                reached = step.reached
                changed += sum(change.changed for change in step.changes.values())
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped: {changed} records repriced, all before {from_micros(reached):%Y-%m-%d %H:%M:%S} UTC; sums are "
                "equal to the records. Give the command again, from that day on, to do the rest."
            ) from None
        self.stdout.write(f"{changed} records repriced, and the sums with them.")


def _with_bar(steps: Iterable[Step], total: int, what: str) -> Iterable[Step]:
    with tqdm(unit=" records", desc=what, total=total, disable=not sys.stderr.isatty()) as bar:
        for step in steps:
            bar.update(step.records)
            yield step


def _add_up(steps: Iterable[Step]) -> dict[str, Change]:
    sums: dict[str, Change] = {}
    for step in steps:
        for name, change in step.changes.items():
            sums.setdefault(name, Change()).add(change)
    return sums


def _usd(nano: int) -> str:
    return f"${nano / _NANO:,.6f}"


def _unpriced(change: Change) -> str:
    if change.unpriced_before == change.unpriced_after == 0:
        return ""
    return f", unpriced records: {change.unpriced_before} -> {change.unpriced_after}"
