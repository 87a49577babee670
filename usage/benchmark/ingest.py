"""How fast records come into an empty database: a bare insert, reading and booking alone, and through the collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from usage.benchmark.cast import introduce
from usage.benchmark.end_to_end import measure_end_to_end
from usage.benchmark.figures import Figure, Findings
from usage.benchmark.memory import peak_mb
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.ingest.captures import read_capture
from usage.ingest.grains import RECORDS
from usage.ingest.insertion import COLUMNS, Row
from usage.ingest.ledger import BATCH
from usage.ingest.spool import Kind, Spool
from usage.models import Instance

_RECORDS_PER_CAPTURE = 500
_BARE = "bare_records"
_NAMES = ", ".join(COLUMNS)

Progress = Callable[[int], None]


def measure(records: int, readers: int, mode: Instance.Mode, progress: Progress) -> Findings:
    """Measure in the configured database, which must be empty: it is filled. `progress` is told of records."""
    call_command("migrate", verbosity=0)
    traffic = Traffic()
    upstream = Upstream(traffic.lists())
    instance = introduce(upstream, mode)
    _fill_spool(instance, traffic.records(records, timezone.now()))
    decoded, booked = _decode(instance, records, progress), _book(instance, records, progress)
    bare = _insert_bare(progress)
    upstream.give(traffic.records(records, timezone.now()))
    through, visible, page = measure_end_to_end(instance, upstream, traffic, readers, progress)
    upstream.close()
    return Findings(connection.vendor, mode, readers, [bare, decoded, booked, through], visible, page)


def _fill_spool(instance: Instance, raws: Iterator[bytes]) -> None:
    while answer := list(islice(raws, _RECORDS_PER_CAPTURE)):
        Spool(instance.pk).keep(Kind.QUEUE, b"[" + b",".join(answer) + b"]")


def _decode(instance: Instance, records: int, progress: Progress) -> Figure:
    start = time.perf_counter()
    for capture in Spool(instance.pk).waiting():
        progress(sum(1 for _ in read_capture(capture)))
    return Figure("decode", records, time.perf_counter() - start, peak_mb())


def _book(instance: Instance, records: int, progress: Progress) -> Figure:
    """From the spool to committed rows and rollups, in one thread."""
    start = time.perf_counter()
    counts = Booker(Board(), progress).book(instance.pk)
    seconds = time.perf_counter() - start
    if counts.new != records:
        raise RuntimeError(f"of {records:,} records {counts.new:,} were booked")
    return Figure("decode and book", records, seconds, peak_mb())


def _insert_bare(progress: Progress) -> Figure:
    """Insert the rows that were booked into a table that has their columns, and the index of their identity alone."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {_BARE} AS SELECT {_NAMES} FROM {RECORDS} LIMIT 0")
        cursor.execute(f"CREATE UNIQUE INDEX bare_identity ON {_BARE} (requested_at, dedup_key)")
    seconds, records = 0.0, 0
    for rows in _booked_rows():
        start = time.perf_counter()
        _insert(rows)
        seconds += time.perf_counter() - start
        records += len(rows)
        progress(len(rows))
    return Figure("bare insert", records, seconds)


def _booked_rows() -> Iterator[list[Row]]:
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id, {_NAMES} FROM {RECORDS} WHERE id > %s ORDER BY id LIMIT {BATCH}", [last])
            rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield [row[1:] for row in rows]


def _insert(rows: list[Row]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {_BARE} ({_NAMES}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(f"INSERT INTO {_BARE} ({_NAMES}) VALUES ({places})", rows)
