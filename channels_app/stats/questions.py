"""Totals, breakdowns and time series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

from channels_app.stats import current, tables
from channels_app.stats.conditions import NOTHING, Conditions, Span
from channels_app.stats.current import Basis
from channels_app.stats.usage import Usage
from usage.ingest.grains import SUMS

# What usage can be broken down by, and the dimension of the tables that it is.
DIMENSIONS = {
    "server": "instance_id",
    "channel": "channel_id",
    "account": "account_id",
    "source": "source_id",
    "model": "model_id",
    "key": "api_key_id",
    "code": "status_code",
    "message": "message_id",
}
OF_FAILURES = ("code", "message")

# Of one row: the ids (None: unknown) by which it was broken down.
Group = tuple[int | None, ...]


def totals(span: Span, conditions: Conditions, basis: Basis = Basis.RECORDED) -> Usage:
    rows = aggregate(span, conditions, (), basis)
    return Usage(*rows[0]) if rows else Usage()


def breakdown(
    span: Span, conditions: Conditions, by: Sequence[str], basis: Basis = Basis.RECORDED
) -> dict[Group, Usage]:
    """Return usage for each combination of these DIMENSIONS (ids of rows; OF_FAILURES: of these alone)."""
    rows = aggregate(span, narrowed(conditions, by), [DIMENSIONS[name] for name in by], basis)
    return {tuple(row[: len(by)]): Usage(*row[len(by) :]) for row in rows}


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


def aggregate(
    span: Span,
    conditions: Conditions,
    by: Sequence[str],
    basis: Basis = Basis.RECORDED,
    sums: Sequence[str] = SUMS,
) -> list[tuple[Any, ...]]:
    """Return these sums of `span` for each value of the dimensions of tables `by`: (*values, *sums)."""
    return [row[1:] for row in _OF_BASIS[basis]([span], conditions, by, sums)]


_OF_BASIS = {Basis.RECORDED: tables.aggregate_each, Basis.CURRENT: current.aggregate_each}


def narrowed(conditions: Conditions, by: Sequence[str]) -> Conditions:
    """Codes and messages are told of failures alone."""
    if not any(name in OF_FAILURES for name in by):
        return conditions
    return NOTHING if conditions.failed is False else replace(conditions, failed=True)


class Series(NamedTuple):
    """For each group, the `sums` of each interval between two `edges` (microseconds since 1970 UTC)."""

    edges: Sequence[int]
    sums: Sequence[str]
    groups: dict[Group, list[Sequence[int]]]


def series(
    edges: Sequence[int],
    conditions: Conditions,
    by: Sequence[str] = (),
    sums: Sequence[str] = SUMS,
    basis: Basis = Basis.RECORDED,
) -> Series:
    """Return usage by time for any `edges`, exact where they cut an hour too."""
    intervals = [Span(*ends) for ends in pairwise(edges)]
    groups: dict[Group, list[Sequence[int]]] = {}
    dimensions, nothing, first_sum = [DIMENSIONS[name] for name in by], (0,) * len(sums), 1 + len(by)
    for row in _OF_BASIS[basis](intervals, narrowed(conditions, by), dimensions, sums):
        group = row[1:first_sum]
        if group not in groups:
            groups[group] = [nothing] * len(intervals)
        groups[group][row[0]] = row[first_sum:]
    return Series(edges, sums, groups)
