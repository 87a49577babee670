"""Names that may stand in an address."""

from __future__ import annotations

from django.db import models

# The pages' own word for records that match no channel.
_RESERVED = {"unknown"}


def free_slug(model: type[models.Model], stem: str) -> str:
    """Return `stem`, or with a number behind it, so that no other row of `model` has it as its slug."""
    stem = stem[:90]
    taken = _RESERVED | set(model._default_manager.filter(slug__startswith=stem).values_list("slug", flat=True))
    candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(slug for slug in candidates if slug not in taken)
