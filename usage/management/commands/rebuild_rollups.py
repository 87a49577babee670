"""`manage.py rebuild_rollups`: make sums and distributions anew from the records, or prove that they are equal."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from usage.ingest import attempts_check, distribution, peaks, rollup
from usage.management.days import span_of_days
from usage.models.fields import from_micros


class Command(BaseCommand):
    help = (
        "Rebuilds the sums and the distributions of latencies from the records, of all time or of some days, while "
        "collection goes on; the attempts of client requests follow with the next housekeeping. With --verify only "
        "compares all of them; status 1 when they differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="compare, change nothing")
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="the first day to rebuild")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="the last day to rebuild")

    def handle(self, *, verify: bool, first: str | None, last: str | None, **options: Any) -> None:
        if verify:
            self._verify()
            return
        since, until = span_of_days(first, last)
        distribution.rebuild(since, until)
        peaks.forget(since, until)
        self.stdout.write(f"{rollup.rebuild(since, until)} rows rebuilt.")

    def _verify(self) -> None:
        differing = rollup.differences()
        differing += [(distribution.TABLE, key) for _kind, key in distribution.differences()]
        differing += [(table, (hour,)) for table, hour in attempts_check.differences()]
        for table, (bucket, *dimensions) in differing:
            start = f"{from_micros(bucket):%Y-%m-%d %H:00} UTC"
            self.stdout.write(f"{table}, {start}, {dimensions}: the sum differs from the records")
        if differing:
            raise SystemExit(1)
        self.stdout.write("The rollup equals the records.")
