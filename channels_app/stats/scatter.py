"""Single requests as points: all of them where they are few, else a sample that is the same each time (`ui.md` C8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple
from zlib import crc32

from channels_app.stats.conditions import NOTHING, Conditions, Span, listed, of_records, one_of
from channels_app.stats.database import database
from channels_app.stats.each_span import ends, of_each
from channels_app.stats.occurrences import hours_that_know, stretches
from channels_app.stats.remembering import once
from channels_app.stats.tables import aggregate
from usage.ingest.grains import FAILURES, HOUR, OF_RECORDS, RECORDS, SPEED, TOTAL
from usage.ingest.rollup import records_since

# What a point can be placed by, in terms of records: whole numbers, null where they are not told.
VALUES = {
    "time": "requested_at",
    "tokens": TOTAL,
    "input": "CAST(uncached_input AS BIGINT) + cache_read + cache_write",
    "output": "CAST(output AS BIGINT) + reasoning",
    "latency": "latency_ms",
    "ttft": "ttft_ms",
    "cost": "cost_nanousd",
    # Tenths of tokens a second, from the first token on (`ui.md` M24).
    "speed": SPEED,
}
# Of fewer requests each is read.
_MOST_READ = 20_000
# So many points are drawn, of which so many may be failures, and this part of all has the largest values.
MOST, _MOST_FAILED, _LARGEST = 3_000, 600, 0.01
# SQLite takes 500 parts of a query.
_HOURS_AT_ONCE = 250


class Point(NamedTuple):
    """`group` is the id of the dimension that colours it (None: unknown)."""

    id: int
    x: int
    y: int
    failed: bool
    group: int | None


class Sample(NamedTuple):
    """Some `points` of `matching` requests, of which each was looked at or (`is_sampled`) only some."""

    points: list[Point]
    matching: int
    is_sampled: bool


class Axes(NamedTuple):
    """Keys of VALUES, and the column of records or of sources that colours."""

    x: str
    y: str
    color: str


def sample(span: Span, conditions: Conditions, axes: Axes, narrowing: Sequence[str] = ()) -> Sample:
    """Return points of `span` that fulfil `conditions`, and besides `narrowing` (conditions in SQL).

    Every failure, the largest by y, then others by a hash of their ids; of many requests, some of each hour.
    """
    found = aggregate(span, conditions, (), ("requests", "failed"))
    requests, failed = found[0] if found else (0, 0)
    if not requests:
        return Sample([], 0, is_sampled=False)
    where = [f"{VALUES[axes.x]} IS NOT NULL", f"{VALUES[axes.y]} IS NOT NULL", *narrowing]
    if requests <= _MOST_READ:
        spans = [(*one, _MOST_READ) for one in ends(_all(span, conditions))]
        points = list(_points(spans, conditions, axes, where))
        return Sample(_chosen(points), len(points), is_sampled=False)
    failures = NOTHING if conditions.failed is False else replace(conditions, failed=True)
    successes = NOTHING if conditions.only_failed else replace(conditions, failed=False)
    points = [
        *_some(span, failures, axes, where, failed, min(failed, _MOST_FAILED)),
        *_some(span, successes, axes, where, requests - failed, MOST - min(failed, _MOST_FAILED)),
    ]
    return Sample(points, requests, is_sampled=True)


def _chosen(points: list[Point]) -> list[Point]:
    if len(points) <= MOST:
        return points
    failed = sorted((point for point in points if point.failed), key=_hash)[:_MOST_FAILED]
    others = sorted((point for point in points if not point.failed), key=lambda point: -point.y)
    largest = others[: int(_LARGEST * len(points))]
    rest = sorted(others[len(largest) :], key=_hash)
    return [*failed, *largest, *rest[: MOST - len(failed) - len(largest)]]


def _hash(point: Point) -> int:
    return crc32(str(point.id).encode())


def _all(span: Span, conditions: Conditions) -> Iterator[Span]:
    return chain.from_iterable(stretches(span, conditions, _MOST_READ, descending=False))


def _some(
    span: Span, conditions: Conditions, axes: Axes, where: Sequence[str], requests: int, wanted: int
) -> Iterator[Point]:
    """Yield about `wanted` points: of each hour as many as its part of all, from some moment of it on."""
    if not requests or not all(conditions.ids.values()):
        return
    taken, passed, pieces = 0, 0, list[tuple[int, int, int]]()
    for hour, count in _hours(span, conditions):
        passed += count
        of_hour = wanted * min(passed, requests) // requests - taken
        taken += of_hour
        if of_hour:
            free = HOUR * max(count - of_hour, 0) // count
            start = hour + crc32(str(hour).encode()) * free // 2**32
            pieces.append((max(start, span.since), min(hour + HOUR, span.until), of_hour))
    yield from _points(pieces, conditions, axes, where)


def _hours(span: Span, conditions: Conditions) -> list[tuple[int, int]]:
    """Return each hour that has such records, and how many it has in all."""
    grain = FAILURES if conditions.only_failed else hours_that_know(conditions)
    requests = "SUM(requests - failed)" if conditions.failed is False else "SUM(requests)"
    since = max(span.since, once(records_since))
    where = [f"bucket >= {since - since % HOUR}", f"bucket < {span.until}"]
    where += [f"{name} IN {listed(ids)}" for name, ids in conditions.ids.items()]
    where += [one_of(conditions.codes)] if conditions.codes else []
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, CAST({requests} AS BIGINT) FROM {grain.table} WHERE {' AND '.join(where)} "
            f"GROUP BY bucket HAVING {requests} > 0 ORDER BY bucket"
        )
        return list(cursor.fetchall())


def _points(
    spans: Sequence[tuple[int, ...]], conditions: Conditions, axes: Axes, where: Sequence[str]
) -> Iterator[Point]:
    """Yield the first of each span (since, until, and how many of it)."""
    columns = (
        f"{VALUES[axes.x]} AS x, {VALUES[axes.y]} AS y, failed, {OF_RECORDS.get(axes.color, 'source_id')} AS color"
    )
    where = [*of_records(conditions), *where]

    def of_one(within: str, limit: str) -> str:
        return f"SELECT id, {columns} FROM {RECORDS} WHERE {' AND '.join([within, *where])} ORDER BY requested_at LIMIT {limit}"

    for first in range(0, len(spans), _HOURS_AT_ONCE):
        query = of_each(spans[first : first + _HOURS_AT_ONCE], of_one)
        with database().cursor() as cursor:
            cursor.execute(query)
            yield from [Point(pk, x, y, bool(failed), color) for pk, x, y, failed, color in cursor.fetchall()]
