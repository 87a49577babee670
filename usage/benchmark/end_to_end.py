"""Measures the collector as it runs: from bytes on a socket to committed rows, while pages are read."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from usage.benchmark.figures import Figure, Spread
from usage.benchmark.memory import peak_mb
from usage.benchmark.pages import Pages
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.models import CollectionState, Instance

_LOOK_SECONDS = 0.02
_STALLED_SECONDS = 60.0
_PAGE = "/api/channels/?range=24h"
# Somebody who goes from page to page; one that lies open asks once a minute.
_PAUSE_OF_READERS_SECONDS = 5.0
# Records that come one by one, for as long as it takes that the housekeeping has its turn too.
_SINGLES, _PAUSE_SECONDS = 400, 0.25
_RECORDS_FOR_A_SINGLE = 500

Progress = Callable[[int], None]


def measure_end_to_end(
    instance: Instance, upstream: Upstream, traffic: Traffic, readers: int, progress: Progress
) -> tuple[Figure, Spread, Spread]:
    """Return how fast all that `upstream` holds is booked, how soon single records show, and how long pages take."""
    records, before = len(upstream), booked(instance)
    with Pages() as pages, pages.being_read(readers, [_PAGE], _PAUSE_OF_READERS_SECONDS) as taken:
        collector = subprocess.Popen([sys.executable, "manage.py", "collect"])
        try:
            _wait_for(instance, before + records, progress)
            seconds = time.perf_counter() - (upstream.first_taken_at or 0.0)
            visible_seconds = _watch_singles(
                pages, upstream, traffic, min(_SINGLES, records // _RECORDS_FOR_A_SINGLE + 1)
            )
        finally:
            peak = _end(collector)
    return (
        Figure("end to end", records, seconds, peak),
        Spread.of(visible_seconds),
        Spread.of([one for _page, one in taken]),
    )


def _wait_for(instance: Instance, wanted: int, progress: Progress) -> None:
    """Return when so many are booked. Raises TimeoutError where nothing comes any more."""
    seen, since = booked(instance), time.monotonic()
    while seen < wanted:
        time.sleep(_LOOK_SECONDS)
        now = booked(instance)
        if now > seen:
            progress(now - seen)
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > _STALLED_SECONDS:
            raise TimeoutError(f"the collector booked {seen:,} of {wanted:,} records, and none for a minute")


def booked(instance: Instance) -> int:
    """Return how many records of a server were booked since it is known."""
    return sum(CollectionState.objects.filter(instance=instance).values_list("booked", flat=True))


def _watch_singles(pages: Pages, upstream: Upstream, traffic: Traffic, count: int) -> list[float]:
    """Nothing else is of this span: the traffic before ended when it was made."""
    since = timezone.now()
    return pages.watch(
        since,
        since + timedelta(hours=1),
        lambda: upstream.give([traffic.record(timezone.now())]),
        count,
        _PAUSE_SECONDS,
    )


def _end(process: subprocess.Popen[bytes]) -> int | None:
    """End it in good order; return the most memory that it had."""
    peak = peak_mb(process.pid)
    process.terminate()
    process.wait()
    return peak
