"""What a taker writes into the spool for the proof: what may have gone missing, and the server's own counters."""

from __future__ import annotations

import msgspec

from usage.models import CollectionGap
from usage.upstream.counters import Counters

Cause = CollectionGap.Cause


class Suspicion(msgspec.Struct):
    """Something went wrong between two moments (seconds since 1970 UTC), so that records may be missing."""

    cause: Cause
    since: float
    until: float


class Reckoning(msgspec.Struct):
    """The suspicions since the last one, and the counters of the server.

    All that they count comes before this in the spool; what they may not count began to arrive after `counted_at`
    (seconds since 1970 UTC). `counters` is None where the server has none, or did not tell them.
    """

    suspicions: list[Suspicion]
    counters: Counters | None
    counted_at: float


_decoder = msgspec.json.Decoder(Reckoning)


def encode(reckoning: Reckoning) -> bytes:
    return msgspec.json.encode(reckoning)


def decode(data: bytes) -> Reckoning:
    return _decoder.decode(data)
