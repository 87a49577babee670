"""What a taker writes into the spool for the proof: what may have gone missing, and the server's own counters."""

from __future__ import annotations

from datetime import datetime

import msgspec

from usage.models import CollectionGap
from usage.models.fields import from_micros
from usage.upstream.counters import Counters

Cause = CollectionGap.Cause


class Suspicion(msgspec.Struct):
    """Something went wrong between two moments (seconds since 1970 UTC), so that records may be missing.

    `is_idle`: nothing did, but nobody read, so that a restart took along more than it seems.
    """

    cause: Cause
    since: float
    until: float
    is_idle: bool = False


class Reckoning(msgspec.Struct):
    """The suspicions since the last one, and the counters of the server.

    They were read at some moment between `counted_at` and `settled_at` (seconds since 1970 UTC). What arrived before
    that is in them. Of what arrived after it only what was on its way through the server's own queues is, and comes
    before this in the spool. `counters` is None where the server has none, or did not tell them. `unconfirmed` are
    suspicions that were told before, when what arrived meanwhile could hide a loss; `is_second`: the last time.
    """

    suspicions: list[Suspicion]
    counters: Counters | None
    counted_at: float
    settled_at: float
    is_second: bool = False
    unconfirmed: list[Suspicion] = []


_decoder = msgspec.json.Decoder(Reckoning)


def moment(seconds: float) -> datetime:
    """Read a moment of a reckoning (seconds since 1970 UTC)."""
    return from_micros(int(seconds * 1_000_000))


def encode(reckoning: Reckoning) -> bytes:
    return msgspec.json.encode(reckoning)


def decode(data: bytes) -> Reckoning:
    return _decoder.decode(data)
