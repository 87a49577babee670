"""`manage.py sync`: take what every enabled server has, once."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from usage.collection import Outcome, sync_instance
from usage.instances import ensure_instance_from_settings
from usage.models import Instance

_COLUMNS = ("instance", "read", "new", "duplicate", "quarantined", "named", "priced")


class Command(BaseCommand):
    help = (
        "Probes each enabled CPA server, refreshes its names, and books its usage records. "
        "Ends with status 1 when a server could not be read, else 0."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instance", metavar="SLUG", help="only this server")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *, instance: str | None, json: bool, **options: Any) -> None:
        outcomes = self._sync(instance, show_progress=not json and sys.stderr.isatty())
        self.stdout.write(_as_json(outcomes) if json else _as_table(outcomes))
        if any(outcome.error for outcome in outcomes):
            raise SystemExit(1)

    def _sync(self, slug: str | None, *, show_progress: bool) -> list[Outcome]:
        ensure_instance_from_settings()
        instances = Instance.objects.filter(enabled=True)
        if slug:
            instances = instances.filter(slug=slug)
        if not instances:
            raise CommandError(_no_server(slug))
        with tqdm(unit=" records", disable=not show_progress) as bar:
            return [sync_instance(instance, bar.update) for instance in instances]


def _no_server(slug: str | None) -> str:
    known = ", ".join(Instance.objects.filter(enabled=True).values_list("slug", flat=True))
    if slug and known:
        return f"no enabled server is called {slug!r}; there are: {known}"
    return "no CPA server is set up; add one on the pages, or set CPA_BASE_URL and CPA_MANAGEMENT_KEY"


def _as_json(outcomes: list[Outcome]) -> str:
    return json.dumps([outcome.as_dict() for outcome in outcomes], ensure_ascii=False, indent=2)


def _as_table(outcomes: list[Outcome]) -> str:
    rows = [_COLUMNS, *(tuple(str(outcome.as_dict()[name]) for name in _COLUMNS) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    errors = [f"{outcome.instance}: {outcome.error}" for outcome in outcomes if outcome.error]
    return "\n".join(lines + errors)
