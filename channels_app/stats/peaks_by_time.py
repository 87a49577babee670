"""The busiest minute of each interval, and of each group (`ui.md` M20, M21): where it can be told exactly, and quickly.

Of few records all can be. Else stored peaks tell of one dimension, or of what has but one peak, in intervals of whole
hours (of keys: of days of the report time zone); records tell the ragged ends, and hours whose peaks are not derived yet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from channels_app.stats.conditions import EVERYTHING, Conditions, Span, listed, of_records
from channels_app.stats.database import database
from channels_app.stats.peaks import Target, covers, groups_of
from channels_app.stats.questions import DIMENSIONS, OF_FAILURES, Group, narrowed
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from channels_app.stats.spans import both, union
from channels_app.stats.tables import PARTS_PER_QUERY, Piece, Run, aggregate_each, cut, runs
from usage.ingest.attempts import stale_stretches
from usage.ingest.grains import HOUR, HOURLY, OF_RECORDS, RECORDS, TOTAL, Grain
from usage.ingest.peaks import MINUTE, TABLE, Kind, grain_of
from usage.ingest.rollup import records_since
from usage.models import Source

# So many records take SQLite some 30 ms.
MOST_READ = 30_000
_KINDS = {"server": Kind.SERVER, "channel": Kind.CHANNEL, "model": Kind.MODEL, "key": Kind.KEY, "code": Kind.STATUS}


class Highest(NamedTuple):
    """The most requests, and the most tokens, of a minute."""

    requests: int
    tokens: int

    def or_more(self, requests: int, tokens: int) -> Highest:
        return Highest(max(self.requests, requests), max(self.tokens, tokens))


_NOTHING = Highest(0, 0)
# None: not known, because records were pruned.
PeakLines = dict[Group, list[Highest | None]]


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored peaks that tell of each group; of these `targets` alone, unless they are None."""

    kind: Kind
    targets: frozenset[int] | None

    @property
    def grain(self) -> Grain:
        return grain_of(self.kind)


