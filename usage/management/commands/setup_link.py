"""`manage.py setup_link`: the link by which the administrator is created."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.setup.link import administrator_exists, setup_path


class Command(BaseCommand):
    help = "Prints the path of the link that creates the administrator; it holds until there is one."

    def handle(self, **options: Any) -> None:
        if administrator_exists():
            raise CommandError("there is an administrator; `manage.py changepassword NAME` sets a new password")
        self.stdout.write(setup_path())
