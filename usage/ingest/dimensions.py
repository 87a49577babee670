"""The small tables that records point to: looked up in memory, made when a record brings something new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

Key = tuple[Any, ...]


class Dimension:
    """Ids of the rows of one table by the natural key in its `columns`."""

    def __init__(self, model: type[models.Model], *columns: str) -> None:
        self._model = model
        self._columns = columns
        self._ids: dict[Key, int] = {}

    def __getitem__(self, key: Key) -> int:
        return self._ids[key]

    def ensure(self, keys: Iterable[Key], describe: Callable[[Key], dict[str, Any]] = lambda key: {}) -> None:
        """Make all `keys` known, adding the rows that are missing; `describe` gives further columns of a new row.

        This comes before the records' own transaction, so that two writers never wait for each other in a circle. A row
        that then stays unused does no harm.
        """
        new = sorted(set(keys) - self._ids.keys())
        self._load(new)
        missing = [key for key in new if key not in self._ids]
        if missing:
            rows = [self._model(**dict(zip(self._columns, key, strict=True)), **describe(key)) for key in missing]
            self._model._default_manager.bulk_create(rows, ignore_conflicts=True)
            self._load(missing)

    def _load(self, keys: list[Key]) -> None:
        if not keys:
            return
        choices = {f"{column}__in": {key[at] for key in keys} for at, column in enumerate(self._columns)}
        for pk, *key in self._model._default_manager.filter(**choices).values_list("pk", *self._columns):
            self._ids[tuple(bytes(part) if isinstance(part, memoryview) else part for part in key)] = pk


def clean(text: str | None, limit: int) -> str:
    """Return `text` as every engine can store it: without NUL and lone surrogates, `limit` characters at most."""
    if not text:
        return ""
    return text[:limit].replace("\0", "").encode("utf-8", "replace").decode()
