"""How long answers took: percentiles of latency and of the time to the first token (ui.md M22 and M23).

Exact where the span has few records; else of bins that add up, from the coarsest distributions that can tell, and from
the records at the ragged ends and of those that came last.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from channels_app.stats.database import database
from channels_app.stats.questions import DIMENSIONS, OF_FAILURES, Group
from channels_app.stats.remembering import once
from channels_app.stats.tables import (
    EVERYTHING,
    OF_SOURCES,
    WITH_SOURCES,
    Conditions,
    Span,
    aggregate,
    cut,
    listed,
    of_records,
)
from usage.ingest.distribution import COUNTED, GRAINS, KINDS, MIDDLES, TABLE, at_rest, bin_of, decode
from usage.ingest.rollup import OF_RECORDS, RECORDS, Grain, records_since

# ui.md 6: so many are read one by one.
_MOST_EXACT = 50_000
_PIECES_PER_QUERY = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """How often each time came, in milliseconds; where it `is_rough`, times are the middles of bins."""

    counts: Mapping[int, int]
    is_rough: bool = False

    @property
    def samples(self) -> int:
        return sum(self.counts.values())

    def percentile(self, share: int) -> int | None:
        """Return the nearest-rank percentile in milliseconds: the least time that `share` per cent do not exceed."""
        rank, passed = max(math.ceil(self.samples * share / 100), 1), 0
        for milliseconds in sorted(self.counts):
            passed += self.counts[milliseconds]
            if passed >= rank:
                return milliseconds
        return None


@dataclass(frozen=True, slots=True)
class Timing:
    """Of what succeeded and generated."""

    latency: Spread
    ttft: Spread


_NEVER = Timing(Spread({}), Spread({}))
# Place of the span, and the values of the dimensions.
_Key = tuple[int | None, ...]


def timing(span: Span, conditions: Conditions) -> Timing:
    return timing_by(span, conditions, ()).get((), _NEVER)


def timing_by(span: Span, conditions: Conditions, by: Sequence[str]) -> dict[Group, Timing]:
    """Return timings for each combination of these DIMENSIONS that has any."""
    return {key[1:]: found for key, found in _ask((span.since, span.until), conditions, by).items()}


def timing_series(edges: Sequence[int], conditions: Conditions, by: Sequence[str] = ()) -> dict[Group, list[Timing]]:
    """Return timings of each interval between two `edges` (microseconds since 1970 UTC)."""
    lines: defaultdict[Group, list[Timing]] = defaultdict(lambda: [_NEVER] * (len(edges) - 1))
    for (place, *group), found in _ask(edges, conditions, by).items():
        lines[tuple(group)][place or 0] = found
    return dict(lines)


def _ask(edges: Sequence[int], conditions: Conditions, by: Sequence[str]) -> dict[_Key, Timing]:
    of_failures = conditions.only_failed or any(name in OF_FAILURES for name in by)
    if of_failures or not all(conditions.ids.values()) or edges[0] >= edges[-1]:
        return {}
    question = _Question(edges, conditions, [DIMENSIONS[name] for name in by])
    if edges[0] >= once(records_since) and _records_of(Span(edges[0], edges[-1])) <= _MOST_EXACT:
        return question.exact()
    return at_rest(question.rough, database().alias)


def _records_of(span: Span) -> int:
    return sum(requests for (requests,) in aggregate(span, EVERYTHING, (), ["requests"]))


class _Question:
    """Of the intervals between `edges`, by these columns of the tables."""

    def __init__(self, edges: Sequence[int], conditions: Conditions, by: Sequence[str]) -> None:
        self._edges = edges
        self._conditions = conditions
        self._by = by
        self._asked = tuple(dict.fromkeys("source_id" if name in OF_SOURCES else name for name in by))
        needed = {*self._asked, *conditions.ids}
        self._grains = _cheapest([grain for grain in GRAINS if needed <= set(grain.dimensions)])

    def exact(self) -> dict[_Key, Timing]:
        times = _Times()
        for at, *key, latency, ttft in self._rows([self._of_records(Span(self._edges[0], self._edges[-1]))]):
            times.add((self._place(at), *key), latency, ttft)
        return {key: Timing(*map(Spread, map(Counter, both))) for key, both in times.found.items()}

    def rough(self, last_id: int) -> dict[_Key, Timing]:
        """By the distributions, which hold the records to `last_id`."""
        blobs: defaultdict[_Key, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
        stored, ragged = self._queries(last_id)
        for place, *key, latency, ttft in self._rows(stored):
            latencies, ttfts = blobs[(place, *key)]
            latencies.append(latency)
            ttfts.append(ttft)
        times = _Times()
        for at, *key, latency, ttft in self._rows(ragged):
            times.add((self._place(at), *key), latency, ttft)
        return {key: _rough(blobs[key], times.found[key]) for key in {*blobs, *times.found}}

    def _place(self, at: int) -> int:
        return bisect_right(self._edges, at) - 1

    def _queries(self, last_id: int) -> tuple[list[str], list[str]]:
        """Return what the distributions tell, and what the records do: at the ragged ends, and since `last_id`."""
        stored, ragged = [], []
        pruned_until = once(records_since)
        for place, ends in enumerate(pairwise(self._edges)):
            for grain, piece in cut(Span(*ends), self._grains):
                if grain is None and piece.until <= pruned_until and self._grains:
                    grain = self._grains[-1]  # without records a bucket goes whole to the span in which it begins
                if grain is None:
                    ragged.append(self._of_records(piece, f"id <= {last_id}"))
                else:
                    stored.append(self._of_distributions(place, grain, piece))
        # By the id: the newest are few, and a span may be long.
        newest = Span(self._edges[0], self._edges[-1])
        ragged.append(self._of_records(newest, f"id > {last_id}", moment="+requested_at"))
        return stored, ragged

    def _of_distributions(self, place: int, grain: Grain, span: Span) -> str:
        where = [f"kind = {KINDS[grain]}", f"bucket >= {span.since}", f"bucket < {span.until}"]
        where += [f"{name} IN {listed(ids)}" for name, ids in self._conditions.ids.items()]
        columns = ", ".join((f"{place} AS moment", *self._asked, "latency", "ttft"))
        return f"SELECT {columns} FROM {TABLE} WHERE {' AND '.join(where)}"

    def _of_records(self, span: Span, *where: str, moment: str = "requested_at") -> str:
        where = (
            f"{moment} >= {span.since}",
            f"{moment} < {span.until}",
            COUNTED,
            *of_records(self._conditions),
            *where,
        )
        values = [f"{OF_RECORDS[name]} AS {name}" for name in self._asked]
        columns = ", ".join(("requested_at AS moment", *values, "latency_ms AS latency", "ttft_ms AS ttft"))
        return f"SELECT {columns} FROM {RECORDS} WHERE {' AND '.join(where)}"

    def _rows(self, queries: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        columns = ", ".join(OF_SOURCES.get(name, f"pieces.{name}") for name in ("moment", *self._by, "latency", "ttft"))
        joined = WITH_SOURCES if any(name in OF_SOURCES for name in self._by) else ""
        with database().cursor() as cursor:
            for first in range(0, len(queries), _PIECES_PER_QUERY):
                pieces = " UNION ALL ".join(queries[first : first + _PIECES_PER_QUERY])
                cursor.execute(f"SELECT {columns} FROM ({pieces}) AS pieces {joined}")
                yield from cursor.fetchall()


def _cheapest(fitting: Iterable[Grain]) -> list[Grain]:
    """Return one of each width, the widest first; none that has more dimensions than a finer one: a week of all sources
    has more rows than seven days of all together.
    """
    grains: list[Grain] = []
    for grain in sorted(fitting, key=lambda grain: (len(grain.dimensions), -grain.width)):
        if all(grain.width < wider.width for wider in grains):
            grains.append(grain)
    return grains


class _Times:
    """Latencies and times to the first token (which came before the end), one by one."""

    def __init__(self) -> None:
        self.found: defaultdict[_Key, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))

    def add(self, key: _Key, latency: int, ttft: int | None) -> None:
        latencies, ttfts = self.found[key]
        latencies.append(latency)
        if ttft is not None and 0 < ttft <= latency:
            ttfts.append(ttft)


def _rough(blobs: Iterable[list[bytes]], times: Iterable[list[int]]) -> Timing:
    spreads = []
    for parts, some in zip(blobs, times, strict=True):
        counts = decode(parts)
        counts.update(map(bin_of, some))
        spreads.append(Spread({MIDDLES[number]: count for number, count in counts.items()}, is_rough=True))
    return Timing(*spreads)
