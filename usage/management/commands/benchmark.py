"""`manage.py benchmark ingest`: how fast this machine takes records in."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from tqdm import tqdm

from usage.benchmark.figures import Findings
from usage.benchmark.scratch import scratch
from usage.models import Instance

_MODES = (Instance.Mode.QUEUE, Instance.Mode.SUBSCRIBE)


class Command(BaseCommand):
    help = (
        "Measures how fast records come in: a bare insert of their rows, reading them, reading and booking them, and the "
        "way from a socket through the collector into the database while pages are read. It works in an empty database "
        "of the configured engine, which it makes and removes."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["ingest"])
        parser.add_argument("--records", type=int, default=200_000)
        parser.add_argument("--readers", type=int, default=4, help="people who ask for the channels every 5 s")
        parser.add_argument("--mode", choices=_MODES, default=_MODES[0], help="how the collector takes the records")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--in-this-database", action="store_true", help=SUPPRESS)

    def handle(self, *, in_this_database: bool, **options: Any) -> None:
        if in_this_database:
            self._measure(**options)
            return
        findings = self._measure_in_scratch(**options)
        as_json = json.dumps(findings.as_dict(), indent=2)
        self.stdout.write(as_json if options["json"] else findings.as_text())

    def _measure_in_scratch(self, *, records: int, readers: int, mode: str, **options: Any) -> Findings:
        """The settings of this process are fixed, so another one measures."""
        command = [sys.executable, "manage.py", "benchmark", "ingest", "--in-this-database", "--mode", mode]
        command += ["--records", str(records), "--readers", str(readers)]
        try:
            with scratch() as environment:
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603
        except DatabaseError as error:
            raise CommandError(f"no database can be made for the measurement: {error}") from None
        if done.returncode:
            raise CommandError("the measurement failed; why is written above")
        return msgspec.json.decode(done.stdout, type=Findings)

    def _measure(self, *, records: int, readers: int, mode: str, **options: Any) -> None:
        if connection.introspection.table_names():
            raise CommandError("this database is not empty, and it would be filled with invented records")
        from usage.benchmark.ingest import measure

        with tqdm(unit=" records", total=4 * records, disable=not sys.stderr.isatty()) as bar:
            findings = measure(records, readers, Instance.Mode(mode), bar.update)
        self.stdout.write(msgspec.json.encode(findings).decode())
