"""What became of the calls of clients, which may have taken several attempts each (`ui.md` 1 and M05).

A call counts where one of its attempts is asked for; what became of it is told by all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import add
from typing import NamedTuple

from channels_app.stats.conditions import EVERYTHING, NOTHING, Conditions, Span, of_records
from channels_app.stats.current import Basis
from channels_app.stats.database import database
from channels_app.stats.questions import totals
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from channels_app.stats.tables import aggregate, cut
from channels_app.stats.usage import Usage
from usage.ingest.attempts import (
    FAR,
    HOURS,
    OF_ATTEMPTS,
    TABLE,
    AttemptRow,
    ClientRequest,
    client_requests,
    stale_stretches,
)
from usage.ingest.grains import DAILY, HOUR, HOURLY
from usage.ingest.rollup import records_since
from usage.models import Attempt, Source, UsageRecord
from usage.models.fields import to_micros

# Of fewer records with an id, nobody can tell which of them belong together.
_ENOUGH_IDS = 0.95
_IDS_AT_ONCE = 10_000
# The sums that tell of calls with one attempt.
OF_SINGLES = ("requests", "failed", "without_request_id")
PATHS = {"channel": "channel_id", "account": "account_id", "source": "source_id"}


@dataclass(frozen=True, slots=True)
class Calls:
    """Client requests; a None is a value that does not exist.

    `attempts` are all of theirs, of which `asked` fulfil the conditions; `identified` of these have a request id.
    """

    asked: int = 0
    identified: int = 0
    requests: int = 0
    succeeded: int = 0
    rescued: int = 0
    attempts: int = 0

    @property
    def lost(self) -> int:
        return self.requests - self.succeeded

    @property
    def are_known(self) -> bool:
        """Whether enough records tell which call they served."""
        return self.requests > 0 and self.identified >= _ENOUGH_IDS * self.asked

    @property
    def success_rate(self) -> float | None:
        return self.succeeded / self.requests if self.are_known else None

    @property
    def attempts_per_request(self) -> float | None:
        return self.attempts / self.requests if self.are_known else None


class Path(NamedTuple):
    """The channels (accounts, sources) that calls went through, one for each attempt; None is what is unknown."""

    ids: tuple[int | None, ...]
    rescued: int
    lost: int

    @property
    def requests(self) -> int:
        return self.rescued + self.lost


def calls(span: Span, conditions: Conditions) -> Calls:
    """Return what became of the client requests that have an attempt in `span` that fulfils `conditions`."""
    if not all(conditions.ids.values()):
        return Calls()
    fresh = Fresh.of(span)
    stored = _Stored.of(span, conditions)
    several = _sum(
        stored.tally(),
        *(tally_of(*one) for one in fresh.asked(span, conditions)),
        less=[stored.tally(some) for some in fresh.instead_of],
    )
    found = aggregate(span, conditions, (), OF_SINGLES)
    return calls_of(found[0] if found else (0, 0, 0), several)


def calls_of(sums: Sequence[int], several: Tally) -> Calls:
    """Return all calls: those with several attempts, and the others, by the OF_SINGLES of all that is asked for."""
    asked, failed, without_id = sums
    singles, succeeded_singles = asked - several.asked, asked - failed - several.asked_ok
    return Calls(
        asked=asked,
        identified=asked - without_id,
        requests=singles + several.requests,
        succeeded=succeeded_singles + several.succeeded,
        rescued=several.rescued,
        attempts=singles + several.attempts,
    )


def paths(span: Span, conditions: Conditions, by: str) -> list[Path]:
    """Return the sequences of PATHS that client requests with failed attempts went through, the most frequent first."""
    if not all(conditions.ids.values()):
        return []
    fresh = Fresh.of(span)
    stored = _Stored.of(span, conditions)
    of_sources = stored.paths()
    for some in fresh.instead_of:
        of_sources += [(path, is_rescued, -count) for path, is_rescued, count in stored.paths(some)]
    of_sources += [
        (group[0].path, group[0].succeeded > 0, 1)
        for group, _asked in fresh.asked(span, conditions)
        if group[0].succeeded < len(group)
    ]
    steps = {path: path.split(",") for path, _is_rescued, _count in of_sources}
    units = _units(set(chain(*steps.values())), by)
    rescued, lost = Counter[tuple[int | None, ...]](), Counter[tuple[int | None, ...]]()
    for path, is_rescued, count in of_sources:
        (rescued if is_rescued else lost)[tuple([units[step] for step in steps[path]])] += count
    found = [Path(ids, rescued[ids], lost[ids]) for ids in rescued.keys() | lost.keys() if rescued[ids] + lost[ids]]
    return sorted(found, key=lambda path: (-path.requests, [one or 0 for one in path.ids]))


def wasted(span: Span, conditions: Conditions, basis: Basis = Basis.RECORDED) -> Usage:
    """Return what was spent on failed attempts."""
    return totals(span, NOTHING if conditions.failed is False else replace(conditions, failed=True), basis)


def attempts_of(record: UsageRecord) -> ClientRequest:
    """Return all attempts of the client request that `record` served, itself among them; none where it took but one."""
    at, alias = to_micros(record.requested_at), database().alias
    if record.request_id and stale_stretches(at - FAR, at + FAR, alias):
        for group in client_requests(at, at + 1, alias, request_id=record.request_id):
            if any(row.record_id == record.pk for row in group):
                return group
    stored = Attempt.objects.using(alias)
    group_of = stored.filter(pk=record.pk).values("client_request")
    rows = stored.filter(client_request__in=group_of).order_by("number").values_list(*AttemptRow._fields)
    return [AttemptRow(*row) for row in rows]


def attempts_among(rows: Sequence[UsageRecord]) -> dict[int, AttemptRow]:
    """Return, by its id, which attempt each of `rows` is whose client request took several."""
    if not rows:
        return {}
    times = [to_micros(row.requested_at) for row in rows]
    fresh = {one.record_id: one for one in fresh_attempts(Span(min(times), max(times) + 1))}
    stored = Attempt.objects.using(database().alias).filter(pk__in=[row.pk for row in rows])
    known = {one[0]: AttemptRow(*one) for one in stored.values_list(*AttemptRow._fields)}
    return {row.pk: found for row in rows if (found := fresh.get(row.pk) or known.get(row.pk))}


def fresh_attempts(span: Span) -> Iterator[AttemptRow]:
    """Yield those around `span` that are not stored yet, or as they were before more came."""
    return chain(*Fresh.of(span).groups)


class Tally(NamedTuple):
    """Of calls with several attempts; `asked` and `asked_ok` are those attempts that are asked for."""

    asked: int = 0
    asked_ok: int = 0
    requests: int = 0
    succeeded: int = 0
    rescued: int = 0
    attempts: int = 0


def _sum(*tallies: Tally, less: Sequence[Tally]) -> Tally:
    more = map(sum, zip(*tallies, strict=True))
    return Tally(*(count - sum(one[at] for one in less) for at, count in enumerate(more)))


def tally_of(group: ClientRequest, asked: Sequence[AttemptRow]) -> Tally:
    succeeded = group[0].succeeded
    return Tally(
        len(asked), sum(not row.failed for row in asked), 1, int(succeeded > 0), int(0 < succeeded < len(group)),
        len(group),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fresh:
    """The calls of stale hours, grouped from their records; they stand for those that are stored as `instead_of`."""

    groups: list[ClientRequest]
    # Conditions, of so few calls each that they are looked up: to leave them out of all others takes much longer.
    instead_of: list[str]

    @classmethod
    def of(cls, span: Span) -> Fresh:
        using = database().alias
        groups = {
            group[0].record_id: group
            for stretch in stale_stretches(span.since - FAR, span.until + FAR, using)
            for group in client_requests(*stretch, using)
        }
        return cls(list(groups.values()), list(_stored_among(row.record_id for row in chain(*groups.values()))))

    def asked(self, span: Span, conditions: Conditions) -> Iterator[tuple[ClientRequest, list[AttemptRow]]]:
        """Yield those of which attempts are asked for, with these."""
        fulfils = _condition(span, conditions)
        for group in self.groups:
            if asked := [row for row in group if fulfils(row)]:
                yield group, asked


def _stored_among(ids: Iterable[int]) -> Iterator[str]:
    """Yield which calls are stored by these ids: a call's is that of its first record, and calls only grow."""
    every = sorted(ids)
    for at in range(0, len(every), _IDS_AT_ONCE):
        yield f"client_request IN ({', '.join(map(str, every[at : at + _IDS_AT_ONCE]))})"


