"""The one-time link by which the operator, and nobody else who reaches the port, creates the administrator."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core import signing
from django.urls import reverse

_SALT = "setup.administrator"


def setup_path() -> str:
    """Return the path of a link that holds until there is an administrator."""
    return reverse("setup", args=[signing.dumps("administrator", salt=_SALT)])


def is_valid(token: str) -> bool:
    """Whether `token` was signed with our secret key, and there is no administrator yet."""
    try:
        signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return False
    return not administrator_exists()


def administrator_exists() -> bool:
    return get_user_model().objects.filter(is_superuser=True).exists()
