"""How long a span lasted so far, and how much of it nobody was there to record (`ui.md` M19, M30)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from django.utils import timezone

from channels_app.stats.conditions import Span
from channels_app.stats.remembering import once
from channels_app.stats.spans import both, union
from usage.freshness import late
from usage.models import CollectionGap, Instance
from usage.models.fields import to_micros

_MINUTE = 60_000_000


class Elapsed(NamedTuple):
    """In minutes, until now: all of them; those with a gap; and those in which something was recorded or could have been."""

    minutes: float
    in_gaps: float
    recorded: float


def elapsed(span: Span, servers: frozenset[int] | None, now: int) -> Elapsed:
    """Return how long `span` lasted until `now` (microseconds since 1970 UTC) for these servers (None: all).

    While only some of them have a gap, the others are recorded.
    """
    until = max(span.since, min(span.until, now))
    of_each = _gaps_of_each(Span(span.since, until), servers)
    minutes = (until - span.since) / _MINUTE
    in_all = length(_in_all(of_each))
    return Elapsed(minutes, length(union(span for some in of_each for span in some)), minutes - in_all)


def recorded_minutes(edges: Sequence[int], servers: frozenset[int] | None, now: int) -> list[float]:
    """Return how long each interval between two `edges` was recorded, as `elapsed` does."""
    missing = _in_all(_gaps_of_each(Span(edges[0], edges[-1]), servers))
    found = []
    for since, end in pairwise(edges):
        interval = Span(since, max(since, min(end, now)))
        found.append(length([interval]) - length(both([interval], missing)))
    return found


def _gaps_of_each(span: Span, servers: frozenset[int] | None) -> list[list[Span]]:
    asked = list(servers) if servers is not None else list(Instance.objects.values_list("pk", flat=True))
    return [gaps(span, frozenset({server})) for server in asked]


def _in_all(of_each: Sequence[Sequence[Span]]) -> Sequence[Span]:
    """Return when none of the servers was recorded."""
    in_all = of_each[0] if of_each else []
    for others in of_each[1:]:
        in_all = both(in_all, others)
    return in_all


def gaps(span: Span, servers: frozenset[int] | None) -> list[Span]:
    """Return when records of any of these servers (None: all) may be missing, in order, in spans that do not touch."""
    return union(
        Span(max(gap.since, span.since), min(gap.until, span.until))
        for server, gap in once(_all_gaps)
        if (servers is None or server in servers) and gap.since < span.until and gap.until > span.since
    )


def _all_gaps(using: str) -> list[tuple[int, Span]]:
    """Return every gap, and of which server: there are few, and a page asks five times."""
    rows: Iterable[Any] = CollectionGap.objects.using(using).values_list("instance_id", "since", "until")
    known = [(server, Span(to_micros(since), to_micros(until))) for server, since, until in rows]
    return [*known, *_running_gaps(using)]


def _running_gaps(using: str) -> Iterator[tuple[int, Span]]:
    """Yield since when servers have not been read that should be: whether that becomes a gap is known when they are again."""
    now = timezone.now()
    for server in Instance.objects.using(using).filter(enabled=True).exclude(synced_at=None):
        if server.synced_at and now - server.synced_at > late(server):
            yield server.pk, Span(to_micros(server.synced_at), to_micros(now))


def length(spans: Iterable[Span]) -> float:
    """Return how many minutes they last."""
    return sum(span.until - span.since for span in spans) / _MINUTE
