"""What several spans cover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from channels_app.stats.conditions import Span


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same moments in spans that do not touch, in order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.since):
        if found and span.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(span)
    return found


def both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the moments that are in `some` and in `others`."""
    shared = (Span(max(one.since, other.since), min(one.until, other.until)) for one in some for other in others)
    return [span for span in shared if span.since < span.until]