@dataclass(frozen=True)
class PeakQuestion:
    """Of the intervals between `edges` (microseconds since 1970 UTC), by some of stats.DIMENSIONS."""

    edges: Sequence[int]
    conditions: Conditions
    by: Sequence[str] = ()

    @property
    def can_be_told(self) -> bool:
        """Whether stored peaks, or few records, tell exactly."""
        return not all(self.conditions.ids.values()) or self._are_records_few or self._with_few_records is not None

    def ask(self) -> PeakLines:
        """Return the peaks of each group. Raises LookupError where they cannot be told."""
        if not all(self.conditions.ids.values()):
            return {}
        if self._are_records_few:
            return self._read([Span(self.edges[0], self.edges[-1])], {})
        if self._with_few_records is None:
            raise LookupError(f"no peaks are kept by {', '.join(self.by) or 'these filters'}")
        return self._with_stored(*self._with_few_records)

    @cached_property
    def _are_records_few(self) -> bool:
        span = Span(self.edges[0], self.edges[-1])
        return span.since >= once(records_since) and self._records_of([span]) <= MOST_READ

    @cached_property
    def _with_few_records(self) -> tuple[_Stored, list[Piece], list[Span]] | None:
        """Return the stored peaks that tell, of what, and what of the records is to be read besides."""
        if (stored := _stored(self.conditions, self.by)) is None:
            return None
        whole, ragged = self._pieces(stored.grain)
        # Before the peaks: what is derived meanwhile is then in both.
        stale = stale_stretches(self.edges[0] - HOUR + 1, self.edges[-1], database().alias)
        read = self._kept([*ragged, *(Span(*ends) for ends in stale)])
        return (stored, whole, read) if self._records_of(read) <= MOST_READ else None

    def _with_stored(self, stored: _Stored, whole: Sequence[Piece], read: Sequence[Span]) -> PeakLines:
        found, bounded = self._peaks(stored, whole)
        bounds = self._kept([*read, *(Span(hour, hour + HOUR) for hour in bounded)])
        is_readable = self._records_of(bounds) <= MOST_READ
        for hour, groups in bounded.items():
            if not is_readable or hour < once(records_since):
                for group in groups:
                    found[group][self._place(hour)] = None
        return self._read(bounds if is_readable else read, found)

    def _kept(self, spans: Sequence[Span]) -> list[Span]:
        """Return what of `spans` is asked for and has its records."""
        return both(union(spans), [Span(max(self.edges[0], once(records_since)), self.edges[-1])])

    def _records_of(self, spans: Sequence[Span]) -> int:
        """Return about how many records these spans have: of the hours that they have a part in."""
        hours = union([Span(HOURLY.start_of(one.since), HOURLY.end_of(one.until)) for one in spans])
        return sum(requests for _place, requests in aggregate_each(hours, EVERYTHING, (), ("requests",)))

    def _pieces(self, grain: Grain) -> tuple[list[Piece], list[Span]]:
        """Return what stored peaks tell, and what they do not."""
        whole, ragged = list[Piece](), list[Span]()
        for place, ends in enumerate(pairwise(self.edges)):
            for of_grain, piece in cut(Span(*ends), (grain,)):
                # Without records an hour goes whole to the interval in which it begins.
                if of_grain or piece.until <= once(records_since):
                    whole.append((place, grain, piece))
                else:
                    ragged.append(piece)
        return whole, ragged

    def _peaks(self, stored: _Stored, whole: Sequence[Piece]) -> tuple[PeakLines, dict[int, list[Group]]]:
        """Return what is stored, and the hours of which there are but bounds, with their groups."""
        found: PeakLines = {}
        bounded: dict[int, list[Group]] = {}
        for bound, place, target, requests, tokens in self._stored_peaks(stored, list(runs(whole))):
            group = self._group_of(stored.kind, target)
            line = found.setdefault(group, self._empty())
            if bound is not None:
                bounded.setdefault(bound, []).append(group)
            elif (known := line[place]) is not None:
                line[place] = known.or_more(requests, tokens)
        return found, bounded

    def _stored_peaks(self, stored: _Stored, some: Sequence[Run]) -> Iterator[tuple[Any, ...]]:
        """Yield the highest of each interval and target, without those of which there are but bounds: these each by itself,
        with its hour.
        """
        bound = "CASE WHEN requests_at IS NULL OR tokens_at IS NULL THEN bucket END"
        targets = f" AND target_id IN {listed(stored.targets)}" if stored.targets is not None else ""
        pieces = [
            f"SELECT {bound} AS bound, {run.place_of('bucket')} AS place, target_id, MAX(requests), MAX(tokens) FROM {TABLE} "
            f"WHERE kind = {int(stored.kind)}{targets} AND bucket >= {run.span.since} AND bucket < {run.span.until} "
            f"GROUP BY 1, 2, 3"
            for run in some
        ]
        with database().cursor() as cursor:
            for first in range(0, len(pieces), PARTS_PER_QUERY):
                cursor.execute(" UNION ALL ".join(pieces[first : first + PARTS_PER_QUERY]))
                yield from cursor.fetchall()

    def _empty(self) -> list[Highest | None]:
        return [_NOTHING] * (len(self.edges) - 1)

    def _group_of(self, kind: Kind, target: int) -> Group:
        if not self.by:
            return ()
        return (None,) if kind == Kind.CHANNEL and not target else (target,)

    def _place(self, moment: int) -> int:
        return bisect_right(self.edges, moment) - 1

    def _read(self, spans: Sequence[Span], found: PeakLines) -> PeakLines:
        """Raise what was found to what the records of these spans tell, and return it."""
        for minute, *group, requests, tokens in self._minutes(spans):
            line = found.setdefault(tuple(group), self._empty())
            if (known := line[place := self._place(minute)]) is not None:
                line[place] = known.or_more(requests, tokens)
        return found

    def _minutes(self, spans: Sequence[Span]) -> list[tuple[int, ...]]:
        """Return the minutes that have any: a moment of each, and of each interval that cuts it."""
        if not spans:
            return []
        values = ", ".join(f"({since}, {until})" for since, until in self._by_interval(spans))
        names = [DIMENSIONS[name] for name in self.by]
        asked = list(dict.fromkeys("source_id" if name in OF_SOURCES else name for name in names))
        columns = "".join(f", {OF_RECORDS[name]} AS {name}" for name in asked)
        where = ("requested_at >= since", "requested_at < until", *of_records(narrowed(self.conditions, self.by)))
        records = (
            f"SELECT since, requested_at / {MINUTE} AS minute{columns}, {TOTAL} AS tokens "
            f"FROM spans CROSS JOIN {RECORDS} WHERE {' AND '.join(where)}"
        )
        keys = "".join(f", {OF_SOURCES.get(name, f'pieces.{name}')}" for name in names)
        joined = WITH_SOURCES if any(name in OF_SOURCES for name in names) else ""
        places = ", ".join(map(str, range(3, 3 + len(names))))
        with database().cursor() as cursor:
            cursor.execute(
                f"WITH spans (since, until) AS (VALUES {values}) "
                f"SELECT since, minute{keys}, COUNT(*), CAST(SUM(tokens) AS BIGINT) FROM ({records}) AS pieces {joined} "
                f"GROUP BY since, minute{', ' if places else ''}{places}"
            )
            return [(max(since, minute * MINUTE), *row) for since, minute, *row in cursor.fetchall()]

    def _by_interval(self, spans: Iterable[Span]) -> list[tuple[int, int]]:
        """Cut `spans` where an interval ends within a minute: it is a part of both."""
        odd = [edge for edge in self.edges if edge % MINUTE]
        found = []
        for span in spans:
            marks = [span.since, *(edge for edge in odd if span.since < edge < span.until), span.until]
            found += list(pairwise(marks))
        return found


