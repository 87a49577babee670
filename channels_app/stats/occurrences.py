"""Where in time there are records that fulfil conditions, as the sums know it: days first, then their hours.

A list of what is rare need not read what is between, and the records need no index for each thing that may be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from channels_app.stats.conditions import EVERYTHING, Conditions, Span, listed, one_of
from channels_app.stats.database import database
from channels_app.stats.remembering import once
from channels_app.stats.tables import DAYS, HOURS
from usage.ingest.grains import FAILURES, HOUR, Grain
from usage.ingest.rollup import records_since

# So many at most are looked for at once.
_DAYS_AT_ONCE, _HOURS_AT_ONCE = 16, 256
# SQLite takes 500 parts of a query.
_SPANS_AT_ONCE = 250


class _Bucket(NamedTuple):
    start: int
    requests: int


def stretches(
    span: Span, conditions: Conditions, wanted: int, *, descending: bool, piecemeal: bool = False
) -> Iterator[list[Span]]:
    """Yield what of `span` to read, in this order of time: some at a time, about `wanted` records if it can be.

    Between and beyond them none fulfils `conditions`. Each list is in order too, and its spans do not touch. Where there
    is no condition, `span` comes whole, because whoever reads it stops by himself; `piecemeal`: then too some at a time.
    """
    if conditions == EVERYTHING and not piecemeal:
        yield [span]
        return
    if not all(conditions.ids.values()):
        return
    span = Span(max(span.since, once(records_since)), span.until)
    spans: list[Span] = []
    requests = 0
    for hour in _hours(span, conditions, descending):
        _append(spans, _within(hour, span))
        requests += hour.requests
        if requests >= wanted or len(spans) == _SPANS_AT_ONCE:
            yield spans
            spans, requests = [], 0
    if spans:
        yield spans


def _within(hour: _Bucket, span: Span) -> Span:
    return Span(max(hour.start, span.since), min(hour.start + HOUR, span.until))


def _append(spans: list[Span], span: Span) -> None:
    """Two hours in a row are one span."""
    last = spans[-1] if spans else None
    if last and last.until == span.since:
        spans[-1] = Span(last.since, span.until)
    elif last and last.since == span.until:
        spans[-1] = Span(span.since, last.until)
    else:
        spans.append(span)


def _hours(span: Span, conditions: Conditions, descending: bool) -> Iterator[_Bucket]:
    if conditions.only_failed:  # few enough to do without days
        for hours in _walk(FAILURES, span, conditions, descending, _HOURS_AT_ONCE):
            yield from hours
        return
    grain, before = _that_knows(conditions, DAYS), None
    for days in _walk(grain, span, conditions, descending, _DAYS_AT_ONCE):
        for hour in _hours_of(days, grain, span, conditions, descending):
            if hour.start != before:  # where days begin within an hour, it belongs to two of them
                yield hour
            before = hour.start


def _that_knows(conditions: Conditions, grains: Sequence[Grain]) -> Grain:
    """Where none knows all of a question, the one that knows most of it finds too many intervals, and misses none. Of
    those that know as much the smallest, which come first.
    """
    needed = set(conditions.ids)
    return max(grains, key=lambda grain: len(needed & set(grain.dimensions)))


def hours_that_know(conditions: Conditions) -> Grain:
    """Return the sums by hour that know these conditions (but for those of failures), the fewest that do."""
    return _that_knows(conditions, HOURS)


def _walk(grain: Grain, span: Span, conditions: Conditions, descending: bool, at_once: int) -> Iterator[list[_Bucket]]:
    """Yield the intervals that have such records; the longer it lasts, the more are asked for at once.

    Each by its start, so that an index whose first column that is can look up the others.
    """
    span = _overlap(span, grain)
    starts = range(grain.start_of(span.since), span.until, grain.width)
    count = 1
    while starts:
        some, starts = (starts[-count:], starts[:-count]) if descending else (starts[:count], starts[count:])
        if buckets := _ask(grain, some, conditions, descending):
            yield buckets
        count = min(count * 4, at_once)


def _overlap(span: Span, grain: Grain) -> Span:
    """Cut off what is before and after all sums."""
    with database().cursor() as cursor:
        cursor.execute(f"SELECT (SELECT MIN(bucket) FROM {grain.table}), (SELECT MAX(bucket) FROM {grain.table})")
        first, last = cursor.fetchone()
    return Span(0, 0) if first is None else Span(max(span.since, first), min(span.until, last + grain.width))


def _hours_of(
    days: Sequence[_Bucket], grain: Grain, span: Span, conditions: Conditions, descending: bool
) -> list[_Bucket]:
    starts = {
        start
        for day in days
        for start in range(day.start - day.start % HOUR, day.start + grain.width, HOUR)
        if span.since - HOUR < start < span.until
    }
    return _ask(hours_that_know(conditions), starts, conditions, descending) if starts else []


def _ask(grain: Grain, starts: Iterable[int], conditions: Conditions, descending: bool) -> list[_Bucket]:
    requests = "SUM(requests - failed)" if conditions.failed is False else "SUM(requests)"
    known = {name: ids for name, ids in conditions.ids.items() if name in grain.dimensions}
    where = [f"{name} IN {listed(ids)}" for name, ids in {"bucket": starts, **known}.items()]
    if conditions.codes:
        where.append(one_of(conditions.codes))
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, CAST({requests} AS BIGINT) FROM {grain.table} WHERE {' AND '.join(where)} "
            f"GROUP BY bucket HAVING {requests} > 0 ORDER BY bucket {'DESC' if descending else 'ASC'}"
        )
        return [_Bucket(*row) for row in cursor.fetchall()]
