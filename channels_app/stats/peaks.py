"""The busiest minute of a span (`ui.md` M20, M21): of the requests that began in it, and of their tokens.

What is asked of one channel, source, model or key, or of failures or one status of theirs, stored peaks tell. What is asked of several at once they only bound: then
the hours that may hold more are read from the records, the most promising first, until none is left or enough was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from channels_app.stats.conditions import EVERYTHING, Conditions, Span, listed, of_records, one_of
from channels_app.stats.database import database
from channels_app.stats.each_span import ends, of_each
from channels_app.stats.occurrences import hours_that_know
from channels_app.stats.remembering import once
from channels_app.stats.tables import PARTS_PER_QUERY
from usage.ingest.attempts import stale_stretches
from usage.ingest.grains import FAILURES, HOUR, RECORDS, TOTAL
from usage.ingest.peaks import MINUTE, TABLE, Kind, grain_of
from usage.ingest.rollup import records_since
from usage.models import Source

# So many records for each of both peaks: together they take SQLite some 60 ms at most.
_MOST_READ = 15_000
# So many hours are looked up in the sums at first.
_FIRST_COUNTED = 48
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
Target = tuple[int, int]


class _Row(NamedTuple):
    """A stored peak of requests and of tokens; where there is no moment, the value is a bound."""

    target: Target
    start: int
    width: int
    values: tuple[int, int]
    moments: tuple[int | None, int | None]


class Cover(NamedTuple):
    """Targets that hold all that is asked; and nothing else, where it `is_exact`."""

    targets: list[Target]
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
    for cover in _cheapest(covers(conditions)):
        rows = _rows(span, cover.targets)
        if cover.is_exact:
            _offer(found, span, rows)
        bounds.append(_by_hour(rows))
    hours = _least(bounds)
    for first, end in stale:
        hours |= dict.fromkeys(range(first, end, HOUR), (_UNKNOWN, _UNKNOWN))
    within = {hour: bound for hour, bound in hours.items() if span.since < hour + HOUR and hour < span.until}
    _Search(found, span, conditions, within).run()
    return found


def _cheapest(some: list[Cover]) -> list[Cover]:
    """Where one target alone tells, the others bound what is known."""
    alone = [cover for cover in some if cover.is_exact and len(cover.targets) == 1]
    return alone[:1] or some


def covers(conditions: Conditions) -> list[Cover]:
    restricted = conditions.ids
    is_exact = len(restricted) <= 1 and conditions.failed is None and not conditions.codes
    found = [Cover([(Kind.ALL, 0)], is_exact and not restricted)]
    if conditions.sources is not None:
        found += [Cover(targets, is_exact) for targets in groups_of(conditions.sources)]
    for kind, ids in ((Kind.MODEL, conditions.models), (Kind.KEY, conditions.api_keys)):
        if ids is not None:
            found.append(Cover([(kind, one) for one in ids], is_exact))
    if conditions.only_failed:
        codes = [code for first, last in conditions.codes for code in range(first, last + 1)]
        found.append(Cover([(Kind.STATUS, code) for code in codes] or [(Kind.FAILED, 0)], not restricted))
    return found


def groups_of(asked: Collection[int]) -> Iterator[list[Target]]:
    """Yield whole channels, and whole servers, with the single sources that are left over."""
    placed = Source.objects.using(database().alias).filter(peaks_channel_id__isnull=False)
    for kind, column in ((Kind.CHANNEL, "peaks_channel_id"), (Kind.SERVER, "instance_id")):
        groups = defaultdict[int, set[int]](set)
        for source, group in placed.values_list("pk", column):
            groups[group].add(source)
        whole = [(kind, group) for group, sources in groups.items() if sources <= set(asked)]
        left = set(asked).difference(*(groups[group] for _kind, group in whole))
        yield [*whole, *((Kind.SOURCE, source) for source in left)]


def _rows(span: Span, targets: Sequence[Target]) -> list[_Row]:
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
            for width, kind, target, start, requests, tokens, requests_at, tokens_at in cursor.fetchall()
        ]


def _offer(found: Peaks, span: Span, rows: Sequence[_Row]) -> None:
    """Take the peaks of hours and days of which one target alone tells."""
    telling = defaultdict[int, set[Target]](set)
    for row in rows:
        for hour in _hours(row.start, row.width):
            telling[hour].add(row.target)
    for row in rows:
        if all(len(telling[hour]) == 1 for hour in _hours(row.start, row.width)):
            for peak, value, at in zip(found, row.values, row.moments, strict=True):
                if at is not None and span.since <= at <= span.until - MINUTE:
                    peak.offer(value, at)


def _by_hour(rows: Iterable[_Row]) -> _Bounds:
    """Add up what all targets have at most: a minute lies in one hour, and in one day."""
    sums = defaultdict[int, dict[int, tuple[int, int]]](dict)
    for row in rows:
        requests, tokens = sums[row.width].get(row.start, (0, 0))
        sums[row.width][row.start] = requests + row.values[0], tokens + row.values[1]
    bounds: _Bounds = {}
    for width, intervals in sums.items():
        highest: _Bounds = {}
        for start, (requests, tokens) in intervals.items():
            for hour in _hours(start, width):
                most = highest.get(hour, (0, 0))
                highest[hour] = max(most[0], requests), max(most[1], tokens)
        for hour, (requests, tokens) in highest.items():
            before = bounds.get(hour, (0, 0))
            bounds[hour] = before[0] + requests, before[1] + tokens
    return bounds


def _hours(start: int, width: int) -> range:
    """All that have a part in an interval: the days of some zones begin within an hour."""
    return range(start - start % HOUR, start + width, HOUR)


def _least(bounds: Sequence[_Bounds]) -> _Bounds:
    first, *others = bounds
    hours = set(first).intersection(*others)
    return {hour: (min(one[hour][0] for one in bounds), min(one[hour][1] for one in bounds)) for hour in hours}


class _Search:
    """Reads hours whose bounds exceed what was found, the most promising first, until there are none or enough was read."""

    def __init__(self, found: Peaks, span: Span, conditions: Conditions, bounds: _Bounds) -> None:
        self._found, self._span, self._conditions, self._bounds = found, span, conditions, bounds
        self._looked_up = set[int]()
        self._counted: _Bounds = {}  # of records that fulfil the conditions
        self._records: dict[int, int] = {}  # to read
        self._seen = set[int]()
        self._skipped: tuple[list[int], list[int]] = ([], [])
        self._pruned_until = once(records_since)

    def run(self) -> None:
        for which in range(len(self._found)):
            left = _MOST_READ
            for hours in self._promising(list(self._bounds), which, _FIRST_COUNTED):
                self._count(hours)
                counted = [hour for hour in hours if hour in self._counted]
                # Few hours are read in vain, and a query for each would take longer than what it reads.
                for some in self._promising(counted, which, 1):
                    left = self._read(some, which, left)
        for which, peak in enumerate(self._found):
            peak.is_exact = not any(self._may_have_more(hour, which) for hour in self._skipped[which])

    def _promising(self, hours: list[int], which: int, at_once: int) -> Iterator[list[int]]:
        """Yield those that may have more, ever more of them at once."""
        ordered = iter(sorted(hours, key=lambda hour: (self._bound(hour)[which], hour), reverse=True))
        while some := [hour for hour in islice(ordered, at_once) if self._may_have_more(hour, which)]:
            yield some
            at_once *= 2

    def _may_have_more(self, hour: int, which: int) -> bool:
        peak = self._found[which]
        return peak.at is None or self._bound(hour)[which] > peak.value

    def _bound(self, hour: int) -> tuple[int, int]:
        """What is known of the whole hour bounds its minutes too, and exactly where that is little."""
        bound = self._bounds[hour]
        requests, tokens = self._counted.get(hour, bound)
        return min(bound[0], requests), min(bound[1], tokens)

    def _count(self, hours: list[int]) -> None:
        more = [hour for hour in hours if hour not in self._looked_up]
        self._looked_up.update(more)
        counted = _counted(more, self._conditions)
        self._counted |= counted
        read = counted if self._conditions.only_failed else _counted(more, EVERYTHING)
        self._records |= {hour: requests for hour, (requests, _tokens) in read.items()}

    def _read(self, hours: list[int], which: int, left: int) -> int:
        """Return how many records more may be read."""
        affordable = list[int]()
        for hour in hours:
            is_first = self._found[which].at is None and not affordable
            if hour < self._pruned_until or (self._records[hour] > left and not is_first):
                self._skipped[which].append(hour)
            elif hour not in self._seen:
                self._seen.add(hour)
                left -= self._records[hour]
                affordable.append(hour)
        span = self._span
        spans = [Span(max(hour, span.since), min(hour + HOUR, span.until)) for hour in affordable]
        _read(self._found, spans, self._conditions)
        return left


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
        return {hour: (count, tokens) for hour, count, tokens in cursor.fetchall()}


def _read(found: Peaks, spans: Sequence[Span], conditions: Conditions) -> None:
    """No two spans have a part in the same minute."""
    for first in range(0, len(spans), PARTS_PER_QUERY):
        query = of_each(
            ends(spans[first : first + PARTS_PER_QUERY]),
            lambda within: (
                f"SELECT requested_at / {MINUTE} * {MINUTE}, COUNT(*), CAST(SUM({TOTAL}) AS BIGINT) FROM {RECORDS} "
                f"WHERE {' AND '.join([within, *of_records(conditions)])} GROUP BY 1"
            ),
        )
        with database().cursor() as cursor:
            cursor.execute(query)
            for at, *figures in cursor.fetchall():
                for peak, figure in zip(found, figures, strict=True):
                    peak.offer(figure, at)
