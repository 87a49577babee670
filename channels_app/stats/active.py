"""How many channels, accounts, models and client keys had a request (`ui.md` M25)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from channels_app.stats.conditions import Conditions, Span
from channels_app.stats.questions import Group, series
from channels_app.stats.tables import aggregate
from usage.models.record import NO_KEY


class Active(NamedTuple):
    """What is unknown is none of them, and neither is a request without a client key."""

    channels: int
    accounts: int
    models: int
    keys: int


def active(span: Span, conditions: Conditions) -> Active:
    rows = aggregate(span, conditions, ("channel_id", "account_id"), ("requests",))
    channels, accounts = {row[0] for row in rows}, {row[1] for row in rows}
    models, keys = (
        {one for one, _requests in aggregate(span, conditions, (name,), ("requests",))}
        for name in ("model_id", "api_key_id")
    )
    return Active(len(channels - {None}), len(accounts - {None}), len(models), len(keys - {NO_KEY}))


@dataclass(slots=True)
class Present:
    """Which of a dimension had a request in each interval (ids of rows), and how many requests there were in all."""

    ids: list[set[int]]
    requests: int = 0


def present(edges: Sequence[int], conditions: Conditions, by: Sequence[str], counted: str) -> dict[Group, Present]:
    """Return for each group by DIMENSIONS which ones of the dimension `counted` were active between two `edges`."""
    empty = len(edges) - 1
    found: defaultdict[Group, Present] = defaultdict(lambda: Present([set() for _interval in range(empty)]))
    nobody = NO_KEY if counted == "key" else None
    for (*group, one), line in series(edges, conditions, [*by, counted], ("requests",)).groups.items():
        whole = found[tuple(group)]
        for place, (requests,) in enumerate(line):
            whole.requests += requests
            if requests and one is not None and one != nobody:
                whole.ids[place].add(one)
    return dict(found)
