"""The same question of each of many spans, each by itself, so that an index gives of each what comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from channels_app.stats.conditions import Span
from channels_app.stats.database import database

# Since and until in microseconds since 1970 UTC, and what else is of each span.
_Numbers = tuple[int, ...]


def ends(spans: Iterable[Span]) -> list[_Numbers]:
    return [(span.since, span.until) for span in spans]


def of_each(
    spans: Sequence[_Numbers], query: Callable[..., str], values: Sequence[str] = ()
) -> tuple[str, Sequence[str]]:
    """Return in SQL the rows that `query` finds for the numbers of each of `spans`, with the `values` of its parameters.

    It is told these in SQL, too. SQLite gets a part for each span, of which it takes 500; PostgreSQL, which would plan
    each of these for half a millisecond, one for all.
    """
    if database().vendor == "postgresql":
        names = [f"number_{at}" for at in range(len(spans[0]))]
        rows = ", ".join(f"({', '.join(map(str, numbers))})" for numbers in spans)
        each = query(*(f"spans.{name}" for name in names))
        # Without the last word it would join all that there is with the spans.
        piece = f"SELECT piece.* FROM ({each}) AS piece OFFSET 0"
        return (
            f"SELECT piece.* FROM (VALUES {rows}) AS spans ({', '.join(names)}) CROSS JOIN LATERAL ({piece}) AS piece",
            values,
        )
    parts = (f"SELECT * FROM ({query(*map(str, numbers))}) AS piece" for numbers in spans)
    return " UNION ALL ".join(parts), [*values] * len(spans)
