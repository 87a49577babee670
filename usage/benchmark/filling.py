"""Fills an empty database with the invented ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

from django.core.management import call_command
from django.utils import timezone

from usage.benchmark.cast import assemble, introduce
from usage.benchmark.figures import Figure
from usage.benchmark.ledger import LedgerTraffic
from usage.benchmark.memory import peak_mb
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.ingest.bulk import BATCH, load
from usage.models.fields import to_micros

Progress = Callable[[int], object]


def fill(records: int, progress: Progress = lambda count: None) -> Figure:
    """Migrate the configured database, and load so many records into it; return how fast that went without their making."""
    call_command("migrate", verbosity=0)
    traffic, now = Traffic(), timezone.now()
    upstream = Upstream(traffic.lists())
    cast = assemble(introduce(upstream), traffic, now)
    upstream.close()
    rows = LedgerTraffic(cast).rows(records, to_micros(now))
    seconds = 0.0
    while batch := list(islice(rows, BATCH)):
        start = time.perf_counter()
        load(batch, progress)
        seconds += time.perf_counter() - start
    return Figure("bulk load", records, seconds, peak_mb())
