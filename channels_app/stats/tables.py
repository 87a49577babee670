"""Chooses the cheapest tables that can answer a question, and asks them all in one query.

A span is cut into whole days, whole hours and the ragged ends: days and hours come from the sums, the ends from the
records, so that any span is exact to the microsecond in any time zone, and costs what its days cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from channels_app.period import Period
from channels_app.stats.database import database
from usage.ingest.rollup import (
    DAILY,
    DAILY_BY_KEY,
    DAILY_BY_KEY_MODEL,
    DAILY_BY_MODEL,
    DAILY_BY_SOURCE,
    DAILY_BY_SOURCE_KEY,
    DAILY_FAILURE_KINDS,
    DAILY_FAILURES,
    FAILURES,
    HOUR,
    HOURLY,
    HOURLY_BY_MODEL,
    HOURLY_BY_SOURCE,
    OF_RECORDS,
    RECORDS,
    SUM_OF_RECORDS,
    SUMS,
    WEEKLY,
    Grain,
    records_since,
)
from usage.models import Account, Source
from usage.models.fields import to_micros

# SQLite takes 500 parts of a query; a span has up to five pieces, and each up to two parts.
_SPANS_PER_QUERY = 50

# The smaller ones first.
_WEEKS = (WEEKLY,)
_DAYS = (DAILY_BY_MODEL, DAILY_BY_KEY, DAILY_BY_SOURCE, DAILY, DAILY_BY_KEY_MODEL, DAILY_BY_SOURCE_KEY)
_HOURS = (HOURLY_BY_MODEL, HOURLY_BY_SOURCE, HOURLY)

# What a record may be without; 0 then (NO_KEY, NO_MESSAGE).
_MAY_BE_MISSING = ("api_key_id", "message_id")

# From first to last, both included.
CodeRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What records must fulfil: one of these ids (None: any), and failed or not (None: either) with one of these codes and
    `messages`, which only failures have.
    """

    sources: frozenset[int] | None = None
    models: frozenset[int] | None = None
    api_keys: frozenset[int] | None = None
    failed: bool | None = None
    codes: tuple[CodeRange, ...] = ()
    messages: frozenset[int] | None = None

    @property
    def ids(self) -> dict[str, frozenset[int]]:
        """The ids of each dimension that is restricted."""
        every = {
            "source_id": self.sources,
            "model_id": self.models,
            "api_key_id": self.api_keys,
            "message_id": self.messages,
        }
        return {name: ids for name, ids in every.items() if ids is not None}

    @property
    def only_failed(self) -> bool:
        return self.failed is True or bool(self.codes) or self.messages is not None


# Names that come later change what a source means, so no sum is kept by that (Source.known_channel).
OF_SOURCES = {
    "instance_id": "sources.instance_id",
    "channel_id": "COALESCE(accounts.channel_id, sources.channel_id)",
    "account_id": "sources.account_id",
}
WITH_SOURCES = (
    f"JOIN {Source._meta.db_table} AS sources ON sources.id = pieces.source_id "
    f"LEFT JOIN {Account._meta.db_table} AS accounts ON accounts.id = sources.account_id"
)

EVERYTHING, NOTHING = Conditions(), Conditions(sources=frozenset())


@dataclass(frozen=True, slots=True)
class Span:
    """`[since, until)` in microseconds since 1970 UTC."""

    since: int
    until: int


def span_of(period: Period) -> Span:
    return Span(to_micros(period.since), to_micros(period.until))


def aggregate(
    span: Span, conditions: Conditions, by: Sequence[str], sums: Sequence[str] = SUMS
) -> list[tuple[Any, ...]]:
    """Return the `sums` of all records in `span` for each value of the dimensions `by`: (*values, *sums).

    Dimensions are `source_id` and what a source means now (`instance_id`, `channel_id`, `account_id`; None: unknown),
    `model_id`, `api_key_id`, and `status_code` and `message_id` of failures alone.
    """
    return [row[1:] for row in aggregate_each([span], conditions, by, sums)]


def aggregate_each(
    spans: Sequence[Span], conditions: Conditions, by: Sequence[str], sums: Sequence[str] = SUMS
) -> list[tuple[Any, ...]]:
    """Do the same for each of `spans`: (place in `spans`, *values, *sums)."""
    if not all(conditions.ids.values()):
        return []  # nothing can be one of none
    asked = tuple(dict.fromkeys("source_id" if name in OF_SOURCES else name for name in by))
    kept_since = records_since(database().alias)
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(spans), _SPANS_PER_QUERY):
        some = spans[start : start + _SPANS_PER_QUERY]
        queries = [
            query
            for number, span in enumerate(some, start)
            for query in _queries(number, span, conditions, asked, sums, kept_since)
        ]
        if queries:
            rows += _ask(queries, by, sums, only=start if len(some) == 1 else None)
    if conditions.failed is False:  # where all failed, all less the failed is nothing
        return [row for row in rows if any(row[1 + len(by) :])]
    return rows


def _ask(queries: Sequence[str], by: Sequence[str], sums: Sequence[str], only: int | None) -> list[tuple[Any, ...]]:
    """Return what `queries` give together, of several spans or of that with the number `only`."""
    span = "pieces.span" if only is None else str(only)
    key = ", ".join((span, *(OF_SOURCES.get(name, f"pieces.{name}") for name in by)))
    totals = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in sums)
    # SQLite sorts by these, and a first one that all rows have alike takes it half as long again. Without any there would
    # be a row even of nothing.
    is_needed = only is None or not by
    places = ", ".join(str(place) for place in range(1 if is_needed else 2, len(by) + 2))
    joined = WITH_SOURCES if any(name in OF_SOURCES for name in by) else ""
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, {totals} FROM ({' UNION ALL '.join(queries)}) AS pieces {joined} GROUP BY {places}"
        )
        return list(cursor.fetchall())


