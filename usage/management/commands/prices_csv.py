"""`manage.py prices_csv`: prices to a CSV file and back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.models import ModelPrice
from usage.prices import csv_file, csv_import
from usage.prices.csv_file import BadCsv

_MOST_MISTAKES = 20


class Command(BaseCommand):
    help = (
        "Writes all prices as CSV, or reads such a file: prices of the same model, conditions and time are changed, others "
        "added, none deleted. A file with a mistake changes nothing. Records keep their cost until `manage.py reprice`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("direction", choices=["export", "import"])
        parser.add_argument(
            "file", type=Path, nargs="?", help="to write or read; without one, standard output or input"
        )
        parser.add_argument("--dry-run", action="store_true", help="of an import: only tell what would change")

    def handle(self, *, direction: str, file: Path | None, dry_run: bool, **options: Any) -> None:
        try:
            if direction == "export":
                _export(file)
            else:
                self._import(file.read_bytes() if file else sys.stdin.buffer.read(), dry_run=dry_run)
        except OSError as error:
            raise CommandError(f"{file or '-'}: {error.strerror}") from None
        except BadCsv as error:
            raise CommandError(f"{error}. Nothing was changed.") from None

    def _import(self, content: bytes, *, dry_run: bool) -> None:
        found = csv_import.prepare(csv_file.read(content))
        if found.mistakes:
            raise CommandError("\n".join([*map(str, found.mistakes[:_MOST_MISTAKES]), _rest(len(found.mistakes))]))
        for price, columns in found.changed:
            words = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in columns.items())
            self.stdout.write(f"{price}: {words}")
        self.stdout.write(", ".join(f"{count} {name}" for name, count in found.counts.items()))
        written = 0 if dry_run else csv_import.write(found)
        self.stdout.write("Nothing is written." if dry_run else f"{written} prices written.")


def _export(file: Path | None) -> None:
    content = "".join(csv_file.write(ModelPrice.objects.select_related("channel"))).encode()
    if file:
        file.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)


def _rest(mistakes: int) -> str:
    more = mistakes - _MOST_MISTAKES
    return (f"and {more} more. " if more > 0 else "") + "Nothing was changed."
