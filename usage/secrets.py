"""Secrets never stand in the database: keys become a keyed digest and a mask, management keys are encrypted.

All of it hangs on `SECRET_KEY`. When that changes, put the old one into `SECRET_KEY_FALLBACKS`: digests always use the
oldest key, so that a client key keeps its identity; encryption uses the newest and still reads the older ones.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext_noop as _

DIGEST_BYTES = 16


class UnreadableSecret(ValueError):
    """A stored secret was encrypted under a SECRET_KEY that we no longer have."""


def digest(secret: str) -> bytes:
    """Return the 16-byte keyed digest that stands for `secret`: equal secrets match, none can be guessed back."""
    return hashlib.blake2b(secret.encode(), key=_derived(_keys()[-1], b"digest"), digest_size=DIGEST_BYTES).digest()


def mask(secret: str) -> str:
    """Return what people see of a key: first four and last four; of one under 16 characters nothing."""
    return f"{secret[:4]}...{secret[-4:]}" if len(secret) >= 16 else "••••" if secret else ""


def encrypt(secret: str) -> str:
    return _fernet(_keys()).encrypt(secret.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _fernet(_keys()).decrypt(token.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret(
            _(
                "a stored secret cannot be read: it was encrypted under another SECRET_KEY; "
                "add the former key to SECRET_KEY_FALLBACKS or enter the secret again"
            )
        ) from None


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _derived(key: str, purpose: bytes) -> bytes:
    return hashlib.blake2b(key.encode(), person=purpose, digest_size=32).digest()


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key, b"encrypt"))) for key in keys])
