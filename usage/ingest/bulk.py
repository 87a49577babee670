"""Books any number of rows at once, such as those of an import: exactly once, like every other way in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from django.db import connection, transaction

from usage.ingest import rollup
from usage.ingest.insertion import Inserted, Row, insert

# Larger ones are no faster.
BATCH = 50_000
# So many share a transaction, and are added to the sums at once. The other writers of SQLite wait for its end, about 0.6 s;
# on PostgreSQL those who book do, and each addition leaves a dead row behind for each sum of a day.
_BATCHES_AT_ONCE = {"sqlite": 1, "postgresql": 5}

Progress = Callable[[int], object]


def load(rows: Iterable[Row], progress: Progress = lambda count: None) -> int:
    """Book `rows` (values of insertion.COLUMNS, in any order), tell `progress` how many; return how many were new.

    What stops the load leaves whole transactions, of one BATCH or a few; another load of the same rows adds the rest.
    Raises IntegrityError where one of a batch points to a row that is not there.
    """
    new, left = 0, iter(rows)
    batches = iter(lambda: list(islice(left, BATCH)), [])
    while inserted := _load_together(islice(batches, _BATCHES_AT_ONCE[connection.vendor]), progress):
        new += sum(one.new for one in inserted)
    return new


def _load_together(batches: Iterator[list[Row]], progress: Progress) -> list[Inserted]:
    inserted = []
    with transaction.atomic():
        for batch in batches:
            inserted.append(insert(batch))
            progress(len(batch))
        if inserted:
            rollup.add_records(inserted[0].ids[0], inserted[-1].ids[1])
    return inserted
