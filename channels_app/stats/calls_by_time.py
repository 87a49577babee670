"""What became of the calls of clients (client_requests.py) in each interval, and by what served them.

A call counts in each interval, and in each group, in which one of its attempts is asked for: so neither add up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

from channels_app.stats.client_requests import (
    OF_SINGLES,
    Calls,
    Fresh,
    Tally,
    calls_of,
    span_of_attempts,
    tally_of,
)
from channels_app.stats.conditions import Conditions, Span, of_records
from channels_app.stats.database import database
from channels_app.stats.questions import DIMENSIONS, Group, series
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from usage.ingest.attempts import TABLE, AttemptRow
from usage.models import Source

# Attempts are stored with these.
KNOWN_OF_ATTEMPTS = ("server", "channel", "account", "model", "key")


class CallsBy(NamedTuple):
    """Of each group in each interval, and in all of them, where a call that lasts from one to the next counts once."""

    lines: dict[Group, list[Calls]]
    whole: dict[Group, Calls]


def calls_by(edges: Sequence[int], conditions: Conditions, by: Sequence[str] = ()) -> CallsBy:
    """Return client requests by some of KNOWN_OF_ATTEMPTS between two `edges` each (microseconds since 1970 UTC)."""
    if not all(conditions.ids.values()):
        return CallsBy({}, {})
    sums = series(edges, conditions, by, OF_SINGLES).groups
    each, whole = _several(edges, conditions, by)
    return CallsBy(
        {
            group: [calls_of(one, each.get((place, group), Tally())) for place, one in enumerate(line)]
            for group, line in sums.items()
        },
        {
            group: calls_of([sum(column) for column in zip(*line, strict=True)], whole.get(group, Tally()))
            for group, line in sums.items()
        },
    )


# Of each interval and group, and of each group.
_Several = tuple[dict[tuple[int, Group], Tally], dict[Group, Tally]]


def _several(edges: Sequence[int], conditions: Conditions, by: Sequence[str]) -> _Several:
    """Return the calls with several attempts."""
    fresh = Fresh.of(Span(edges[0], edges[-1]))
    stored = _Stored([Span(*ends) for ends in pairwise(edges)], conditions, by)
    each, whole = defaultdict[tuple[int, Group], Tally](Tally), defaultdict[Group, Tally](Tally)
    rows = [(1, row) for row in stored.rows("1 = 1")]
    rows += [(-1, row) for some in fresh.instead_of for row in stored.rows(some)]
    for sign, row in [*rows, *((1, row) for row in _of_fresh(fresh, edges, conditions, by))]:
        if row.place is not None:
            each[row.place, row.group] = _added(each[row.place, row.group], row.tally, sign)
        if row.is_of_whole:
            whole[row.group] = _added(whole[row.group], row.tally, sign)
    return each, whole


class _Row(NamedTuple):
    """Calls of a group, in an interval and in the whole, or in but one of these."""

    place: int | None
    group: Group
    tally: Tally
    is_of_whole: bool = True


def _added(one: Tally, other: Tally, sign: int) -> Tally:
    return Tally(*map(add, one, (sign * count for count in other)))


class _Stored:
    """The calls that are stored; `among` is a condition that narrows them down."""

    def __init__(self, spans: Sequence[Span], conditions: Conditions, by: Sequence[str]) -> None:
        spans = [span_of_attempts(span) for span in spans]
        values = ", ".join(f"({place}, {span.since}, {span.until})" for place, span in enumerate(spans))
        self._with = f"WITH spans (place, since, until) AS (VALUES {values})"
        self._within = "requested_at >= since AND requested_at < until"
        self._where = " AND ".join((self._within, *of_records(conditions)))
        self._names = [DIMENSIONS[name] for name in by]

    def rows(self, among: str) -> Iterator[_Row]:
        """Yield all of each interval, and what that counts too often of the whole."""
        figures = (
            "SUM(asked)", "SUM(asked_ok)", "COUNT(*)", "SUM(CASE WHEN succeeded > 0 THEN 1 ELSE 0 END)",
            "SUM(CASE WHEN succeeded > 0 AND succeeded < attempts THEN 1 ELSE 0 END)", "SUM(attempts)",
        )  # fmt: skip
        names = ", ".join(("place", *self._names))
        sums = ", ".join(f"CAST({figure} AS BIGINT)" for figure in figures)
        for place, *row in self._ask(f"SELECT {names}, {sums} FROM ({self._calls(among)}) AS calls GROUP BY {names}"):
            yield _Row(place, tuple(row[:-6]), Tally(*row[-6:]))
        last = f"{among} AND client_request IN ({self._lasting(among)})"
        names = ", ".join(("client_request", *self._names))
        repeated = f"COUNT(*) - 1, MAX(succeeded), MAX(attempts) FROM ({self._calls(last)}) AS calls"
        for _call, *group, times, succeeded, attempts in self._ask(
            f"SELECT {names}, {repeated} GROUP BY {names} HAVING COUNT(*) > 1"
        ):
            rescued = 0 < succeeded < attempts
            counts = (times * count for count in (1, int(succeeded > 0), int(rescued), attempts))
            yield _Row(None, tuple(group), Tally(0, 0, *(-count for count in counts)))

    def _calls(self, among: str) -> str:
        """Return a query for each call once for each interval and group."""
        attempts = (
            f"SELECT place, source_id, model_id, api_key_id, client_request, failed, succeeded, attempts "
            f"FROM spans CROSS JOIN {TABLE} WHERE {self._where} AND {among}"
        )
        keys = "".join(f", {OF_SOURCES.get(name, f'pieces.{name}')} AS {name}" for name in self._names)
        joined = WITH_SOURCES if any(name in OF_SOURCES for name in self._names) else ""
        return (
            f"SELECT client_request{keys}, place, COUNT(*) AS asked, SUM(CASE WHEN failed THEN 0 ELSE 1 END) AS asked_ok, "
            f"MAX(succeeded) AS succeeded, MAX(attempts) AS attempts "
            f"FROM ({attempts}) AS pieces {joined} GROUP BY {', '.join(map(str, range(1, 3 + len(self._names))))}"
        )

    def _lasting(self, among: str) -> str:
        """Return a query for the calls that go on from an interval to a later one."""
        return (
            f"SELECT client_request FROM spans CROSS JOIN {TABLE} "
            f"WHERE {self._within} AND began_at < since AND place > 0 AND {among}"
        )

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with database().cursor() as cursor:
            cursor.execute(f"{self._with} {query}")
            return list(cursor.fetchall())


def _of_fresh(fresh: Fresh, edges: Sequence[int], conditions: Conditions, by: Sequence[str]) -> Iterator[_Row]:
    names = [DIMENSIONS[name] for name in by]
    sources = _sources(names) if fresh.groups else {}
    for call, asked in fresh.asked(Span(edges[0], edges[-1]), conditions):
        parts: dict[tuple[Group, int], list[AttemptRow]] = {}
        for row in asked:
            group = tuple(_unit(row, name, sources) for name in names)
            parts.setdefault((group, bisect_right(edges, row.requested_at) - 1), []).append(row)
        seen = set[Group]()
        for (group, place), rows in parts.items():
            tally = tally_of(call, rows)
            yield _Row(place, group, tally, is_of_whole=group not in seen)
            if group in seen:
                yield _Row(None, group, Tally(*tally[:2]))
            seen.add(group)


def _unit(row: AttemptRow, name: str, sources: dict[int, dict[str, int | None]]) -> int | None:
    return sources[row.source_id][name] if name in OF_SOURCES else getattr(row, name)


def _sources(names: Iterable[str]) -> dict[int, dict[str, int | None]]:
    """Return what each source is by now, of these of OF_SOURCES."""
    asked = [name for name in names if name in OF_SOURCES]
    if not asked:
        return {}
    columns = ", ".join(OF_SOURCES[name] for name in asked)
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT source_id, {columns} FROM (SELECT id AS source_id FROM {Source._meta.db_table}) AS pieces {WITH_SOURCES}"
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {source: dict(zip(asked, values, strict=True)) for source, *values in rows}
