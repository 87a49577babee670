"""`manage.py create_api_token NAME`: a token for the REST API."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from knox.models import AuthToken


class Command(BaseCommand):
    help = "Prints a new API token of a user, once: only its digest is stored. Send it as `Authorization: Token ...`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *, username: str, **options: Any) -> None:
        users = get_user_model().objects
        user = users.filter(username=username).first()
        if user is None:
            known = ", ".join(users.values_list("username", flat=True)) or "none yet"
            raise CommandError(f"there is no user {username!r}; there are: {known}")
        _row, token = AuthToken.objects.create(user)
        self.stdout.write(token)
