"""Makes the ledger of a large team: any number of records over 90 days, as they would have been booked."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate, islice
from random import Random
from typing import NamedTuple

from usage.accounting.payload import DEDUP_BYTES
from usage.accounting.pricing import charge
from usage.accounting.tokens import Buckets
from usage.benchmark.cast import Cast, ChannelCast, Model
from usage.ingest.insertion import Row

DAYS = 90
_HOUR = 3_600_000_000
# How busy each hour (UTC) of a working day is, and how much of that is left at a weekend.
_BUSY = (2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 10, 9, 10, 11, 11, 10, 9, 8, 7, 6, 5, 4, 3)
_WEEKEND = 1 / 3
_THURSDAY = 4  # the first day of 1970, counted from Sunday
# A session stays with one account, one model and one client for its hour; so many records has one on average.
_RECORDS_PER_SESSION = 12
# Failures come in bursts: one account in so many is ill for an hour, and then most of its attempts fail.
_ILL, _FAILS_WHEN_ILL, _FAILS_ELSE = 25, 0.55, 0.007
_SAYS_THE_USUAL = 0.85
_STATUSES = (429, 429, 429, 429, 429, 500, 503, 401)
# What a failure is worth: most are tried again with another account, a moment later.
_RETRIED, _MOST_ATTEMPTS = 0.85, 3
_PAUSE_MS = 300
# Most answers take a few seconds, the longest forty; what the proxy says of one is with us a moment later.
_SHORTEST_MS, _SPREAD, _HEARD_AFTER = 400, 100, 900_000
_WITHOUT_KEY, _BY_ALIAS, _NOT_STREAMED = 0.02, 0.1, 0.1


class _Session(NamedTuple):
    channel: int
    source: int
    model: Model
    alias: int
    api_key: int | None
    client: int
    traits: int
    # Of a websocket, whose turns share it; otherwise empty, and each client request gets its own.
    request_id: str
    streamed: bool


class LedgerTraffic:
    """The same rows for the same `seed` and cast: popular channels, accounts, models, clients and sessions by Zipf's law."""

    def __init__(self, cast: Cast, seed: int = 1) -> None:
        self._cast = cast
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._sources = [source for channel in cast.channels for source in channel.sources]
        self._laws: dict[int, list[float]] = {}

    def rows(self, count: int, until: int) -> Iterator[Row]:
        """Yield `count` rows (values of COLUMNS) of the 90 days before the hour of `until` (microseconds since 1970 UTC).

        The hours come in order; within one, rows do not.
        """
        hours = range(until // _HOUR - DAYS * 24, until // _HOUR)
        shares = list(accumulate(map(_busyness, hours)))
        done = 0
        for hour, share in zip(hours, shares, strict=True):
            number = round(count * share / shares[-1]) - done
            yield from islice(self._hour(hour * _HOUR, number), number)
            done += number

    def _hour(self, start: int, count: int) -> Iterator[Row]:
        """Yield `count` rows or, with the retries of the last, a few more."""
        random = self._random
        sessions = [self._session() for _ in range(count // _RECORDS_PER_SESSION + 1)]
        ill = frozenset(random.sample(self._sources, len(self._sources) // _ILL))
        for session in random.choices(sessions, cum_weights=self._law(len(sessions)), k=count):
            yield from self._request(session, start + int(random.random() * _HOUR), ill)

    def _session(self) -> _Session:
        random = self._random
        at = self._popular(len(self._cast.channels))
        channel = self._cast.channels[at]
        model = channel.models[self._popular(len(channel.models))]
        traits = random.choice(channel.traits)
        source, alias = self._source(channel), model.alias if random.random() < _BY_ALIAS else model.id
        key = None if random.random() < _WITHOUT_KEY else self._popular(len(self._cast.api_keys))
        return _Session(
            at,
            source,
            model,
            alias,
            None if key is None else self._cast.api_keys[key],
            self._cast.clients[key or 0],
            traits.id,
            self._request_id() if traits.websocket else "",
            random.random() >= _NOT_STREAMED,
        )

    def _request(self, session: _Session, at: int, ill: frozenset[int]) -> Iterator[Row]:
        """Yield the attempts that serve one client request: after a failure another account is tried."""
        random = self._random
        request_id, source = session.request_id or self._request_id(), session.source
        for _ in range(_MOST_ATTEMPTS):
            failed = random.random() < (_FAILS_WHEN_ILL if source in ill else _FAILS_ELSE)
            milliseconds = int(_SHORTEST_MS * _SPREAD ** ((random.random() + random.random()) / (4 if failed else 2)))
            yield self._attempt(session, source, request_id, at, milliseconds, failed)
            if not failed or random.random() > _RETRIED:
                return
            at += (milliseconds + _PAUSE_MS) * 1_000
            source = self._source(self._cast.channels[session.channel])

    def _attempt(
        self, session: _Session, source: int, request_id: str, at: int, milliseconds: int, failed: bool
    ) -> Row:
        bits = self._random.getrandbits(192)
        tokens = _tokens(bits, failed)
        model = session.model
        return (
            at, (bits >> 64).to_bytes(16, "big")[:DEDUP_BYTES], at + milliseconds * 1_000 + _HEARD_AFTER,
            source, model.id, session.alias, session.api_key, session.traits,
            request_id, int(failed), _STATUSES[bits & 7] if failed else 200,
            1, milliseconds, milliseconds * (16 + (bits & 63)) // 160 if session.streamed and not failed else None,
            0, *tokens, *charge(model.price, tokens, failed=failed), self._message(source, at) if failed else None,
            session.client,
        )  # fmt: skip

    def _message(self, source: int, at: int) -> int:
        """Of what ails an account for an hour, mostly the same is said."""
        messages, usual = self._cast.messages, source * 31 + at // _HOUR
        return (
            messages[usual % len(messages)]
            if self._random.random() < _SAYS_THE_USUAL
            else self._random.choice(messages)
        )

    def _request_id(self) -> str:
        return f"{self._random.getrandbits(32):08x}"

    def _source(self, channel: ChannelCast) -> int:
        return channel.sources[self._popular(len(channel.sources))]

    def _popular(self, count: int) -> int:
        """Return a number below `count`: 0 twice as often as 1, three times as often as 2."""
        law = self._law(count)
        return bisect(law, self._random.random() * law[-1], 0, count - 1)

    def _law(self, count: int) -> list[float]:
        law = self._laws.get(count)
        if law is None:
            law = self._laws[count] = list(accumulate(1 / rank for rank in range(1, count + 1)))
        return law


def _busyness(hour: int) -> float:
    """How busy an hour is, counted since 1970 UTC."""
    weekend = (hour // 24 + _THURSDAY) % 7 in (0, 6)
    return _BUSY[hour % 24] * (_WEEKEND if weekend else 1)


def _tokens(bits: int, failed: bool) -> Buckets:
    """Most of what is read was read before; one failure in four broke off after it had read its input."""
    if failed:
        return Buckets(uncached_input=bits >> 8 & 0xFFF if not bits >> 4 & 3 else 0)
    return Buckets(
        bits & 0xFFF,
        bits >> 12 & 0xFFFF,
        bits >> 28 & 0x7FF,
        bits >> 39 & 0x7FF,
        bits >> 50 & 0x3FF if bits >> 60 & 1 else 0,
    )
