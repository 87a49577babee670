"""`manage.py prune`: delete old records, and keep their sums."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from usage.ingest.pruning import prunable, prune


class Command(BaseCommand):
    help = (
        "Deletes the records of the days that ended more than N days ago. The sums by hour and day stay, so that every "
        "question goes on being answered; lists of records, and times within an hour, begin with what is kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, metavar="N", help="how long records are kept")
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, *, days: int, dry_run: bool, **options: Any) -> None:
        if days < 1:
            raise CommandError(f"--days {days}: records are kept for a day at least")
        until = timezone.now() - timedelta(days=days)
        if dry_run:
            self.stdout.write(f"{prunable(until)} records would be deleted.")
        else:
            self.stdout.write(f"{prune(until)} records deleted; their sums stay.")