def _stored(conditions: Conditions, by: Sequence[str]) -> _Stored | None:
    """Return the stored peaks that alone tell each group; None where there are none."""
    if not by:
        exact = [cover.targets for cover in covers(conditions) if cover.is_exact and len(cover.targets) == 1]
        return _Stored(Kind(exact[0][0][0]), frozenset({exact[0][0][1]})) if exact else None
    if len(by) > 1 or by[0] not in _KINDS:
        return None
    kind, restricted = _KINDS[by[0]], conditions.ids
    is_of_failures = conditions.only_failed or conditions.failed is False
    if by[0] in OF_FAILURES:
        if restricted or conditions.failed is False:
            return None
        codes = [code for first, last in conditions.codes for code in range(first, last + 1)]
        return _Stored(kind, frozenset(codes) if conditions.codes else None)
    if is_of_failures or set(restricted) - {_column(by[0])}:
        return None
    if kind == Kind.CHANNEL and not _are_channels_current():
        return None
    ids = restricted.get(_column(by[0]))
    if ids is None or kind in (Kind.MODEL, Kind.KEY):
        return _Stored(kind, ids)
    wholes = [targets for targets in groups_of(ids) if _all_of(targets, kind)]
    return _Stored(kind, frozenset(pk for _kind, pk in wholes[0])) if wholes else None


def _column(name: str) -> str:
    return "source_id" if DIMENSIONS[name] in OF_SOURCES else DIMENSIONS[name]


def _all_of(targets: Sequence[Target], kind: Kind) -> bool:
    return all(one == kind for one, _id in targets)


def _are_channels_current() -> bool:
    """Whether stored peaks of channels are those of the channels that sources have by now."""
    rows = Source.objects.using(database().alias).filter(peaks_channel_id__isnull=False).select_related("account")
    return all((row.known_channel_id or 0) == row.peaks_channel_id for row in rows)
