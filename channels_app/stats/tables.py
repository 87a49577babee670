"""Chooses the cheapest tables that can answer a question, and asks them all in one query.

A span is cut into whole days, whole hours, quarters of an hour and the ragged ends: these come from the records, all else
from the sums, so that any span is exact to the microsecond in any time zone, and costs what its days cost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from channels_app.stats.conditions import Conditions, Span, listed, of_records, one_of
from channels_app.stats.database import database
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from usage.ingest.grains import (
    DAILY,
    DAILY_BY_CHANNEL,
    DAILY_BY_CHANNEL_KEY,
    DAILY_BY_CHANNEL_MODEL,
    DAILY_BY_KEY,
    DAILY_BY_KEY_CHANNEL_MODEL,
    DAILY_BY_MODEL,
    DAILY_BY_SOURCE,
    DAILY_BY_SOURCE_KEY_MODEL,
    DAILY_FAILURE_KINDS,
    DAILY_FAILURES,
    DAILY_FAILURES_BY_CHANNEL_MODEL,
    DAILY_FAILURES_BY_KEY,
    DAILY_FAILURES_BY_KEY_CHANNEL_MODEL,
    DAILY_FAILURES_BY_SOURCE_KEY_MODEL,
    FAILURES,
    FAILURES_BY_CHANNEL,
    HOUR,
    HOURLY,
    HOURLY_BY_CHANNEL,
    HOURLY_BY_CHANNEL_MODEL,
    HOURLY_BY_KEY,
    HOURLY_BY_MODEL,
    HOURLY_BY_SOURCE,
    OF_RECORDS,
    QUARTER_HOUR,
    QUARTER_HOURS,
    RECORDS,
    SUM_OF_RECORDS,
    SUMS,
    TOTALS,
    WEEKLY,
    WEEKLY_BY_KEY_CHANNEL_MODEL,
    WEEKLY_BY_SOURCE,
    Grain,
)
from usage.ingest.placing import displaced
from usage.ingest.rollup import records_since
from usage.models import Source
from usage.models.rollup import NO_CHANNEL

# SQLite takes 500 parts of a query.
PARTS_PER_QUERY = 450
# So many rows are found by their keys before others.
_MOST_LOOKED_UP = 1_000

# The smaller ones first.
_WEEKS = (WEEKLY_BY_SOURCE, WEEKLY_BY_KEY_CHANNEL_MODEL, WEEKLY)
DAYS = (
    DAILY_BY_CHANNEL, DAILY_BY_MODEL, DAILY_BY_KEY, DAILY_BY_CHANNEL_MODEL, DAILY_BY_SOURCE, DAILY_BY_CHANNEL_KEY,
    DAILY, DAILY_BY_KEY_CHANNEL_MODEL, DAILY_BY_SOURCE_KEY_MODEL,
)  # fmt: skip
HOURS = (
    HOURLY_BY_CHANNEL, HOURLY_BY_MODEL, HOURLY_BY_CHANNEL_MODEL, HOURLY_BY_KEY, HOURLY_BY_SOURCE, HOURLY,
)  # fmt: skip
_DAYS_FAILED = (
    DAILY_FAILURES_BY_CHANNEL_MODEL, DAILY_FAILURES_BY_KEY, DAILY_FAILURES_BY_KEY_CHANNEL_MODEL, DAILY_FAILURE_KINDS,
    DAILY_FAILURES, DAILY_FAILURES_BY_SOURCE_KEY_MODEL,
)  # fmt: skip
_HOURS_FAILED = (FAILURES_BY_CHANNEL, FAILURES)

# Of what succeeded: what each sum of all says of it by itself, and from which those of the failed must be taken.
_OF_SUCCEEDED = {
    "requests": "requests - failed",
    "failed": "0",
    "priced_requests": "priced_succeeded",
    "unused_failures": "0",
}
_OF_BOTH = {*SUMS, *TOTALS} - {*_OF_SUCCEEDED, "priced_succeeded", "timed_output", "timed_ms", "without_usage"}
_SUM_OF_RECORDS = SUM_OF_RECORDS | {name: f"SUM({figure})" for name, figure in TOTALS.items()}
# What is taken from sums of all for each failure.
_TAKEN = {name: f"-({figure})" if name in _OF_BOTH else "0" for name, figure in _SUM_OF_RECORDS.items()}

# In sums the unknown channel is 0, to be a key.
_UNKNOWN_AS_NULL = {"channel_id": f"NULLIF(channel_id, {NO_CHANNEL}) AS channel_id"}


def aggregate(
    span: Span, conditions: Conditions, by: Sequence[str], sums: Sequence[str] = SUMS
) -> list[tuple[Any, ...]]:
    """Return the `sums` of all records in `span` for each value of the dimensions `by`: (*values, *sums).

    Dimensions are `source_id` and what a source means now (`instance_id`, `channel_id`, `account_id`; None: unknown),
    `model_id`, `api_key_id`, and `status_code` and `message_id` of failures alone. Sums may be TOTALS, too.
    """
    return [row[1:] for row in aggregate_each([span], conditions, by, sums)]


def aggregate_each(
    spans: Sequence[Span], conditions: Conditions, by: Sequence[str], sums: Sequence[str] = SUMS
) -> list[tuple[Any, ...]]:
    """Do the same for each of `spans`: (place in `spans`, *values, *sums)."""
    if not all(conditions.ids.values()):
        return []  # nothing can be one of none
    question = _Question(conditions, by, sums)
    rows = [row for some, queries in question.queries(list(enumerate(spans))) for row in question.ask(some, queries)]
    if conditions.failed is False:  # where all failed, all less the failed is nothing
        return [row for row in rows if any(row[1 + len(by) :])]
    return rows


# With the place that it has among all that are asked for.
_Spans = Sequence[tuple[int, Span]]


class Run(NamedTuple):
    """Pieces of one table (None: the records) that follow each other and are equally long: one of each span, `number` on."""

    grain: Grain | None
    number: int
    span: Span
    length: int

    def is_followed_by(self, number: int, piece: Span) -> bool:
        length = self.span.until - self.span.since
        return (number - self.number, piece.since, piece.until - piece.since) == (
            length // self.length, self.span.until, self.length
        )  # fmt: skip

    def place_of(self, moment: str) -> str:
        """Return to which span a moment belongs, in SQL."""
        if self.span.until - self.span.since == self.length:
            return str(self.number)
        return f"{self.number} + ({moment} - {self.span.since}) / {self.length}"


# The place of its span, the table that answers it (None: the records), and the piece.
Piece = tuple[int, Grain | None, Span]


def runs(pieces: Iterable[Piece]) -> Iterator[Run]:
    """Put pieces together as far as they go: an hour each of a month are one query, not 720."""
    last: dict[Grain | None, Run] = {}
    for number, grain, piece in pieces:
        run = last.get(grain)
        if run and run.is_followed_by(number, piece):
            last[grain] = run._replace(span=Span(run.span.since, piece.until))
            continue
        if run:
            yield run
        last[grain] = Run(grain, number, piece, piece.until - piece.since)
    yield from last.values()


class _Question:
    """Which sums are asked for, of what, and by which dimensions."""

    def __init__(self, conditions: Conditions, by: Sequence[str], sums: Sequence[str]) -> None:
        self._conditions, self._by, self._sums = _as_placed(conditions, by), by, sums
        self._asked = _asked_of_tables(self._conditions, by)
        self._grains = _grains(self._conditions, self._asked)
        self._quarter_hours = _quarter_hours(self._conditions, self._asked)
        self._pruned_until = once(records_since)

    def queries(self, spans: _Spans) -> Iterator[tuple[_Spans, list[str]]]:
        """Yield what to ask for which of `spans`: for all together, or for as many as SQLite takes at once."""
        queries = [query for run in runs(self._pieces(spans)) for query in self._of_run(run)]
        if len(queries) > PARTS_PER_QUERY and len(spans) > 1:
            middle = len(spans) // 2
            yield from self.queries(spans[:middle])
            yield from self.queries(spans[middle:])
        elif queries:
            yield spans, queries

    def ask(self, spans: _Spans, queries: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return what `queries` give together."""
        only = spans[0][0] if len(spans) == 1 else None
        place = "pieces.span" if only is None else str(only)
        joined = [name for name in self._by if name not in self._asked]
        dimensions = (OF_SOURCES[name] if name in joined else f"pieces.{name}" for name in self._by)
        key = ", ".join((place, *dimensions))
        totals = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in self._sums)
        # SQLite sorts by these, and a first one that all rows have alike takes it half as long again. Without any there
        # would be a row even of nothing.
        is_needed = only is None or not self._by
        places = ", ".join(str(place) for place in range(1 if is_needed else 2, len(self._by) + 2))
        pieces = f"({' UNION ALL '.join(queries)}) AS pieces"
        if joined:
            pieces = f"({self._added_up(pieces, [] if only is not None else ['span'])}) AS pieces {WITH_SOURCES}"
        with database().cursor() as cursor:
            cursor.execute(f"SELECT {key}, {totals} FROM {pieces} GROUP BY {places}")
            return list(cursor.fetchall())

    def _added_up(self, pieces: str, place: Sequence[str]) -> str:
        """Of a thousand sources each is then looked up once, and not each day."""
        key = ", ".join((*place, *self._asked))
        sums = ", ".join(f"SUM({name}) AS {name}" for name in self._sums)
        return f"SELECT {key}, {sums} FROM {pieces} GROUP BY {key}"

    def _pieces(self, spans: _Spans) -> Iterator[Piece]:
        for number, span in spans:
            for grain, piece in cut(span, self._grains):
                if grain is None and piece.since >= self._pruned_until:
                    yield from ((number, *finer) for finer in cut(piece, self._quarter_hours))
                    continue
                # Without records an hour goes whole to the span in which it begins.
                is_pruned = grain is None and piece.until <= self._pruned_until
                yield number, self._grains[-1] if is_pruned else grain, piece

    def _of_run(self, run: Run) -> Iterator[str]:
        if run.grain is None:
            yield self._by_channel(self._of_records(run, self._conditions, _SUM_OF_RECORDS))
            return
        if self._conditions.failed is not False:
            yield self._of_sums(run, run.grain, {})
            return
        yield self._of_sums(run, run.grain, _OF_SUCCEEDED)
        if run.grain.width == QUARTER_HOUR:  # of which failures have no sums: an index finds their records
            yield self._by_channel(self._of_records(run, replace(self._conditions, failed=True), _TAKEN))
            return
        if taken := [name for name in self._sums if name in _OF_BOTH]:
            failures = _failures(self._conditions, self._asked)[0 if run.grain.width > HOUR else -1]
            figures = {name: f"-({TOTALS.get(name, name)})" if name in taken else "0" for name in self._sums}
            yield self._of_sums(run, failures, figures, f"({' OR '.join(f'{figures[name]} <> 0' for name in taken)})")

    def _of_sums(self, run: Run, grain: Grain, figures: Mapping[str, str], *conditions: str) -> str:
        """Return the query of a table; `figures` are what it says of sums in other words than their names."""
        ids = self._conditions.ids_in(grain.dimensions)
        where = [
            _within(run.span, grain, ids),
            *(f"{name} IN {listed(some)}" for name, some in ids.items()),
            *conditions,
        ]
        if self._conditions.codes:
            where.append(one_of(self._conditions.codes))
        is_by_channel = "channel_id" in grain.dimensions
        dimensions = (_UNKNOWN_AS_NULL.get(name, name) for name in self._asked) if is_by_channel else self._of_sources
        # Not grouped: to do that once, for all pieces together, takes SQLite half as long.
        sums = (f"{figures.get(name, TOTALS.get(name, name))} AS {name}" for name in self._sums)
        columns = ", ".join((f"{run.place_of('bucket')} AS span", *dimensions, *sums))
        query = f"SELECT {columns} FROM {grain.table} WHERE {' AND '.join(where)}"
        return query if is_by_channel else self._by_channel(query)

    def _of_records(self, run: Run, conditions: Conditions, figure_of: Mapping[str, str]) -> str:
        """Grouped even where no dimension is asked for: without groups there would be a row even of nothing."""
        where = [f"requested_at >= {run.span.since}", f"requested_at < {run.span.until}", *of_records(conditions)]
        values = [f"{OF_RECORDS[name]} AS {name}" for name in self._of_sources]
        figures = [f"{figure_of[name]} AS {name}" for name in self._sums]
        columns = ", ".join((f"{run.place_of('requested_at')} AS span", *values, *figures))
        places = ", ".join(str(place) for place in range(1, len(self._of_sources) + 2))
        return f"SELECT {columns} FROM {RECORDS} WHERE {' AND '.join(where)} GROUP BY {places}"

    @property
    def _of_sources(self) -> list[str]:
        """What is asked of a table that knows sources instead of channels."""
        return ["source_id" if name == "channel_id" else name for name in self._asked]

    def _by_channel(self, query: str) -> str:
        """Turn the sources of `query` into channels, if these are asked for."""
        if "channel_id" not in self._asked:
            return query
        dimensions = (f"{OF_SOURCES.get(name, f'pieces.{name}')} AS {name}" for name in self._asked)
        return f"SELECT {', '.join(('span', *dimensions, *self._sums))} FROM ({query}) AS pieces {WITH_SOURCES}"


