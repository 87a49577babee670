"""`manage.py rebuild_rollups`: make the sums anew from the records, or prove that they are equal."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from usage.ingest import rollup
from usage.models.fields import from_micros


class Command(BaseCommand):
    help = (
        "Rebuilds the hourly and daily sums from the records. With --verify only compares; status 1 when they differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="compare, change nothing")

    def handle(self, *, verify: bool, **options: Any) -> None:
        if not verify:
            self.stdout.write(f"{rollup.rebuild()} rows rebuilt.")
            return
        differing = rollup.differences()
        for table, (bucket, *dimensions) in differing:
            start = f"{from_micros(bucket):%Y-%m-%d %H:00} UTC"
            self.stdout.write(f"{table}, {start}, {dimensions}: the sum differs from the records")
        if differing:
            raise SystemExit(1)
        self.stdout.write("The rollup equals the records.")