def _condition(span: Span, conditions: Conditions) -> Callable[[AttemptRow], bool]:
    span, ids = span_of_attempts(span), conditions.ids
    failed = True if conditions.codes else conditions.failed

    def fulfils(row: AttemptRow) -> bool:
        return (
            span.since <= row.requested_at < span.until
            and all(getattr(row, name) in wanted for name, wanted in ids.items())
            and failed in (None, row.failed)
            and (
                not conditions.codes or any(first <= (row.status_code or 0) <= last for first, last in conditions.codes)
            )
        )

    return fulfils


def span_of_attempts(span: Span) -> Span:
    """Where there are no records, an hour goes whole to the span in which it begins, as its sums do."""
    kept_since = once(records_since)
    return Span(
        _snapped(span.since) if min(_snapped(span.since), span.until) <= kept_since else span.since,
        _snapped(span.until) if span.until <= kept_since else span.until,
    )


def _snapped(moment: int) -> int:
    return moment if DAILY.start_of(moment) == moment else HOURLY.end_of(moment)


# Of attempts of one call, in the order of Tally.
_OF_CALLS = (
    "COUNT(*)", "SUM(CASE WHEN succeeded > 0 THEN 1 ELSE 0 END)",
    "SUM(CASE WHEN succeeded > 0 AND succeeded < attempts THEN 1 ELSE 0 END)", "SUM(attempts)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Stored:
    """The calls that are stored and have attempts that are asked for; `among` is a condition that narrows them down."""

    span: Span
    conditions: Conditions

    @classmethod
    def of(cls, span: Span, conditions: Conditions) -> _Stored:
        return cls(span_of_attempts(span), conditions)

    def tally(self, among: str = "") -> Tally:
        if self.conditions == EVERYTHING and not among:
            return self._tally_of_all()
        where = self._where(among or "1 = 1")
        calls = f"(SELECT DISTINCT client_request, succeeded, attempts FROM {TABLE} WHERE {where}) AS calls"
        asked = list(OF_ATTEMPTS.values())[:2]
        return Tally(*_sums(asked, f"{TABLE} WHERE {where}"), *_sums(_OF_CALLS, calls))

    def _tally_of_all(self) -> Tally:
        """The first attempt stands for its call, but for calls that began before the span. Whole hours are added up already."""
        counts = [0] * len(OF_ATTEMPTS)
        for grain, piece in cut(self.span, (HOURLY,)):
            of_records = f"{TABLE} WHERE requested_at >= {piece.since} AND requested_at < {piece.until}"
            of_hours = f"{HOURS} WHERE hour >= {piece.since} AND hour < {piece.until}"
            found = (
                _sums(OF_ATTEMPTS.values(), of_records)
                if grain is None
                else _sums([f"SUM({name})" for name in OF_ATTEMPTS], of_hours)
            )
            counts = [*map(add, counts, found)]
        asked, asked_ok, *of_calls = counts
        return Tally(asked, asked_ok, *map(add, of_calls, self._begun_before()))

    def _begun_before(self) -> Sequence[int]:
        """Return the _OF_CALLS of those that began before the span and go on within it."""
        since, until = self.span.since, self.span.until
        (last,) = _sums(
            ["MAX(hour)"], f"{HOURS} WHERE first_began_at < {since} AND hour > {since - HOUR} AND hour < {until}"
        )
        where = f"requested_at >= {since} AND requested_at < {min(until, last + HOUR)} AND began_at < {since}"
        return _sums(
            _OF_CALLS, f"(SELECT DISTINCT client_request, succeeded, attempts FROM {TABLE} WHERE {where}) AS calls"
        )

    def paths(self, among: str = "1 = 1") -> list[tuple[str, bool, int]]:
        """Return each path of sources, whether these calls were rescued, and how many those are."""
        columns = "path, CASE WHEN succeeded > 0 THEN 1 ELSE 0 END AS is_rescued"
        calls = self._calls(f"{among} AND succeeded < attempts", columns)
        with database().cursor() as cursor:
            cursor.execute(f"SELECT path, is_rescued, COUNT(*) FROM ({calls}) AS calls GROUP BY path, is_rescued")
            return [(path, bool(is_rescued), count) for path, is_rescued, count in cursor.fetchall()]

    def _calls(self, among: str, columns: str) -> str:
        """Return a query for each call once.

        Where all attempts are asked for, the first stands for its call: to find out which are of one call takes SQLite
        longer than all else.
        """
        each_once = f"SELECT DISTINCT client_request, {columns} FROM {TABLE} WHERE {self._where(among)}"
        if self.conditions != EVERYTHING:
            return each_once
        begun_within = f"SELECT client_request, {columns} FROM {TABLE} WHERE {self._where(among)} AND number = 1"
        return f"{begun_within} UNION ALL {each_once} AND began_at < {self.span.since}"

    def _where(self, among: str) -> str:
        within = (f"requested_at >= {self.span.since}", f"requested_at < {self.span.until}")
        return " AND ".join((*within, *of_records(self.conditions), among))


def _sums(columns: Iterable[str], table: str) -> Sequence[int]:
    totals = ", ".join(f"CAST(COALESCE({column}, 0) AS BIGINT)" for column in columns)
    with database().cursor() as cursor:
        cursor.execute(f"SELECT {totals} FROM {table}")
        return tuple(cursor.fetchone())


def _units(sources: Collection[str], by: str) -> dict[str, int | None]:
    """Return what each source (its id, as paths have it) is by now."""
    if not sources or by == "source":
        return {one: int(one) for one in sources}
    pieces = f"SELECT id AS source_id FROM {Source._meta.db_table} WHERE id IN ({', '.join(sources)})"
    with database().cursor() as cursor:
        cursor.execute(f"SELECT source_id, {OF_SOURCES[PATHS[by]]} FROM ({pieces}) AS pieces {WITH_SOURCES}")
        return {str(source): unit for source, unit in cursor.fetchall()}
