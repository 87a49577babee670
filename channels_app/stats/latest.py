"""What no sum knows, told of the latest requests alone: by which names models were asked for, and by which endpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from channels_app.stats.conditions import Conditions, Span, of_records
from channels_app.stats.database import database
from channels_app.stats.each_span import ends, of_each
from channels_app.stats.occurrences import stretches
from usage.ingest.grains import RECORDS

# To read them takes SQLite 2 to 6 µs each, on each page of a channel, account, model or key.
MOST = 2_000


class Latest(NamedTuple):
    """`requests` of each combination of values; `read` is how many requests these are of."""

    requests: Counter[tuple[int, ...]]
    read: int

    @property
    def is_all(self) -> bool:
        """Whether there are no others."""
        return self.read < MOST

    def by(self, place: int) -> Counter[int]:
        """Count by one of the columns alone."""
        found = Counter[int]()
        for values, count in self.requests.items():
            found[values[place]] += count
        return found


def latest(span: Span, conditions: Conditions, columns: Sequence[str]) -> Latest:
    """Count the latest requests of `span` that fulfil `conditions` by columns of the records (`alias_id`, `traits_id` …)."""
    requests = Counter[tuple[int, ...]]()
    for spans in stretches(span, conditions, MOST, descending=True, piecemeal=True):
        if left := MOST - requests.total():
            requests.update(_ask(spans, conditions, columns, left))
        else:
            break
    return Latest(requests, requests.total())


def _ask(spans: Sequence[Span], conditions: Conditions, columns: Sequence[str], most: int) -> Counter[tuple[int, ...]]:
    """The newest of each span come first, and not more than are wanted."""
    names = ", ".join(columns)
    pieces = of_each(
        ends(spans),
        lambda within: (
            f"SELECT requested_at, {names} FROM {RECORDS} WHERE {' AND '.join([within, *of_records(conditions)])} "
            f"ORDER BY requested_at DESC LIMIT {most}"
        ),
    )
    places = ", ".join(str(place) for place in range(1, len(columns) + 1))
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT {names}, COUNT(*) FROM (SELECT * FROM ({pieces}) AS pieces ORDER BY requested_at DESC LIMIT {most}) "
            f"AS newest GROUP BY {places}"
        )
        return Counter({tuple(row[:-1]): row[-1] for row in cursor.fetchall()})
