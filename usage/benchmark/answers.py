"""How long the answers to questions take on a large ledger, warm and cold, and beside the same from records alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

from django.db import connection

from channels_app.stats import percentiles, tables
from config.gunicorn import post_worker_init
from usage.benchmark.figures import Answer, Answers, Figure, Spread
from usage.benchmark.questions import Case, cases
from usage.models import UsageRecord
from usage.storage import database_bytes

_WARM, _COLD = 20, 3
# Of what takes long, fewer measurements tell enough.
_LONG_SECONDS, _WARM_AT_LEAST = 3.0, 5
# The range for which a bar is set; of longer ones raw records take minutes.
_RAW_RANGE = "30d"

Progress = Callable[[int], object]


def measure(records: int, load: Figure | None, only: str, progress: Progress, *, raw: bool = True) -> Answers:
    """Ask the configured database, which holds so many records, all questions that have `only` in their name and filters.

    `raw` is whether to ask the records alone too.
    """
    settle()
    post_worker_init(None)  # as the pages' own processes
    now = UsageRecord.objects.latest("requested_at").requested_at
    answers = []
    for case in cases(now, only):
        answers.append(_measure(case, raw))
        progress(1)
    return Answers(connection.vendor, records, database_bytes() // records, load, answers)


def settle() -> None:
    """Bring the database into the state in which it is some minutes after a load."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE)")  # as autovacuum does
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _measure(case: Case, raw: bool) -> Answer:
    answer = case.ask()
    cold = [_cold(case) for _ in range(_COLD)]
    found = Answer(case.question, case.asked, Spread.of(list(_until_long(case))), _milliseconds(median(cold)))
    if raw and case.is_of_sums and case.parameters["range"] == _RAW_RANGE:
        with _records_alone():
            found.differs = case.ask() != answer and case.is_exact
            found.raw_ms = _milliseconds(_seconds(case))  # the records are in memory now
    return found


def _until_long(case: Case) -> Iterator[float]:
    end = time.perf_counter() + _LONG_SECONDS
    for number in range(_WARM):
        if number >= _WARM_AT_LEAST and time.perf_counter() > end:
            return
        yield _seconds(case)


def _seconds(case: Case) -> float:
    start = time.perf_counter()
    case.ask()
    return time.perf_counter() - start


def _cold(case: Case) -> float:
    """With a new connection and, of SQLite, a file that the system must read anew."""
    connection.close()
    if connection.vendor == "sqlite":
        _forget(Path(str(connection.settings_dict["NAME"])))
    connection.ensure_connection()
    return _seconds(case)


def _forget(path: Path) -> None:
    """Ask the system to drop what it keeps of a file in memory; some systems cannot."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1_000, 1)


@contextmanager
def _records_alone() -> Iterator[None]:
    """Answer as if there were no sums."""
    with (
        patch.object(tables, "_grains", return_value=()),
        patch.object(tables, "_quarter_hours", return_value=[]),
        patch.object(percentiles, "MOST_EXACT", 10**12),
    ):
        yield
