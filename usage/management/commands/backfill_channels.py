"""`manage.py backfill_channels`: name the channels and accounts of records that came before their names."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from usage.collection import refresh_names
from usage.ingest.sources import heal
from usage.models import Instance


class Command(BaseCommand):
    help = (
        "Fetches the names of accounts and keys, and resolves sources that matched nothing. "
        "Ends with status 1 when a server could not be asked; what is known is applied all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="use the names known so far, ask no server")

    def handle(self, *, offline: bool, **options: Any) -> None:
        failed = False
        for instance in Instance.objects.filter(enabled=True):
            (sources, records), error = (heal(instance), "") if offline else refresh_names(instance)
            self.stdout.write(f"{instance.name}: {sources} sources resolved, {records} records named")
            if error:
                failed = True
                self.stderr.write(f"{instance.name}: {error}")
        if failed:
            raise SystemExit(1)
