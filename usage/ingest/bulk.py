"""Books any number of rows at once, such as those of an import: exactly once, like every other way in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from django.db import transaction

from usage.ingest import rollup
from usage.ingest.insertion import Row, insert

# Larger ones are no faster, and the other writers of SQLite wait for the end of one: about 0.6 s.
BATCH = 50_000

Progress = Callable[[int], object]


def load(rows: Iterable[Row], progress: Progress = lambda count: None) -> int:
    """Book `rows` (values of insertion.COLUMNS, in any order), tell `progress` how many; return how many were new.

    Each BATCH is a transaction of its own: what stops the load leaves whole batches, and another load of the same rows
    adds the rest. Raises IntegrityError where one of a batch points to a row that is not there.
    """
    new, left = 0, iter(rows)
    while batch := list(islice(left, BATCH)):
        with transaction.atomic():
            inserted = insert(batch)
            rollup.add_records(*inserted.ids)
        new += inserted.new
        progress(len(batch))
    return new