def _grains(conditions: Conditions, by: Sequence[str]) -> tuple[Grain, ...]:
    """The tables that know all dimensions of the question, the coarsest first."""
    needed = {*by, *conditions.ids}
    weeks, days, hours = (
        [grain for grain in some if needed <= set(grain.dimensions)] for some in (_WEEKS, _DAYS, _HOURS)
    )
    if conditions.only_failed:
        return (*_daily_failures(conditions, by), FAILURES)
    # Failures are taken off all to find what succeeded: where they are known by hours alone, days must be cut like those.
    is_odd = conditions.failed is False and DAILY.offset % HOUR and not _daily_failures(conditions, by)
    # A week of all sources and models has fewer rows than its days have, of one dimension more.
    is_long = days and days[0] is DAILY
    return (*(weeks[:1] if is_long and not is_odd else []), *([] if is_odd else days[:1]), hours[0])


def _daily_failures(conditions: Conditions, by: Sequence[str]) -> list[Grain]:
    """The daily table of failures that can tell, if one can."""
    needed = {*by, *conditions.ids, *(["status_code"] if conditions.codes else [])}
    return [grain for grain in (DAILY_FAILURE_KINDS, DAILY_FAILURES) if needed <= set(grain.dimensions)][:1]


def _queries(
    number: int, span: Span, conditions: Conditions, by: Sequence[str], sums: Sequence[str], pruned_until: int
) -> Iterator[str]:
    grains = _grains(conditions, by)
    for grain, piece in cut(span, grains):
        if grain is None and piece.until <= pruned_until:
            grain = grains[-1]  # without records an hour goes whole to the span in which it begins
        if grain is None:
            yield _of_records(number, piece, conditions, by, sums)
            continue
        yield _of_sums(number, grain, piece, conditions, by, sums)
        if conditions.failed is False:
            daily = _daily_failures(conditions, by) if grain.width > HOUR else []
            yield _of_sums(number, (*daily, FAILURES)[0], piece, conditions, by, sums, sign="-")


def cut(span: Span, grains: Sequence[Grain]) -> Iterator[tuple[Grain | None, Span]]:
    """Cut `span` into what each grain can answer, the coarsest first; None is what only records can."""
    if span.since >= span.until:
        return
    if not grains:
        yield None, span
        return
    grain, *finer = grains
    first, last = grain.end_of(span.since), grain.start_of(span.until)
    if first >= last:
        yield from cut(span, finer)
        return
    yield from cut(Span(span.since, first), finer)
    yield grain, Span(first, last)
    yield from cut(Span(last, span.until), finer)


def _of_sums(
    number: int,
    grain: Grain,
    span: Span,
    conditions: Conditions,
    by: Sequence[str],
    sums: Sequence[str],
    sign: str = "",
) -> str:
    where = [f"bucket >= {span.since}", f"bucket < {span.until}"]
    where += [f"{name} IN {listed(ids)}" for name, ids in conditions.ids.items()]
    if conditions.codes:
        where.append(one_of(conditions.codes))
    # Not grouped: to do that once, for all pieces together, takes SQLite half as long.
    columns = ", ".join((f"{number} AS span", *by, *(f"{sign}{name} AS {name}" for name in sums)))
    return f"SELECT {columns} FROM {grain.table} WHERE {' AND '.join(where)}"


def _of_records(number: int, span: Span, conditions: Conditions, by: Sequence[str], sums: Sequence[str]) -> str:
    """Grouped even where `by` is empty: without groups there would be a row even of nothing."""
    where = [f"requested_at >= {span.since}", f"requested_at < {span.until}", *of_records(conditions)]
    values = [f"{OF_RECORDS[name]} AS {name}" for name in by]
    figures = [f"{SUM_OF_RECORDS[name]} AS {name}" for name in sums]
    columns = ", ".join((f"{number} AS span", *values, *figures))
    places = ", ".join(str(place) for place in range(1, len(by) + 2))
    return f"SELECT {columns} FROM {RECORDS} WHERE {' AND '.join(where)} GROUP BY {places}"


def of_records(conditions: Conditions) -> list[str]:
    """Return what records must fulfil, in terms of their columns alone: an index may know them."""
    where = []
    for name, ids in conditions.ids.items():
        one = f"{name} IN {listed(ids)}"
        where.append(f"({one} OR {name} IS NULL)" if name in _MAY_BE_MISSING and 0 in ids else one)
    if conditions.only_failed or conditions.failed is False:
        where.append("failed" if conditions.only_failed else "NOT failed")
    if conditions.codes:
        where.append(one_of(conditions.codes, OF_RECORDS["status_code"]))
    return where


def listed(ids: Iterable[int]) -> str:
    """Ids are our own integers, and may be more than a statement takes parameters."""
    return f"({', '.join(str(int(one)) for one in sorted(ids))})"


def one_of(codes: Iterable[CodeRange], column: str = "status_code") -> str:
    return f"({' OR '.join(f'{column} BETWEEN {int(first)} AND {int(last)}' for first, last in codes)})"