def _within(span: Span, grain: Grain, ids: Mapping[str, frozenset[int]]) -> str:
    """Return what tells the intervals of `span` from others: each by its start where few rows of each are wanted, so that the
    key finds these and not all that the interval has.
    """
    # Of pruned records a span may begin within an interval, which then belongs to the one before.
    starts = range(grain.end_of(span.since), span.until, grain.width)
    if len(starts) * len(ids.get(grain.dimensions[0], ())) in range(1, _MOST_LOOKED_UP):
        return f"bucket IN {listed(starts)}"
    return f"bucket >= {span.since} AND bucket < {span.until}"


def _as_placed(conditions: Conditions, by: Sequence[str]) -> Conditions:
    """Leave out the channels that are asked for where sums by channel cannot tell."""
    return conditions if _are_channels_enough(conditions, by) else replace(conditions, channels=None)


def _asked_of_tables(conditions: Conditions, by: Sequence[str]) -> tuple[str, ...]:
    """Return the dimensions that tables are asked for: channels, if sums by them can tell, else sources."""
    if _are_channels_enough(conditions, by):
        return tuple(by)
    return tuple(dict.fromkeys("source_id" if name in OF_SOURCES else name for name in by))


def _are_channels_enough(conditions: Conditions, by: Sequence[str]) -> bool:
    """Whether all that is asked of sources is their channel, and sums are kept by these as they are now."""
    of_sources = {name for name in by if name in OF_SOURCES or name == "source_id"}
    is_more_asked = of_sources - {"channel_id"} or (conditions.sources is not None and conditions.channels is None)
    return not is_more_asked and not ((of_sources or conditions.channels is not None) and once(displaced))


