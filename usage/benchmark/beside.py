"""How long answers take while others ask too, and records come in."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from usage.benchmark.cast import turn_to
from usage.benchmark.figures import Answer, Spread
from usage.benchmark.pages import Pages
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.models import Instance

_PATHS = (
    "/api/channels/?range=30d",
    "/api/usage/?range=30d&by=account",
    "/api/usage/series/?range=30d&by=channel",
    "/api/records/?range=30d",
)
# A reader looks at what came before going on.
_PAUSE_SECONDS = 2.0
_RECORDS_PER_SECOND = 50


def measure_beside(readers: int, seconds: float) -> list[Answer]:
    """Let `readers` read for so many seconds while a collector books 50 records a second; return how long they wait.

    The longest wait stands for the cold one.
    """
    upstream = Upstream(Traffic().lists())
    turn_to(upstream, Instance.Mode.AUTO)
    with _collected(upstream), Pages() as pages, pages.being_read(readers, _PATHS, _PAUSE_SECONDS) as taken:
        time.sleep(seconds)
    upstream.close()
    name = f"{readers} readers, a collector"
    answers = []
    for path in _PATHS:
        waits = [wait for asked, wait in taken if asked == path]
        answers.append(Answer(name, path, Spread.of(waits), round(max(waits) * 1_000, 1)))
    return answers


@contextmanager
def _collected(upstream: Upstream) -> Iterator[None]:
    stopping = threading.Event()
    emitting = threading.Thread(target=_emit, args=(upstream, stopping))
    collector = subprocess.Popen([sys.executable, "manage.py", "collect"])
    emitting.start()
    try:
        yield
    finally:
        stopping.set()
        emitting.join()
        collector.terminate()
        collector.wait()


def _emit(upstream: Upstream, stopping: threading.Event) -> None:
    traffic = Traffic()
    while not stopping.wait(1):
        upstream.give(traffic.record(timezone.now()) for _number in range(_RECORDS_PER_SECOND))
