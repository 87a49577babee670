"""How fast `reprice` compares and changes records, and whether a collector can book meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from resource import RUSAGE_CHILDREN, getrusage

from django.db import connection
from django.utils import timezone

from channels_app.stats import Conditions, Span, breakdown
from usage.benchmark.cast import turn_to
from usage.benchmark.end_to_end import booked
from usage.benchmark.figures import Figure, Repriced, Spread
from usage.benchmark.memory import peak_mb
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.ingest.grains import FOREVER
from usage.models import Instance, ModelName, ModelPrice

_EVER = "1970-01-01"
_LOOK_SECONDS = 0.02
# Together 50 records a second.
_RECORDS, _EVERY_SECONDS = 5, 0.1
_LEAST_DELAYS = 2
_STALLED_SECONDS = 60.0


def measure_repricing(records: int, load: Figure | None) -> Repriced:
    """Have the configured database, which holds so many records, compared as a whole; then double the price of its most
    used model and have that repriced beside a collector that books 50 records a second.
    """
    compared = _run(records, "compare all", ["--from", _EVER, "--dry-run"], _waiting())
    model, requests = _most_used()
    for price in ModelPrice.objects.filter(pattern=model):
        price.multiplier = Decimal(2) if price.multiplier == 1 else Decimal(1)
        price.save()
    delays = list[float]()
    with _collected() as upstream:
        giving = _giving(upstream, delays)
        changed = _run(requests, "compare and change", ["--from", _EVER, "--model", model], giving)
        while len(delays) < _LEAST_DELAYS:  # a small ledger is done sooner
            next(giving)
    return Repriced(connection.vendor, records, load, [compared, changed], Spread.of(delays))


def _run(records: int, name: str, arguments: Sequence[str], beside: Iterator[None]) -> Figure:
    """Time the command itself, with `beside` taking a turn now and then, and once it has ended to its own end."""
    start, busy, peak = time.perf_counter(), _busy_seconds(), 0
    process = subprocess.Popen([sys.executable, "manage.py", "reprice", *arguments], stdout=subprocess.DEVNULL)  # noqa: S603
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid) or 0)
        next(beside)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"reprice ended with status {process.returncode}")
    return Figure(name, records, seconds, peak or None, _busy_seconds() - busy)


def _busy_seconds() -> float:
    """Return for how long processes of ours that have ended kept a core busy."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _waiting() -> Iterator[None]:
    while True:
        time.sleep(_LOOK_SECONDS)
        yield


def _giving(upstream: Upstream, delays: list[float]) -> Iterator[None]:
    """Give 50 records a second, and note for each batch after how many seconds it was booked."""
    traffic, instance = Traffic(), Instance.objects.get()
    before, given, waiting = booked(instance), count(_RECORDS, _RECORDS), deque[tuple[float, int]]()
    last = 0.0
    while True:
        now = time.perf_counter()
        if now - last >= _EVERY_SECONDS:
            upstream.give(traffic.record(timezone.now()) for _number in range(_RECORDS))
            waiting.append((now, before + next(given)))
            last = now
        if waiting and now - waiting[0][0] > _STALLED_SECONDS:
            raise TimeoutError("the collector has booked nothing for a minute")
        done = booked(instance)
        while waiting and done >= waiting[0][1]:
            delays.append(time.perf_counter() - waiting.popleft()[0])
        time.sleep(_LOOK_SECONDS)
        yield


@contextmanager
def _collected() -> Iterator[Upstream]:
    """A server that is subscribed to, and a collector that has begun to book what it says."""
    upstream = Upstream(Traffic().lists())
    instance = turn_to(upstream, Instance.Mode.SUBSCRIBE)
    before = booked(instance)
    upstream.give([Traffic().record(timezone.now())])
    collector = subprocess.Popen([sys.executable, "manage.py", "collect"])
    end = time.monotonic() + _STALLED_SECONDS
    try:
        while booked(instance) == before:
            if time.monotonic() > end:
                raise TimeoutError("the collector has booked nothing for a minute")
            time.sleep(_LOOK_SECONDS)
        yield upstream
    finally:
        collector.terminate()
        collector.wait()
        upstream.close()


def _most_used() -> tuple[str, int]:
    """Return the name of the priced model with most requests, and how many these are."""
    names = dict(ModelName.objects.filter(name__in=ModelPrice.objects.values("pattern")).values_list("pk", "name"))
    found = breakdown(Span(0, FOREVER), Conditions(models=frozenset(names)), ["model"])
    (model,), usage = max(found.items(), key=lambda item: item[1].requests)
    return names[model or 0], usage.requests
