"""`manage.py seed_demo`: an invented installation in which every state of the pages occurs."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from usage.demo.seeding import NAME, seed
from usage.models import Instance


class Command(BaseCommand):
    help = (
        "Fills an empty database with an invented server: 7 channels of 31 accounts, 24 models, 9 client keys, and "
        "failures, retries, gaps and damage of every kind; the same for the same seed and --now. Nothing answers at its "
        "address, so a collector that is started on it soon says that it is unreachable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--days", type=int, default=35, help="of records before --now")
        parser.add_argument("--records", type=int, default=20_000, help="about so many")
        parser.add_argument(
            "--now", type=_moment, default=None, metavar="TIME", help="with its UTC offset; otherwise the clock's"
        )

    def handle(self, *, days: int, records: int, now: datetime | None, **options: Any) -> None:
        if days < 1 or records < 1:
            raise CommandError(f"--days {days} --records {records}: at least 1 of each")
        if other := Instance.objects.first():
            raise CommandError(
                f"this database has the server {other}: the demo goes into an empty one, such as that of "
                "DATA_DIR=/tmp/demo manage.py migrate"
            )
        with tqdm(total=records, unit="records", disable=None) as bar:
            seed(options["seed"], days, records, now or timezone.now(), bar.update)
        self.stdout.write(f"{NAME} and its records are there; manage.py createsuperuser makes who may look at them.")


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None or moment.tzinfo is None:
        raise ValueError
    return moment
