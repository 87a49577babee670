"""How long answers took: percentiles of latency and of the time to the first token (ui.md M22 and M23).

Exact where the span has few records; else of bins that add up, from the coarsest distributions that can tell, and from
the records at the ragged ends and of those that came last.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate, chain, pairwise
from typing import Any

from channels_app.stats.conditions import EVERYTHING, Conditions, Span, listed, of_records
from channels_app.stats.database import database
from channels_app.stats.kept_hours import KeptHours, Times, times
from channels_app.stats.questions import DIMENSIONS, OF_FAILURES, Group
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from channels_app.stats.spans import union
from channels_app.stats.tables import PARTS_PER_QUERY, Piece, Run, aggregate, aggregate_each, cut, runs
from usage.ingest.distribution import COUNTED, GRAINS, KINDS, MIDDLES, TABLE, at_rest, bins_of, decode
from usage.ingest.grains import HOUR, HOURLY, OF_RECORDS, RECORDS, Grain
from usage.ingest.rollup import records_since
from usage.models.rollup import NO_CHANNEL

# ui.md 6: of so many each one is read.
MOST_EXACT = 50_000
# Of one record: null where it does not count (ui.md M23).
_TIMES = {"latency": "latency_ms", "ttft": "CASE WHEN ttft_ms > 0 AND ttft_ms <= latency_ms THEN ttft_ms END"}
# Four bytes each.
kept_hours = KeptHours(most=1_000_000)


@dataclass(frozen=True)
class Spread:
    """How long some answers took, in milliseconds: the `times` of all, or where these are too many how often each time came.

    Where it `is_rough`, the times of `counts` are the middles of bins.
    """

    times: Sequence[int] = ()
    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_rough(self) -> bool:
        return bool(self.counts)

    @property
    def samples(self) -> int:
        return len(self.times) + sum(self.counts.values())

    def percentile(self, share: int) -> int | None:
        """Return the nearest-rank percentile in milliseconds: the least time that `share` per cent do not exceed."""
        if not self.samples:
            return None
        rank = max(math.ceil(self.samples * share / 100), 1)
        if not self.is_rough:
            return self.in_order[rank - 1]
        times, passed = self._ranks
        return times[bisect_left(passed, rank)]

    # A page asks for several percentiles of the same.

    @cached_property
    def in_order(self) -> list[int]:
        """Of pieces that are in order this takes half as long."""
        return sorted(self.times)

    @cached_property
    def _ranks(self) -> tuple[list[int], list[int]]:
        """The times in order, and how many took so long at most."""
        times = sorted(self.counts)
        return times, list(accumulate(map(self.counts.__getitem__, times)))


@dataclass(frozen=True, slots=True)
class Timing:
    """Of what succeeded and generated."""

    latency: Spread
    ttft: Spread


_NEVER = Timing(Spread(), Spread())
# Place of the span, and the values of the dimensions.
_Key = tuple[int | None, ...]
_Listed = defaultdict[_Key, tuple[list[int], list[int]]]


def timing(span: Span, conditions: Conditions) -> Timing:
    return timing_by(span, conditions, ()).get((), _NEVER)


def merged(timings: Iterable[Timing]) -> Timing:
    """Return these together."""
    some = list(timings)
    return Timing(_together([one.latency for one in some]), _together([one.ttft for one in some]))


def _together(spreads: Sequence[Spread]) -> Spread:
    """Of the same span, all or none are rough."""
    counts: dict[int, int] = {}
    for spread in spreads:
        for milliseconds, count in spread.counts.items():
            counts[milliseconds] = counts.get(milliseconds, 0) + count
    return Spread(list(chain.from_iterable(spread.in_order for spread in spreads)), counts)


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
    if edges[0] >= once(records_since) and _records_of(Span(edges[0], edges[-1])) <= MOST_EXACT:
        return question.exact()
    if _is_of_channels(conditions, by):
        return at_rest(partial(_rough_by_models, edges, conditions, by), database().alias)
    return at_rest(question.rough, database().alias)


def _is_of_channels(conditions: Conditions, by: Sequence[str]) -> bool:
    """Whether whole channels are asked for, one by one or some of them, and nothing else of sources."""
    is_whole = conditions.sources is None or conditions.channels is not None
    return is_whole and (tuple(by) == ("channel",) or (not by and conditions.sources is not None))


def _rough_by_models(
    edges: Sequence[int], conditions: Conditions, by: Sequence[str], last_id: int
) -> dict[_Key, Timing]:
    """Most models are of one channel: what these took is that channel's, and has a hundredth of the rows of sources."""
    every = replace(conditions, sources=None, channels=None)
    channels: defaultdict[int, set[int | None]] = defaultdict(set)
    span = Span(edges[0], edges[-1])
    for channel, model, _requests in aggregate(span, every, ("channel_id", "model_id"), ("requests",)):
        channels[model].add(channel)
    of_one = {model: channel for model, (channel, *others) in channels.items() if not others}
    asked = [
        model
        for model, channel in of_one.items()
        if conditions.channels is None or (channel or NO_CHANNEL) in conditions.channels
    ]
    parts: defaultdict[_Key, list[Timing]] = defaultdict(list)
    alone = _Question(edges, replace(every, models=frozenset(asked)), ["model_id"])
    for (place, model), found in alone.rough(last_id).items():
        parts[place, of_one[model or 0]].append(found)
    shared = _Question(edges, replace(conditions, models=frozenset(channels.keys() - of_one.keys())), ["channel_id"])
    for key, found in shared.rough(last_id).items() if len(of_one) < len(channels) else ():
        parts[key].append(found)
    return _regrouped(parts, len(by))


