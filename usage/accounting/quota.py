"""What the response headers of upstream tell of the windows in which an account may use so much.

CPA sends them with each record since v7.1.13, as `response_headers` (contract E): the headers of the last answer of the
attempt, names in Go's canonical spelling, each with a list of values. Read are these, and nothing else is kept:

- Claude logins: `Anthropic-Ratelimit-Unified-<window>-Utilization`, a fraction of 1, and `…-Reset`, seconds since 1970, of
  the windows `5h` and `7d`, and of the weeks of one kind of model, `7d_opus`, `7d_sonnet` and `7d_oi`. CPA itself reads
  these (internal/runtime/executor/helps/claude_ratelimit.go of v7.2.140); no provider documents them.
- Codex logins: `X-Codex-Primary-…` and `X-Codex-Secondary-…`, as Codex reads them (codex-rs/codex-api/src/rate_limits.rs of
  openai/codex): `Used-Percent`, `Window-Minutes`, and `Reset-At`, seconds since 1970, or by older answers
  `Reset-After-Seconds`. Which of the two is the long one depends on the plan, so a window is called by its length.

Not read: the limits of API keys (`Anthropic-Ratelimit-Tokens-…`, `X-Ratelimit-…`), which refill within a minute; further
limits of Codex for single models (`X-Codex-<name>-Primary-…`), whose names nobody lists; credits. Other providers tell
nothing in headers. Of a websocket CPA repeats the headers with which it was opened, however long ago
(RecordAPIWebsocketHandshake): its records tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec

from usage.accounting.payload import NO_HEADERS, Payload

_SECOND = 1_000_000
_CLAUDE_MINUTES = {"5h": 300, "7d": 10_080, "7d_opus": 10_080, "7d_sonnet": 10_080, "7d_oi": 10_080}
_CODEX_WINDOWS = ("primary", "secondary")
# By the provider that a record names. Nothing else is read.
ALLOWED = {
    "claude": [
        f"Anthropic-Ratelimit-Unified-{name}-{what}" for name in _CLAUDE_MINUTES for what in ("Utilization", "Reset")
    ],
    "codex": [
        f"X-Codex-{name.title()}-{what}"
        for name in _CODEX_WINDOWS
        for what in ("Used-Percent", "Window-Minutes", "Reset-At", "Reset-After-Seconds")
    ],
}
# A plan may let more than 100 % pass; more than this is no percentage.
_MOST_PERCENT = 1_000
_LONGEST_MINUTES = 366 * 1_440
# Clocks differ; what comes from further ahead would be the newest for as long.
_MOST_AHEAD = 120 * _SECOND
# 2020 and 2100, in seconds since 1970.
_EARLIEST, _LATEST = 1_577_836_800, 4_102_444_800
_MOST_TEXTS = 4_096


class Reading(NamedTuple):
    """What one answer told of a window. Of two the greater is the newer and, of one moment, the one of more use.

    Moments are microseconds since 1970 UTC, `used` is in hundredths of a percent; `resets_at` and `minutes`, the length of
    the window, are 0 where they were not told.
    """

    seen_at: int
    used: int
    resets_at: int
    minutes: int


Named = tuple[str, Reading]


def seen_at(payload: Payload) -> int:
    """Return when upstream answered (microseconds since 1970 UTC): headers come before the first token, which is not timed
    everywhere; then it is when the attempt began.
    """
    return payload.requested_at + max(payload.ttft_ms or 0, 0) * 1_000


def readings(payload: Payload) -> list[Named]:
    """Return the windows of which `payload` tells, by their names. What is no sound number tells nothing."""
    read = _READERS.get(payload.provider)
    if read is None or payload.response_headers == NO_HEADERS or "Websocket" in (payload.executor_type or ""):
        return []
    at = seen_at(payload)
    return [] if at > payload.received_at + _MOST_AHEAD else list(read(payload.response_headers, at))


class _Texts:
    """The values of some headers, by their order; empty where there is none. The rest is not even decoded."""

    def __init__(self, names: Sequence[str]) -> None:
        fields = {f"h{number}": name for number, name in enumerate(names)}
        columns = [(field, list[str] | None, None) for field in fields]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Headers", columns, rename=fields))
        self._values = attrgetter(*fields)

    def read(self, headers: msgspec.Raw) -> list[str]:
        """Return nothing at all where none is there, and where the headers are not what Go writes: somebody else's."""
        try:
            values = self._values(self._decoder.decode(headers))
        except msgspec.DecodeError:
            return []
        return [texts[0] if texts else "" for texts in values] if any(values) else []


_claude_texts, _codex_texts = _Texts(ALLOWED["claude"]), _Texts(ALLOWED["codex"])


def _claude(headers: msgspec.Raw, at: int) -> Iterator[Named]:
    texts = iter(_claude_texts.read(headers))
    for (name, minutes), used, reset in zip(_CLAUDE_MINUTES.items(), texts, texts, strict=False):
        if (hundredths := _hundredths(used, 10_000)) is not None:
            yield name, Reading(at, hundredths, _moment(reset), minutes)


def _codex(headers: msgspec.Raw, at: int) -> Iterator[Named]:
    """An account that has only one of the two windows is told that the other has no length, no end and no use."""
    texts = iter(_codex_texts.read(headers))
    for name, used, window, reset, after in zip(_CODEX_WINDOWS, texts, texts, texts, texts, strict=False):
        hundredths, minutes = _hundredths(used, 100), _whole(window, _LONGEST_MINUTES)
        seconds = _whole(after, _LONGEST_MINUTES * 60)
        resets_at = _moment(reset) or (at + seconds * _SECOND if seconds else 0)
        if hundredths is not None and (hundredths or minutes or resets_at):
            yield name_of(minutes) or name, Reading(at, hundredths, resets_at, minutes)


_READERS = {"claude": _claude, "codex": _codex}


def name_of(minutes: int) -> str:
    """Return what a window of this length is called, such as `5h` and `7d`; nothing for 0."""
    for unit, size in (("d", 1_440), ("h", 60), ("m", 1)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return ""


@lru_cache(_MOST_TEXTS)
def _hundredths(text: str, factor: int) -> int | None:
    """Return a number that stands for percent after multiplication by `factor` / 100, in hundredths; None for no number."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 <= number <= _MOST_PERCENT * 100 // factor:
        return None
    return int((number * factor).to_integral_value(ROUND_HALF_UP))


@lru_cache(_MOST_TEXTS)
def _whole(text: str, most: int) -> int:
    """Return a whole number up to `most`; 0 for none."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) else 0
    return number if number <= most else 0


def _moment(text: str) -> int:
    """Return seconds since 1970 as microseconds; 0 where `text` is no such number of our time."""
    seconds = _whole(text, _LATEST)
    return seconds * _SECOND if seconds >= _EARLIEST else 0
