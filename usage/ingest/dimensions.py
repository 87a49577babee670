"""The small tables that records point to: looked up in memory, made when a record brings something new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from math import prod
from typing import Any, TypeVar

from django.db import models

Key = tuple[Any, ...]
Word = TypeVar("Word", bound=Hashable)

# Clients choose some of the words, and a collector lives for months: so many are remembered, about 3 MB.
_MOST_WORDS = 20_000
_MOST_COMBINATIONS = 1_000


class Dimension(dict[Word, int]):
    """Ids of the rows of one table, by the words in which records tell them.

    `spell` turns a word into the natural key in the table's `columns`. That may cost something, and is done once a word.
    """

    def __init__(self, model: type[models.Model], *columns: str, spell: Callable[[Word], Key]) -> None:
        self._model = model
        self._columns = columns
        self._spell = spell

    def ensure(self, words: Iterable[Word], describe: Callable[[Word], dict[str, Any]] = lambda word: {}) -> None:
        """Make all `words` known, adding the rows that are missing; `describe` gives further columns of a new row.

        This comes before the records' own transaction, so that two writers never wait for each other in a circle. A row
        that then stays unused does no harm.
        """
        if len(self) > _MOST_WORDS:
            self.clear()
        spelled = {word: self._spell(word) for word in set(words) - self.keys()}
        examples = {key: word for word, key in spelled.items()}
        ids = self._load(examples.keys())
        missing = sorted(examples.keys() - ids.keys())
        if missing:
            rows = [self._new_row(key, describe(examples[key])) for key in missing]
            self._model._default_manager.bulk_create(rows, ignore_conflicts=True)
            ids |= self._load(missing)
        self.update({word: ids[key] for word, key in spelled.items()})

    def _new_row(self, key: Key, described: Mapping[str, Any]) -> models.Model:
        return self._model(**dict(zip(self._columns, key, strict=True)), **described)

    def _load(self, keys: Collection[Key]) -> dict[Key, int]:
        if not keys:
            return {}
        columns = zip(*keys, strict=True)
        choices = {f"{name}__in": set(values) for name, values in zip(self._columns, columns, strict=True)}
        if prod(map(len, choices.values())) > _MOST_COMBINATIONS:
            # A database may look for each combination; then the column that tells most apart is enough.
            choices = dict([max(choices.items(), key=lambda choice: len(choice[1]))])
        rows = self._model._default_manager.filter(**choices).values_list("pk", *self._columns)
        found = {tuple(bytes(part) if isinstance(part, memoryview) else part for part in key): pk for pk, *key in rows}
        return {key: found[key] for key in keys if key in found}


def clean(text: str | None, limit: int) -> str:
    """Return `text` as every engine can store it: without NUL and lone surrogates, `limit` characters at most."""
    if not text:
        return ""
    text = text[:limit]
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()