def _regrouped(parts: Mapping[_Key, list[Timing]], dimensions: int) -> dict[_Key, Timing]:
    """Put together what is alike in its place and the first `dimensions`."""
    found: defaultdict[_Key, list[Timing]] = defaultdict(list)
    for key, some in parts.items():
        found[key[: 1 + dimensions]] += some
    return {key: merged(some) for key, some in found.items()}


def _requests_of(span: Span) -> dict[int, int]:
    """Return how many requests each hour has that has any."""
    hours = [Span(hour, hour + HOUR) for hour in range(span.since, span.until, HOUR)]
    return {hours[place].since: requests for place, requests in aggregate_each(hours, EVERYTHING, (), ["requests"])}


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
        pieces = list(self._pieces(() if self._by else (HOURLY,)))
        found = self._read(runs(piece for piece in pieces if piece[1] is None))
        self._add_kept([piece for piece in pieces if piece[1]], found)
        return {key: Timing(*map(Spread, both)) for key, both in found.items()}

    def _add_kept(self, whole: Sequence[Piece], found: _Listed) -> None:
        """Add the times of hours that are asked for whole."""
        if not whole:
            return
        asked = (database().alias, *of_records(self._conditions))
        hours = kept_hours.of(asked, _requests_of(Span(whole[0][2].since, whole[-1][2].until)), self._read_hours)
        for place, _grain, piece in whole:
            for hour in range(piece.since, piece.until, HOUR):
                if one := hours.get(hour):
                    latencies, ttfts = found[(place,)]
                    latencies += one.latency
                    ttfts += one.ttft

    def _read_hours(self, hours: Sequence[int]) -> dict[int, Times]:
        some = [Run(None, span.since // HOUR, span, HOUR) for span in union(Span(hour, hour + HOUR) for hour in hours)]
        return {(place or 0) * HOUR: times(*both) for (place,), both in self._read(some).items()}

    def rough(self, last_id: int) -> dict[_Key, Timing]:
        """By the distributions, which hold the records to `last_id`."""
        found = list(runs(self._pieces(self._grains)))
        blobs: defaultdict[_Key, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
        for *key, latency, ttft in self._rows([self._of_distributions(run, run.grain) for run in found if run.grain]):
            latencies, ttfts = blobs[tuple(key)]
            latencies.append(latency)
            ttfts.append(ttft)
        older = [self._of_records(run, f"id <= {last_id}") for run in found if not run.grain]
        # By the id: the newest are few, and a span may be long.
        newest = [self._of_records(run, f"id > {last_id}", moment="+requested_at") for run in runs(self._pieces(()))]
        others = _listed(self._rows([*older, *newest]))
        return {key: _rough(blobs[key], others[key]) for key in {*blobs, *others}}

    def _pieces(self, grains: Sequence[Grain]) -> Iterator[Piece]:
        pruned_until = once(records_since)
        for place, ends in enumerate(pairwise(self._edges)):
            for grain, piece in cut(Span(*ends), grains):
                # Without records a bucket goes whole to the span in which it begins.
                is_pruned = grain is None and piece.until <= pruned_until and grains
                yield place, grains[-1] if is_pruned else grain, piece

    def _of_distributions(self, run: Run, grain: Grain) -> str:
        where = [f"kind = {KINDS[grain]}", f"bucket >= {run.span.since}", f"bucket < {run.span.until}"]
        where += [f"{name} IN {listed(ids)}" for name, ids in self._conditions.ids.items()]
        columns = ", ".join((f"{run.place_of('bucket')} AS place", *self._asked, "latency", "ttft"))
        return f"SELECT {columns} FROM {TABLE} WHERE {' AND '.join(where)}"

    def _of_records(self, run: Run, *where: str, moment: str = "requested_at") -> str:
        """All times of a place and key in one text: as rows, Python takes five times as long to read them."""
        within = (f"{moment} >= {run.span.since}", f"{moment} < {run.span.until}", COUNTED)
        values = [f"{OF_RECORDS[name]} AS {name}" for name in self._asked]
        times = [f"{_listing(one)} AS {name}" for name, one in _TIMES.items()]
        columns = ", ".join((f"{run.place_of('requested_at')} AS place", *values, *times))
        groups = ", ".join(str(number) for number in range(1, len(values) + 2))
        conditions = " AND ".join((*within, *of_records(self._conditions), *where))
        return f"SELECT {columns} FROM {RECORDS} WHERE {conditions} GROUP BY {groups}"

    def _read(self, some: Iterable[Run]) -> _Listed:
        return _listed(self._rows([self._of_records(run) for run in some]))

    def _rows(self, queries: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        columns = ", ".join(OF_SOURCES.get(name, f"pieces.{name}") for name in ("place", *self._by, "latency", "ttft"))
        joined = WITH_SOURCES if any(name in OF_SOURCES for name in self._by) else ""
        with database().cursor() as cursor:
            for first in range(0, len(queries), PARTS_PER_QUERY):
                pieces = " UNION ALL ".join(queries[first : first + PARTS_PER_QUERY])
                cursor.execute(f"SELECT {columns} FROM ({pieces}) AS pieces {joined}")
                yield from cursor.fetchall()


def _listing(value: str) -> str:
    """Return what lists all that are not null, with commas, in SQL."""
    if database().vendor == "postgresql":
        return f"STRING_AGG(CAST({value} AS TEXT), ',')"
    return f"GROUP_CONCAT({value})"


def _cheapest(fitting: Iterable[Grain]) -> list[Grain]:
    """Return one of each width, the widest first; none that has more dimensions than a finer one: a week of all sources
    has more rows than seven days of all together.
    """
    grains: list[Grain] = []
    for grain in sorted(fitting, key=lambda grain: (len(grain.dimensions), -grain.width)):
        if all(grain.width < wider.width for wider in grains):
            grains.append(grain)
    return grains


def _listed(rows: Iterable[tuple[Any, ...]]) -> _Listed:
    """Return each latency and time to the first token, from the texts that list them."""
    found: _Listed = defaultdict(lambda: ([], []))
    for *key, latencies, ttfts in rows:
        for some, text in zip(found[tuple(key)], (latencies, ttfts), strict=True):
            if text:
                some += json.loads(f"[{text}]")  # in half the time of splitting it
    return found


def _rough(blobs: Iterable[list[bytes]], others: Iterable[list[int]]) -> Timing:
    spreads = []
    for parts, some in zip(blobs, others, strict=True):
        counts = decode(parts)
        counts.update(bins_of(some))
        spreads.append(Spread(counts={MIDDLES[number]: count for number, count in counts.items()}))
    return Timing(*spreads)
