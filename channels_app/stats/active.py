"""How many channels, accounts, models and client keys had a request (`ui.md` M25)."""

from __future__ import annotations

from typing import NamedTuple

from channels_app.stats.tables import Conditions, Span, aggregate
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
