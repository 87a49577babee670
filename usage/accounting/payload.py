"""From the bytes of one record to a checked Payload (contract B and E)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import msgspec

from usage.accounting.tokens import Breakdown, RawTokens

_ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /")
# Stands in place of the client's key where the proxy had neither a key nor a route (contract B).
_PROVIDERS = {
    "unknown", "codex", "claude", "gemini", "gemini-cli", "vertex", "aistudio", "antigravity", "qwen", "iflow", "kimi",
    "xai", "openai-compatibility",
}  # fmt: skip
_DECIMALS = re.compile(r"\.(\d+)")
_BEYOND = 2**53
_Milliseconds = Annotated[int, msgspec.Meta(ge=-_BEYOND, le=_BEYOND)]
# What tells records of one microsecond apart, beside that: two of them are taken for one with a chance of 2^-56. One byte
# more would take eight of each record's index entry on PostgreSQL.
DEDUP_BYTES = 7
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
# CPA is of 2025: an earlier clock is an unset one, such as Go's zero time of year 1. In microseconds since 1970 UTC.
_EARLIEST = int(datetime.fromisoformat("2020-01-01T00:00:00Z").timestamp()) * 1_000_000
_LATEST = int(datetime.fromisoformat("2100-01-01T00:00:00Z").timestamp()) * 1_000_000


class Unreadable(ValueError):
    """This is no record; the text says why, naming fields but never their values, which may be secrets."""


class Failure(msgspec.Struct, gc=False):
    status_code: int | None = None
    body: str | None = None


# As a record without headers is read.
NO_HEADERS = msgspec.Raw(b"null")
# What we add to a record is called by names that no server sends.
_OURS = {name: f"#{name}" for name in ("raw", "dedup_key", "requested_at", "received_at", "damaged")}


class Payload(msgspec.Struct, rename=_OURS, gc=False):
    """One record as CPA sends it. Fields without a default have been in every version of the queue.

    Legacy details are brought into the same shape: they lack a provider, and their client key is the name under which
    the snapshot lists them; they have no `raw`.
    """

    timestamp: str
    model: str
    failed: bool
    tokens: RawTokens
    provider: str = ""
    executor_type: str | None = None
    auth_type: str | None = None
    auth_index: str | int | None = None
    source: str | None = None
    api_key: str | None = None
    alias: str | None = None
    endpoint: str | None = None
    request_id: str | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    response_service_tier: str | None = None
    client_ip: str | None = None
    x_forwarded_for: str | None = None
    user_agent: str | None = None
    latency_ms: _Milliseconds | None = None
    ttft_ms: _Milliseconds | None = None
    generate: bool | None = None
    fail: Failure | None = None
    # As they came: what they are like is no business of the record (usage/accounting/quota.py).
    response_headers: msgspec.Raw = NO_HEADERS
    accounting_version: int | None = None
    token_breakdown: Breakdown | None = None
    raw: bytes = b""
    dedup_key: bytes = b""
    requested_at: int = 0  # microseconds since 1970 UTC, as is received_at
    received_at: int = 0
    damaged: bool = False

    @property
    def breakdown(self) -> Breakdown | None:
        """CPA's own buckets, where the record's accounting version has them."""
        return self.token_breakdown if (self.accounting_version or 0) >= 2 else None

    @property
    def tier(self) -> str:
        """The service tier that upstream says it billed, else the one asked for."""
        return self.response_service_tier or self.service_tier or ""

    @property
    def status_code(self) -> int | None:
        return self.fail.status_code if self.fail else None

    @property
    def error_text(self) -> str:
        return (self.fail.body or "") if self.failed and self.fail else ""


_decoder = msgspec.json.Decoder(Payload)


def read_record(raw: bytes, received_at: int = 0) -> Payload:
    """Return the record in `raw`, one element of the usage queue that arrived at `received_at` (microseconds since
    1970 UTC). Raises Unreadable.
    """
    damaged = False
    try:
        payload = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        payload, damaged = _convert(_load_object(raw, error))
    payload.raw = raw
    payload.damaged = damaged
    payload.received_at = received_at
    payload.requested_at = read_timestamp(payload.timestamp)
    payload.dedup_key = hashlib.blake2b(raw, digest_size=16).digest()[:DEDUP_BYTES]
    return payload


class Twins:
    """Counts equal details of one snapshot, in little memory: most are the only ones of their kind."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated: Counter[int] = Counter()

    def count(self, identity: bytes) -> int:
        """Return how many with this digest came before."""
        number = int.from_bytes(identity[:8])
        if number not in self._seen:
            self._seen.add(number)
            return 0
        self._repeated[number] += 1
        return self._repeated[number]


