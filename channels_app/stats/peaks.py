"""The busiest minute of a span (`ui.md` M20, M21): of the requests that began in it, and of their tokens.

What is asked of one channel, source, model or key, stored peaks tell. What is asked of several at once they only bound: then
the hours that may hold more are read from the records, the most promising first, until none is left or enough was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from channels_app.stats.database import database
from channels_app.stats.occurrences import hours_that_know
from channels_app.stats.tables import EVERYTHING, Conditions, Span, listed, of_records, one_of
from usage.ingest.attempts import stale_stretches
from usage.ingest.peaks import MINUTE, TABLE, Kind, grain_of
from usage.ingest.rollup import FAILURES, HOUR, RECORDS, TOTAL, records_since
from usage.models import Source

# So many records for each of both peaks: together they take SQLite some 60 ms.
_MOST_READ = 30_000
_UNKNOWN = 2**63 - 1


@dataclass(slots=True)
class Peak:
    """The most that was in one minute, and which that was (microseconds since 1970 UTC; None: there was nothing).

    Unless it `is_exact`, some other minute may have more.
    """

    value: int = 0
    at: int | None = None
    is_exact: bool = True

    def offer(self, value: int, at: int) -> None:
        """Take the larger one; of equals the earlier."""
        if self.at is None or value > self.value or (value == self.value and at < self.at):
            self.value, self.at = value, at


class Peaks(NamedTuple):
    requests: Peak
    tokens: Peak


# Kind, and id.
_Target = tuple[int, int]


class _Row(NamedTuple):
    """A stored peak of requests and of tokens; where there is no moment, the value is a bound."""

    target: _Target
    start: int
    width: int
    values: tuple[int, int]
    moments: tuple[int | None, int | None]

    @property
    def hours(self) -> range:
        """All that have a part in it: the days of some zones begin within an hour."""
        return range(self.start - self.start % HOUR, self.start + self.width, HOUR)


class _Cover(NamedTuple):
    """Targets that hold all that is asked; and nothing else, where it `is_exact`."""

    targets: list[_Target]
    is_exact: bool


# By the start of each hour: no minute of it has more requests, or tokens, than these.
_Bounds = dict[int, tuple[int, int]]


def peaks(span: Span, conditions: Conditions) -> Peaks:
    """Return the busiest minutes of what fulfils `conditions` in `span`."""
    found = Peaks(Peak(), Peak())
    if not all(conditions.ids.values()) or span.since >= span.until:
        return found
    # First: what is derived meanwhile is then in both.
    stale = stale_stretches(span.since - HOUR + 1, span.until, database().alias)
    bounds = []
    for cover in _covers(conditions):
        rows = _rows(span, cover.targets)
        if cover.is_exact:
            _offer(found, span, rows)
        bounds.append(_by_hour(rows))
    hours = _least(bounds)
    for first, end in stale:
        hours |= dict.fromkeys(range(first, end, HOUR), (_UNKNOWN, _UNKNOWN))
    within = {hour: bound for hour, bound in hours.items() if span.since < hour + HOUR and hour < span.until}
    _search(found, span, conditions, within)
    return found


def _covers(conditions: Conditions) -> list[_Cover]:
    restricted = conditions.ids
    is_exact = len(restricted) <= 1 and conditions.failed is None
    covers = [_Cover([(Kind.ALL, 0)], is_exact and not restricted)]
    if conditions.sources is not None:
        covers += [_Cover(targets, is_exact) for targets in _groups_of(conditions.sources)]
    for kind, ids in ((Kind.MODEL, conditions.models), (Kind.KEY, conditions.api_keys)):
        if ids is not None:
            covers.append(_Cover([(kind, one) for one in ids], is_exact))
    return covers


def _groups_of(asked: Collection[int]) -> Iterator[list[_Target]]:
    """Yield whole channels, and whole servers, with the single sources that are left over."""
    placed = Source.objects.using(database().alias).filter(peaks_channel_id__isnull=False)
    for kind, column in ((Kind.CHANNEL, "peaks_channel_id"), (Kind.SERVER, "instance_id")):
        groups = defaultdict[int, set[int]](set)
        for source, group in placed.values_list("pk", column):
            groups[group].add(source)
        whole = [(kind, group) for group, sources in groups.items() if sources <= set(asked)]
        left = set(asked).difference(*(groups[group] for _kind, group in whole))
        yield [*whole, *((Kind.SOURCE, source) for source in left)]


def _rows(span: Span, targets: Sequence[_Target]) -> list[_Row]:
    """Return the rows of hours or days that have a part in `span`."""
    queries = []
    for kind in {kind for kind, _id in targets}:
        width, ids = grain_of(Kind(kind)).width, [one for of, one in targets if of == kind]
        queries.append(
            f"SELECT {width}, kind, target_id, bucket, requests, tokens, requests_at, tokens_at FROM {TABLE} "
            f"WHERE kind = {int(kind)} AND target_id IN {listed(ids)} "
            f"AND bucket > {span.since - width} AND bucket < {span.until}"
        )
    if not queries:
        return []
    with database().cursor() as cursor:
        cursor.execute(" UNION ALL ".join(queries))
        return [
            _Row((kind, target), start, width, (requests, tokens), (requests_at, tokens_at))
            for width, kind, target, start, requests, tokens, requests_at, tokens_at in cursor
        ]


def _offer(found: Peaks, span: Span, rows: Sequence[_Row]) -> None:
    """Take the peaks of hours and days of which one target alone tells."""
    telling = defaultdict[int, set[_Target]](set)
    for row in rows:
        for hour in row.hours:
            telling[hour].add(row.target)
    for row in rows:
        if all(len(telling[hour]) == 1 for hour in row.hours):
            for peak, value, at in zip(found, row.values, row.moments, strict=True):
                if at is not None and span.since <= at <= span.until - MINUTE:
                    peak.offer(value, at)


def _by_hour(rows: Iterable[_Row]) -> _Bounds:
    """Add up what each target has at most."""
    of_targets: dict[tuple[int, _Target], tuple[int, int]] = {}
    for row in rows:
        for hour in row.hours:
            requests, tokens = of_targets.get((hour, row.target), (0, 0))
            of_targets[hour, row.target] = max(requests, row.values[0]), max(tokens, row.values[1])
    bounds: _Bounds = {}
    for (hour, _target), (more_requests, more_tokens) in of_targets.items():
        requests, tokens = bounds.get(hour, (0, 0))
        bounds[hour] = requests + more_requests, tokens + more_tokens
    return bounds


def _least(bounds: Sequence[_Bounds]) -> _Bounds:
    first, *others = bounds
    hours = set(first).intersection(*others)
    return {hour: (min(one[hour][0] for one in bounds), min(one[hour][1] for one in bounds)) for hour in hours}


def _search(found: Peaks, span: Span, conditions: Conditions, bounds: _Bounds) -> None:
    """Read hours whose bounds exceed what was found, until there are none, or too many."""
    # In these there may be more; what the sums know of an hour bounds its minutes too, and exactly where they are few.
    hours = [hour for hour, bound in bounds.items() if any(map(_exceeds, bound, found))]
    counted = _counted(hours, conditions)
    costs = counted if conditions.only_failed else _counted(hours, EVERYTHING)
    least = {
        hour: (min(bounds[hour][0], count), min(bounds[hour][1], tokens)) for hour, (count, tokens) in counted.items()
    }
    seen, pruned_until = set[int](), records_since(database().alias)
    for which, peak in enumerate(found):
        left = _MOST_READ
        for _bound, _count, hour in sorted(
            ((least[hour][which], counted[hour][which], hour) for hour in least), reverse=True
        ):
            if not _exceeds(least[hour][which], peak):
                break
            if hour < pruned_until or (peak.at is not None and costs[hour][0] > left):
                peak.is_exact = False
            elif hour not in seen:
                seen.add(hour)
                left -= costs[hour][0]
                _read(found, Span(max(hour, span.since), min(hour + HOUR, span.until)), conditions)


def _exceeds(bound: int, peak: Peak) -> bool:
    return bound > peak.value or peak.at is None


def _counted(hours: Collection[int], conditions: Conditions) -> dict[int, tuple[int, int]]:
    """Return the requests and the tokens of all these hours that have any."""
    if not hours:
        return {}
    grain = FAILURES if conditions.only_failed else hours_that_know(conditions)
    requests = "SUM(requests - failed)" if conditions.failed is False else "SUM(requests)"
    where = [f"{name} IN {listed(ids)}" for name, ids in {"bucket": hours, **conditions.ids}.items()]
    where += [one_of(conditions.codes)] if conditions.codes else []
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, CAST({requests} AS BIGINT), CAST(SUM({TOTAL}) AS BIGINT) FROM {grain.table} "
            f"WHERE {' AND '.join(where)} GROUP BY bucket HAVING {requests} > 0"
        )
        return {hour: (count, tokens) for hour, count, tokens in cursor}


def _read(found: Peaks, span: Span, conditions: Conditions) -> None:
    where = [f"requested_at >= {span.since}", f"requested_at < {span.until}", *of_records(conditions)]
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT requested_at / {MINUTE} * {MINUTE}, COUNT(*), CAST(SUM({TOTAL}) AS BIGINT) FROM {RECORDS} "
            f"WHERE {' AND '.join(where)} GROUP BY 1"
        )
        for at, *values in cursor:
            for peak, value in zip(found, values, strict=True):
                peak.offer(value, at)
