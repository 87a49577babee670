"""Fills an empty database with the invented ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from django.db import connection
from django.utils import timezone

from usage.benchmark.cast import NAME, assemble, introduce
from usage.benchmark.figures import Figure
from usage.benchmark.ledger import LedgerTraffic
from usage.benchmark.memory import peak_mb
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.ingest import attempts, distribution
from usage.ingest.bulk import load
from usage.ingest.compaction import compact
from usage.ingest.insertion import Row
from usage.models import Instance, UsageRecord
from usage.models.fields import to_micros

Progress = Callable[[int], object]

_ROWS_AT_ONCE = 1_000


def fill(records: int, progress: Progress = lambda count: None) -> Figure:
    """Load so many records into the configured database; return how fast that went, without the making of their rows."""
    traffic, now = Traffic(), timezone.now()
    upstream = Upstream(traffic.lists())
    cast = assemble(introduce(upstream), traffic, now)
    upstream.close()
    rows = _Making(LedgerTraffic(cast).rows(records, to_micros(now)))
    start = time.perf_counter()
    load(rows, progress)
    seconds = time.perf_counter() - start - rows.seconds
    distribution.fold(1)  # this and the next as the housekeeping does
    compact(to_micros(now))
    attempts.derive()
    return Figure("bulk load", records, seconds, peak_mb())


class _Making:
    """Rows, and how long it took to make them."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.seconds = 0.0
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        while rows := self._some():
            yield from rows

    def _some(self) -> list[Row]:
        start = time.perf_counter()
        rows = list(islice(self._rows, _ROWS_AT_ONCE))
        self.seconds += time.perf_counter() - start
        return rows


def is_empty() -> bool:
    return not connection.introspection.table_names()


def invented_records() -> int:
    """Return how many records the configured database holds that were made here; 0 where it is not one of ours."""
    if is_empty() or set(Instance.objects.values_list("name", flat=True)) != {NAME}:
        return 0
    return UsageRecord.objects.count()