def read_detail(identifier: str, model: str, detail: Any, twins: Twins, received_at: int = 0) -> Payload:
    """Return one entry of a legacy snapshot that arrived at `received_at`, listed under `identifier` and `model`.
    Raises Unreadable.

    Its identity is the tuple by which CPA's own import tells duplicates (contract B); `twins` counts the equal ones of
    this snapshot, which stay two.
    """
    if not isinstance(detail, dict):
        raise Unreadable(f"expected an object, got {type(detail).__name__}")
    known = {"model": model}
    if _ROUTE.match(identifier):
        known["endpoint"] = identifier
    elif identifier not in _PROVIDERS:
        known["api_key"] = identifier
    fields = {"failed": False} | {name: detail[name] for name in _DETAIL_FIELDS if name in detail} | known
    payload, damaged = _convert(fields)
    payload.damaged = damaged
    payload.received_at = received_at
    payload.requested_at = read_timestamp(payload.timestamp)
    identity = hashlib.blake2b(_detail_identity(payload, identifier).encode(), digest_size=16)
    identity.update(b"#%d" % twins.count(identity.digest()))
    payload.dedup_key = identity.digest()[:DEDUP_BYTES]
    return payload


_DETAIL_FIELDS = ("timestamp", "tokens", "source", "failed", "auth_index", "latency_ms")


def _detail_identity(payload: Payload, identifier: str) -> str:
    """The instant to the nanosecond, whatever offset it is written with, and the rest of the tuple of contract B."""
    decimals = _DECIMALS.search(payload.timestamp)
    nanoseconds = decimals[1].ljust(9, "0")[:9] if decimals else "000000000"
    raw = payload.tokens
    numbers = (raw.input_tokens, raw.output_tokens, raw.reasoning_tokens, raw.cached_tokens, raw.total_tokens)
    return json.dumps([
        payload.requested_at // 1_000_000, nanoseconds, identifier, payload.model,
        payload.source, payload.auth_index, payload.failed, numbers,
    ])  # fmt: skip


def read_timestamp(text: str) -> int:
    """Return RFC 3339 `text` as microseconds since 1970 UTC, further decimals cut. Raises Unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("timestamp is not in the form of RFC 3339") from None
    if moment.tzinfo is None:
        raise Unreadable("timestamp has no UTC offset")
    since = moment - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not _EARLIEST <= micros < _LATEST:
        raise Unreadable(f"timestamp is of {moment.year}: the server's clock was not set right")
    return micros


def _load_object(raw: bytes, error: Exception) -> dict[str, Any]:
    """Read what msgspec refused with `error`: the standard decoder takes NaN, and types are seen to later."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as broken:
        raise Unreadable(f"not JSON: {broken}") from None
    if not isinstance(fields, dict):
        raise Unreadable(str(error))
    return fields


def _convert(fields: dict[str, Any]) -> tuple[Payload, bool]:
    """Return the payload and whether it held bad numbers, which count as 0 (contract K); other damage is Unreadable.

    Headers are left out: damaged ones must not cost us the record, and those of a damaged record tell nothing.
    """
    fields = {name: value for name, value in fields.items() if name != "response_headers"}
    try:
        return msgspec.convert(_mended(fields), Payload), _has_bad_numbers(fields)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def _has_bad_numbers(value: Any) -> bool:
    return any(map(_has_bad_numbers, value.values())) if isinstance(value, dict) else _is_bad(value)


def _mended(value: Any) -> Any:
    """Return JSON `value` with 12.0 as 12, bad numbers as 0, and texts without lone surrogates, which no digest takes."""
    if isinstance(value, dict):
        return {name: _mended(item) for name, item in value.items()}
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if _is_bad(value):
        return 0
    return int(value) if isinstance(value, float) else value


def _is_bad(value: Any) -> bool:
    """Whether `value` is a number that counts nothing: a fraction, infinite, or beyond any column."""
    if isinstance(value, float):
        return not value.is_integer() or abs(value) > _BEYOND
    return isinstance(value, int) and abs(value) > _BEYOND