def _grains(conditions: Conditions, by: Sequence[str]) -> tuple[Grain, ...]:
    """The tables that know all dimensions of the question, the coarsest first."""
    needed = {*by, *conditions.ids_in(["channel_id"])}
    weeks, days, hours = ([grain for grain in some if _knows(grain, needed)] for some in (_WEEKS, DAYS, HOURS))
    if conditions.only_failed:
        return tuple(_failures(conditions, by))
    # Failures are taken off all to find what succeeded: where they are known by hours alone, days must be cut like those.
    is_odd = conditions.failed is False and DAILY.offset % HOUR and len(_failures(conditions, by)) == 1
    # A week of more dimensions has more rows than its days have of what is asked for.
    is_long = weeks and days and weeks[0].dimensions == days[0].dimensions
    return (*(weeks[:1] if is_long and not is_odd else []), *([] if is_odd else days[:1]), hours[0])


def _quarter_hours(conditions: Conditions, by: Sequence[str]) -> list[Grain]:
    """The sums by quarter of an hour that know all that is asked, one or none; only of what failed they do not."""
    needed = {*by, *conditions.ids_in(["channel_id"])}
    return [grain for grain in QUARTER_HOURS if not conditions.only_failed and _knows(grain, needed)][:1]


def are_quarters_known(conditions: Conditions, by: Sequence[str]) -> bool:
    """Whether such a question by quarters of an hour is answered by sums."""
    return bool(_quarter_hours(_as_placed(conditions, by), _asked_of_tables(conditions, by)))


