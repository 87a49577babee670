"""Totals, breakdowns and time series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from channels_app.stats.tables import NOTHING, Conditions, Span, aggregate, aggregate_each
from channels_app.stats.usage import Usage
from usage.ingest.rollup import SUMS
from usage.models import Source

# What usage can be broken down by: the dimension of the tables that it is made of.
DIMENSIONS = {
    "server": "source_id",
    "channel": "source_id",
    "account": "source_id",
    "source": "source_id",
    "model": "model_id",
    "key": "api_key_id",
    "code": "status_code",
}

# Of one row: the ids (None: unknown) by which it was broken down.
Group = tuple[int | None, ...]


def totals(span: Span, conditions: Conditions) -> Usage:
    rows = aggregate(span, conditions, ())
    return Usage(*rows[0]) if rows else Usage()


def breakdown(span: Span, conditions: Conditions, by: Sequence[str]) -> dict[Group, Usage]:
    """Return usage for each combination of these DIMENSIONS (ids of rows; `code`: of failures alone)."""
    columns, conditions = _columns(by), _narrowed(conditions, by)
    groups: dict[Group, Usage] = {}
    rows = aggregate(span, conditions, columns)
    finders = [_finder(name, columns) for name in by]
    for row in rows:
        group = tuple(find(row) for find in finders)
        usage = Usage(*row[len(columns) :])
        if group in groups:
            groups[group].add(usage)
        else:
            groups[group] = usage
    return groups


def top(groups: Mapping[Group, Usage], limit: int) -> tuple[dict[Group, Usage], Usage | None]:
    """Return the `limit` largest groups by tokens, the unknown ones after them, and the sum of the others.

    What is unknown is never hidden among others.
    """
    ordered = sorted(groups.items(), key=lambda item: (None in item[0], -item[1].total_tokens, -item[1].requests))
    unknown = [item for item in ordered if None in item[0]]
    known = ordered[: len(ordered) - len(unknown)]
    other = Usage()
    for _group, usage in known[limit:]:
        other.add(usage)
    return dict([*known[:limit], *unknown]), other if known[limit:] else None


def _columns(by: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(DIMENSIONS[name] for name in by))


def _narrowed(conditions: Conditions, by: Sequence[str]) -> Conditions:
    """Codes are told of failures alone."""
    if "code" not in by:
        return conditions
    return NOTHING if conditions.failed is False else replace(conditions, failed=True)


def _finder(name: str, columns: Sequence[str]) -> Callable[[Sequence[int]], int | None]:
    """Return what finds the id of a dimension in a row of `columns`."""
    place = columns.index(DIMENSIONS[name])
    if name not in _OF_SOURCES:
        return lambda row: row[place]
    ids = _OF_SOURCES[name]()
    return lambda row: ids.get(row[place])


def _channels() -> dict[int, int | None]:
    rows = Source.objects.values_list("pk", "account__channel", "channel")
    return {pk: of_account or channel for pk, of_account, channel in rows}


_OF_SOURCES: Mapping[str, Callable[[], dict[int, int | None]]] = {
    "server": lambda: dict(Source.objects.values_list("pk", "instance")),
    "channel": _channels,
    "account": lambda: dict(Source.objects.values_list("pk", "account")),
}


class Series(NamedTuple):
    """For each group, the `sums` of each interval between two `edges` (microseconds since 1970 UTC)."""

    edges: Sequence[int]
    sums: Sequence[str]
    groups: dict[Group, list[list[int]]]


def series(edges: Sequence[int], conditions: Conditions, by: Sequence[str] = (), sums: Sequence[str] = SUMS) -> Series:
    """Return usage by time for any `edges`, exact where they cut an hour too."""
    columns, conditions = _columns(by), _narrowed(conditions, by)
    finders = [_finder(name, columns) for name in by]
    groups: dict[Group, list[list[int]]] = {}
    intervals = [Span(*edges_of_one) for edges_of_one in pairwise(edges)]
    for number, *row in aggregate_each(intervals, conditions, columns, sums):
        group = tuple(find(row) for find in finders)
        if group not in groups:
            groups[group] = [[0] * len(sums) for _interval in intervals]
        line = groups[group]
        line[number] = [old + new for old, new in zip(line[number], row[len(columns) :], strict=True)]
    return Series(edges, sums, groups)
