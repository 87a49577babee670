"""`manage.py prices_csv`: prices or multipliers to a CSV file and back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.prices.csv_file import BadCsv
from usage.prices.csv_import import Importer
from usage.prices.multiplier_csv import MULTIPLIERS
from usage.prices.price_csv import PRICES

_MOST_MISTAKES = 20


class Command(BaseCommand):
    help = (
        "Writes all prices, or multipliers, as CSV, or reads such a file: rows of the same conditions and time are changed, "
        "others added, none deleted. A file with a mistake changes nothing. Records keep their cost until `manage.py reprice`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("direction", choices=["export", "import"])
        parser.add_argument(
            "file", type=Path, nargs="?", help="to write or read; without one, standard output or input"
        )
        parser.add_argument("--multipliers", action="store_true", help="of accounts and channels, instead of prices")
        parser.add_argument("--dry-run", action="store_true", help="of an import: only tell what would change")

    def handle(self, *, direction: str, file: Path | None, multipliers: bool, dry_run: bool, **options: Any) -> None:
        importer = MULTIPLIERS if multipliers else PRICES
        try:
            if direction == "export":
                _export(importer, file)
            else:
                self._import(importer, file.read_bytes() if file else sys.stdin.buffer.read(), dry_run=dry_run)
        except OSError as error:
            raise CommandError(f"{file or '-'}: {error.strerror}") from None
        except BadCsv as error:
            raise CommandError(f"{error}. Nothing was changed.") from None

    def _import(self, importer: Importer, content: bytes, *, dry_run: bool) -> None:
        found = importer.prepare(content)
        if found.mistakes:
            raise CommandError("\n".join([*map(str, found.mistakes[:_MOST_MISTAKES]), _rest(len(found.mistakes))]))
        for row, columns in found.changed:
            words = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in columns.items())
            self.stdout.write(f"{row}: {words}")
        self.stdout.write(", ".join(f"{count} {name}" for name, count in found.counts.items()))
        written = 0 if dry_run else importer.write(found)
        self.stdout.write("Nothing is written." if dry_run else f"{written} rows written.")


def _export(importer: Importer, file: Path | None) -> None:
    content = "".join(importer.table.write(importer.rows.all())).encode()
    if file:
        file.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)


def _rest(mistakes: int) -> str:
    more = mistakes - _MOST_MISTAKES
    return (f"and {more} more. " if more > 0 else "") + "Nothing was changed."
