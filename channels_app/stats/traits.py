"""Usage by what no sum knows: endpoint, effort and service tier, read from the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from channels_app.stats.conditions import Conditions, of_records
from channels_app.stats.database import database
from channels_app.stats.each_span import of_each
from channels_app.stats.questions import Group, Series
from channels_app.stats.tables import PARTS_PER_QUERY
from usage.ingest.grains import RECORDS, SUM_OF_RECORDS
from usage.models import RequestTraits

# Attributes of RequestTraits.
TRAITS = {"endpoint": "endpoint", "effort": "reasoning_effort", "tier": "tier"}
# To read them takes SQLite 2 µs each, or more.
MOST = 100_000


def series_by_trait(edges: Sequence[int], conditions: Conditions, trait: str, sums: Sequence[str]) -> Series:
    """Return usage by one of TRAITS and by time, of the records that are kept between the `edges` (microseconds since 1970
    UTC). Many rows of RequestTraits have the same value: a group is the lowest id of its own.
    """
    rows = list(_rows(edges, conditions, sums))
    lowest = _lowest({traits for _place, traits, *_sums in rows}, trait)
    groups: dict[Group, list[Sequence[int]]] = {}
    for place, traits, *figures in rows:
        line = groups.setdefault((lowest[traits],), [[0] * len(sums) for _interval in pairwise(edges)])
        line[place] = [one + other for one, other in zip(line[place], figures, strict=True)]
    return Series(edges, sums, groups)


def names_of_traits(trait: str, groups: Sequence[Group]) -> list[str]:
    """Return the value of each group; empty where requests told none."""
    rows = RequestTraits.objects.in_bulk([pk for (pk,) in groups if pk])
    return [getattr(rows[pk or 0], TRAITS[trait]) for (pk,) in groups]


def _lowest(ids: set[int], trait: str) -> dict[int, int]:
    """Return for each id the lowest of all ids that have the same value."""
    values = {row.pk: getattr(row, TRAITS[trait]) for row in RequestTraits.objects.order_by("-pk")}
    by_value = {value: pk for pk, value in values.items()}
    return {pk: by_value[values[pk]] for pk in ids}


def _rows(edges: Sequence[int], conditions: Conditions, sums: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield place, id of the traits, and sums."""
    if not all(conditions.ids.values()):
        return
    figures = ", ".join(f"CAST({SUM_OF_RECORDS[name]} AS BIGINT) AS {name}" for name in sums)
    spans = [(since, until, place) for place, (since, until) in enumerate(pairwise(edges))]

    def of_one(within: str, place: str) -> str:
        where = " AND ".join([within, *of_records(conditions)])
        return f"SELECT {place} AS place, traits_id, {figures} FROM {RECORDS} WHERE {where} GROUP BY traits_id"

    with database().cursor() as cursor:
        for first in range(0, len(spans), PARTS_PER_QUERY):
            cursor.execute(of_each(spans[first : first + PARTS_PER_QUERY], of_one))
            yield from cursor.fetchall()
