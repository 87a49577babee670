"""`manage.py benchmark`: how fast this machine takes records in, how fast it answers, and how fast it prices anew."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

import msgspec
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from tqdm import tqdm

from usage.benchmark.figures import Answers, Figure, Findings, Repriced, Views
from usage.benchmark.filling import fill, invented_records, is_empty
from usage.benchmark.scratch import scratch
from usage.models import Instance

_MODES = (Instance.Mode.QUEUE, Instance.Mode.SUBSCRIBE)
_RECORDS = {"ingest": 200_000, "questions": 1_000_000, "reprice": 1_000_000, "pages": 1_000_000}
# Those that ask an invented ledger, which may be kept.
_KEPT = ("questions", "reprice")
_FINDINGS: dict[str, type[Findings | Answers | Repriced | Views]] = {
    "ingest": Findings, "questions": Answers, "reprice": Repriced, "pages": Views,
}  # fmt: skip


class Command(BaseCommand):
    help = (
        "Measures this machine in an empty database of the configured engine, which it makes and removes. "
        "`ingest`: how fast records come in: a bare insert of their rows, reading them, reading and booking them, and the "
        "way from a socket through the collector into the database while pages are read. "
        "`questions`: how fast the ledger of a large team is loaded, and how long the answers to questions take on it. "
        "`reprice`: how fast all of that ledger is compared with its prices, and how fast the records of the most used model "
        "are changed beside a collector. `pages`: how long each view of the demo takes (see seed_demo)."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=list(_RECORDS))
        parser.add_argument("--records", type=int, help="200000 to take in, 1000000 for the others")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        parser.add_argument("--in-this-database", action="store_true", help=SUPPRESS)
        ingest = parser.add_argument_group("ingest")
        ingest.add_argument("--readers", type=int, default=4, help="people who ask for the channels every 5 s")
        ingest.add_argument("--mode", choices=_MODES, default=_MODES[0], help="how the collector takes the records")
        questions = parser.add_argument_group("questions")
        questions.add_argument(
            "--only", default="", metavar="TEXT", help="those that have this in their name and filters"
        )
        questions.add_argument("--no-raw", action="store_true", help="do not ask the records alone, which takes long")
        questions.add_argument("--beside", type=int, default=0, metavar="READERS", help="then also beside a collector")
        questions.add_argument("--seconds", type=float, default=60, help="how long these read")
        parser.add_argument(
            "--database", default="", metavar="URL",
            help="to ask or reprice: an empty one to fill and keep, or one that was kept before",
        )  # fmt: skip

    def handle(self, *, in_this_database: bool, **options: Any) -> None:
        options["records"] = options["records"] or _RECORDS[options["what"]]
        if in_this_database:
            self.stdout.write(msgspec.json.encode(_measure(**options)).decode())
            return
        findings = self._measure_in_scratch(**options)
        as_json = json.dumps(findings.as_dict(), indent=2)
        self.stdout.write(as_json if options["json"] else findings.as_text())

    def _measure_in_scratch(
        self, *, what: str, records: int, database: str, no_raw: bool, **options: Any
    ) -> Findings | Answers | Repriced | Views:
        """The settings of this process are fixed, so another one measures."""
        command = [sys.executable, "manage.py", "benchmark", what, "--in-this-database", "--records", str(records)]
        for name in ("readers", "mode", "only", "beside", "seconds"):
            command += [f"--{name}", str(options[name])]
        command += ["--no-raw"] if no_raw else []
        try:
            with scratch(database) as environment:
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603
        except DatabaseError as error:
            raise CommandError(f"no database can be made for the measurement: {error}") from None
        if done.returncode:
            raise CommandError("the measurement failed; why is written above")
        return msgspec.json.decode(done.stdout, type=_FINDINGS[what])


def _measure(*, what: str, **options: Any) -> Findings | Answers | Repriced | Views:
    kept = invented_records() if what in _KEPT else 0
    if not kept and not is_empty():
        raise CommandError("this database is not empty, and it would be filled with invented records")
    if what == "ingest":
        return _measure_ingest(**options)
    if what == "pages":
        return _measure_pages(**options)
    return _measure_answers(kept, **options) if what == "questions" else _measure_repricing(kept, **options)


def _measure_ingest(records: int, readers: int, mode: str, **options: Any) -> Findings:
    from usage.benchmark.ingest import measure

    with _bar("records", 4 * records) as bar:
        return measure(records, readers, Instance.Mode(mode), bar.update)


def _measure_answers(
    kept: int, records: int, only: str, no_raw: bool, beside: int, seconds: float, **options: Any
) -> Answers:
    from usage.benchmark.answers import measure
    from usage.benchmark.beside import measure_beside

    load = _filled(kept, records)
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name their files by contents
    with _bar("questions") as bar:
        found = measure(kept or records, load, only, bar.update, raw=not no_raw)
    if beside:
        found.answers += measure_beside(beside, seconds)
    return found


def _measure_pages(records: int, only: str, **options: Any) -> Views:
    from usage.benchmark.views import measure_views

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with _bar("records", records) as bar:
        return measure_views(records, only, bar.update)


def _measure_repricing(kept: int, records: int, **options: Any) -> Repriced:
    from usage.benchmark.repricing import measure_repricing

    load = _filled(kept, records)
    return measure_repricing(kept or records, load)


def _filled(kept: int, records: int) -> Figure | None:
    """Fill the database, unless it was filled before; return how fast that went."""
    call_command("migrate", verbosity=0)
    if kept:
        return None
    with _bar("records", records) as bar:
        return fill(records, bar.update)


def _bar(unit: str, total: int | None = None) -> tqdm:
    return tqdm(unit=f" {unit}", total=total, disable=not sys.stderr.isatty())