def are_hours_few(span: Span, conditions: Conditions, by: Sequence[str], few: int) -> bool:
    """Whether the sums by hour that know such a question have `few` rows in `span`, or are those of a small table."""
    grain = _grains(conditions, _asked_of_tables(conditions, by))[-1]
    if grain is HOURLY_BY_SOURCE:
        return (span.until - span.since) // HOUR * Source.objects.using(database().alias).count() <= few
    return grain in (HOURLY_BY_CHANNEL, HOURLY_BY_MODEL, HOURLY_BY_CHANNEL_MODEL, FAILURES)


def _knows(grain: Grain, needed: Collection[str]) -> bool:
    """A source tells its channel."""
    known = {*grain.dimensions, "channel_id"} if "source_id" in grain.dimensions else {*grain.dimensions}
    return known.issuperset(needed)


def _failures(conditions: Conditions, by: Sequence[str]) -> list[Grain]:
    """The tables of failures that can tell: of days, if one can, and of hours."""
    needed = {*by, *conditions.ids_in(["channel_id"]), *(["status_code"] if conditions.codes else [])}
    days, hours = ([grain for grain in some if _knows(grain, needed)] for some in (_DAYS_FAILED, _HOURS_FAILED))
    # Channels are so few that their hours are fewer than the days of sources.
    are_few = hours[0] is FAILURES_BY_CHANNEL and days[0] is DAILY_FAILURES
    return [*([] if are_few else days[:1]), hours[0]]


def cut(span: Span, grains: Sequence[Grain]) -> Iterator[tuple[Grain | None, Span]]:
    """Cut `span` into what each grain can answer, the coarsest first; None is what only records can."""
    if span.since >= span.until:
        return
    if not grains:
        yield None, span
        return
    grain, *finer = grains
    if span.until - span.since < grain.width:  # as the hours of a month are, of which there are hundreds
        yield from cut(span, finer)
        return
    first, last = grain.end_of(span.since), grain.start_of(span.until)
    if first >= last:
        yield from cut(span, finer)
        return
    if span.since < first:
        yield from cut(Span(span.since, first), finer)
    yield grain, Span(first, last)
    if last < span.until:
        yield from cut(Span(last, span.until), finer)
