"""The same question of each of many spans, each by itself, so that an index gives of each what comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from channels_app.stats.conditions import Span
from channels_app.stats.database import database

# Since and until in microseconds since 1970 UTC, and what else is of each span.
_Numbers = tuple[int, ...]


def ends(spans: Iterable[Span]) -> list[_Numbers]:
    return [(span.since, span.until) for span in spans]


def of_each(spans: Sequence[_Numbers], query: Callable[..., str]) -> str:
    """Return in SQL the rows that `query` finds of each of `spans`. It is told, in SQL, too, what records within the span
    fulfil, and the further numbers of the span.

    SQLite gets a part for each span, of which it takes 500; PostgreSQL, which would plan each of these for half a
    millisecond, one for all.
    """
    if not _are_one_part():
        return " UNION ALL ".join(f"SELECT * FROM ({_of_one(query, map(str, numbers))}) AS piece" for numbers in spans)
    names = [f"number_{at}" for at in range(len(spans[0]))]
    rows = ", ".join(f"({', '.join(map(str, numbers))})" for numbers in spans)
    # Without the last word it would join all that there is with the spans.
    piece = f"SELECT piece.* FROM ({_of_one(query, (f'spans.{name}' for name in names))}) AS piece OFFSET 0"
    return f"SELECT piece.* FROM (VALUES {rows}) AS spans ({', '.join(names)}) CROSS JOIN LATERAL ({piece}) AS piece"


def values_of_each(spans: Sequence[_Numbers], values: Sequence[str]) -> list[str]:
    """Return the parameters of `of_each` where its `query` has these."""
    return [*values] * (1 if _are_one_part() else len(spans))


def _are_one_part() -> bool:
    return database().vendor == "postgresql"


def _of_one(query: Callable[..., str], numbers: Iterable[str]) -> str:
    since, until, *others = numbers
    return query(f"requested_at >= {since} AND requested_at < {until}", *others)
