"""Books records exactly once, and with them the rollup, in one transaction (invariants 1 and 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from django.db import connection, transaction

from usage.accounting.payload import Payload
from usage.accounting.pricing import PriceBook
from usage.accounting.tokens import Buckets, Quality, split
from usage.ingest import rollup
from usage.ingest.dimensions import Dimension, clean
from usage.ingest.prices import load_prices, price_new_models
from usage.ingest.sources import Sighting, Sources, family_of_record
from usage.models import (
    ApiKey,
    CollectionState,
    FailureText,
    Instance,
    ModelName,
    QuarantinedPayload,
    RequestTraits,
    UsageRecord,
)
from usage.redaction import redact
from usage.secrets import digest, encrypt, mask

# A transaction of about 20 ms on SQLite: page views that write (sessions) wait no longer.
BATCH = 1_000
MAX_FAILURE_TEXT = 8_192

_COLUMNS = (
    "requested_at", "dedup_key", "received_at", "source_id", "model_id", "alias_id", "api_key_id", "traits_id",
    "request_id", "failed", "status_code", "generate", "latency_ms", "ttft_ms", "quality", *rollup.TOKENS,
    "cost_nanousd", "price_id",
)  # fmt: skip
_INSERT = f"INSERT INTO {UsageRecord._meta.db_table} ({', '.join(_COLUMNS)}) VALUES "
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"
_RETURNING = " ON CONFLICT (requested_at, dedup_key) DO NOTHING RETURNING requested_at, dedup_key, id"


# Nano-USD and the id of the price; (None, None) is unpriced.
_Cost = tuple[int | None, int | None]


@dataclass(slots=True)
class Counts:
    """What became of what was read, in records."""

    read: int = 0
    new: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def add(self, other: Counts) -> None:
        self.read += other.read
        self.new += other.new
        self.duplicate += other.duplicate
        self.quarantined += other.quarantined


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that are no record, and why. The reason names no values."""

    raw: bytes
    reason: str
    received_at: int  # microseconds since 1970 UTC


@dataclass(frozen=True, slots=True)
class _Entry:
    """A payload with all that its row needs but the ids."""

    payload: Payload
    sighting: Sighting
    key_digest: bytes
    traits: tuple[str, str, str, str]
    model: str
    alias: str
    buckets: Buckets
    quality: Quality


class Ledger:
    """Books the records of one instance by the names and prices known when it was made.

    `met_unknown` tells whether one of them showed a credential that the server has not listed yet.
    """

    def __init__(self, instance: Instance) -> None:
        self.met_unknown = False
        self._instance = instance
        self._sources = Sources(instance)
        self._models = Dimension(ModelName, "name")
        self._api_keys = Dimension(ApiKey, "key_digest")
        self._traits = Dimension(RequestTraits, "endpoint", "reasoning_effort", "service_tier", "billed_tier")
        self._prices = load_prices()

    def refresh_prices(self) -> None:
        """Use the prices that were changed since."""
        self._prices = load_prices()

    def book(self, payloads: Sequence[Payload], rejected: Sequence[Rejected]) -> Counts:
        """Book a batch (BATCH records at most)."""
        counts = Counts(len(payloads) + len(rejected), quarantined=len(rejected))
        if not counts.read:
            return counts
        entries = sorted(map(self._entry, payloads), key=lambda entry: _identity(entry.payload))
        self._ensure_dimensions(entries)
        costs = [_cost(self._prices, entry) for entry in entries]
        with transaction.atomic():
            new = self._insert(entries, costs)
            rollup.add(self._sums(entries, costs, new))
            _keep_failure_texts(entries, new)
            kept = _quarantine(self._instance, rejected)
            counts.new, counts.duplicate = len(new), len(payloads) - len(new)
            _add_to_state(self._instance, payloads, rejected, (counts.new, counts.duplicate, kept))
        return counts

    def _entry(self, payload: Payload) -> _Entry:
        sighting = self._sources.sight(payload)
        self.met_unknown |= sighting.is_news
        family, guessed = family_of_record(payload, sighting.resolution)
        buckets, quality = split(payload.tokens, family, payload.breakdown)
        if payload.damaged:
            quality = Quality.INCONSISTENT
        elif guessed:
            quality = max(quality, Quality.ESTIMATED)
        model = clean(payload.model, 300) or "unknown"
        return _Entry(
            payload, sighting, digest(payload.api_key) if payload.api_key else b"", _traits(payload),
            model, clean(payload.alias, 300) or model, buckets, quality,
        )  # fmt: skip

    def _ensure_dimensions(self, entries: Sequence[_Entry]) -> None:
        masks = {(entry.key_digest,): mask(clean(entry.payload.api_key, 300)) for entry in entries if entry.key_digest}
        self._sources.ensure((entry.sighting, entry.payload) for entry in entries)
        self._models.ensure((name,) for entry in entries for name in (entry.model, entry.alias))
        self._api_keys.ensure(masks, lambda key: {"key_mask": masks[key]})
        self._traits.ensure(entry.traits for entry in entries)
        if price_new_models({(entry.model, entry.payload.provider) for entry in entries}, self._prices):
            self._prices = load_prices()

    def _insert(self, entries: Sequence[_Entry], costs: Sequence[_Cost]) -> dict[tuple[int, bytes], int]:
        """Insert what is not there yet; return the ids of the new rows by identity."""
        if not entries:
            return {}
        rows = [self._row(entry, cost) for entry, cost in zip(entries, costs, strict=True)]
        values = [value for row in rows for value in row]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT + ", ".join([_ROW] * len(entries)) + _RETURNING, values)
            return {(at, bytes(key)): pk for at, key, pk in cursor.fetchall()}

    def _row(self, entry: _Entry, cost: _Cost) -> tuple[int | str | bytes | None, ...]:
        payload, buckets = entry.payload, entry.buckets
        return (
            payload.requested_at, payload.dedup_key, payload.received_at,
            self._sources[entry.sighting], self._models[(entry.model,)], self._models[(entry.alias,)],
            self._api_keys[(entry.key_digest,)] if entry.key_digest else None, self._traits[entry.traits],
            clean(payload.request_id, 40), payload.failed, _small(payload.status_code), payload.generate is not False,
            _natural(payload.latency_ms), _natural(payload.ttft_ms), int(entry.quality),
            buckets.uncached_input, buckets.cache_read, buckets.cache_write,
            buckets.output, buckets.reasoning, buckets.unclassified, *cost,
        )  # fmt: skip

    def _sums(
        self, entries: Sequence[_Entry], costs: Sequence[_Cost], new: dict[tuple[int, bytes], int]
    ) -> dict[rollup.Key, list[int]]:
        """Return what the new rows add to the rollup. Of identical records in one batch one is new."""
        sums: dict[rollup.Key, list[int]] = {}
        distinct = {
            _identity(entry.payload): (entry, cost) for entry, (cost, _price) in zip(entries, costs, strict=True)
        }
        for entry, cost in (distinct[identity] for identity in new):
            bucket = rollup.HOURLY.start_of(entry.payload.requested_at)
            key = (bucket, self._sources[entry.sighting], self._models[(entry.model,)])
            row = sums.setdefault(key, [0] * len(rollup.SUMS))
            for at, value in enumerate(_summands(entry, cost)):
                row[at] += value
        return sums


def _identity(payload: Payload) -> tuple[int, bytes]:
    return payload.requested_at, payload.dedup_key


def _cost(prices: PriceBook, entry: _Entry) -> _Cost:
    """A failed attempt that used nothing costs nothing, whatever its model."""
    price = prices.find(entry.model, entry.payload.requested_at)
    if price is None:
        return (None if entry.buckets.total or not entry.payload.failed else 0), None
    return price.cost(entry.buckets), price.id


def _summands(entry: _Entry, cost: int | None) -> tuple[int, ...]:
    """One record in the order of rollup.SUMS."""
    buckets, is_priced = entry.buckets, cost is not None
    return (
        1, int(entry.payload.failed),
        buckets.uncached_input, buckets.cache_read, buckets.cache_write,
        buckets.output, buckets.reasoning, buckets.unclassified,
        int(is_priced), buckets.total if is_priced else 0, cost or 0,
    )  # fmt: skip


def _traits(payload: Payload) -> tuple[str, str, str, str]:
    return (
        clean(payload.endpoint, 200),
        clean(payload.reasoning_effort, 40),
        clean(payload.service_tier, 40),
        clean(payload.response_service_tier, 40),
    )


def _natural(number: int | None) -> int | None:
    return number if number is not None and number >= 0 else None


def _small(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= 32_767 else None


def _keep_failure_texts(entries: Sequence[_Entry], new: dict[tuple[int, bytes], int]) -> None:
    """Texts are cut last: of a key across the limit, a piece would stay that nothing recognises."""
    texts = {
        new[identity]: redact(clean(text, len(text)), entry.payload.source, entry.payload.api_key)[:MAX_FAILURE_TEXT]
        for entry in entries
        if (text := entry.payload.error_text) and (identity := _identity(entry.payload)) in new
    }
    FailureText.objects.bulk_create(FailureText(record_id=pk, text=text) for pk, text in texts.items())


def _quarantine(instance: Instance, rejected: Sequence[Rejected]) -> int:
    """Keep what is no record; return how much of it was not there yet: a snapshot shows the same damage each time."""
    rows = [
        (
            hashlib.blake2b(item.raw, digest_size=16).digest(), instance.pk, item.received_at, item.reason,
            encrypt(item.raw.decode("utf-8", "backslashreplace")), len(item.raw),
        )
        for item in rejected
    ]  # fmt: skip
    rows.sort()  # as in the rollup: two writers never wait in a circle
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_KEEP.format(", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(rows))), list(chain(*rows)))
        return int(cursor.rowcount)


_KEEP = (
    f"INSERT INTO {QuarantinedPayload._meta.db_table} "
    "(payload_digest, instance_id, received_at, reason, encrypted_payload, size) VALUES {} "
    "ON CONFLICT (instance_id, payload_digest) DO NOTHING"
)


def _add_to_state(
    instance: Instance, payloads: Sequence[Payload], rejected: Sequence[Rejected], sums: tuple[int, int, int]
) -> None:
    """Add a batch to the instance's CollectionState. It comes last, and writers of one instance then wait in a line."""
    received = max(chain((one.received_at for one in payloads), (one.received_at for one in rejected)))
    requested = max((payload.requested_at for payload in payloads), default=None)
    with connection.cursor() as cursor:
        cursor.execute(_ADD_TO_STATE, [instance.pk, *sums, received, requested])


_STATE = CollectionState._meta.db_table
_STATE_SUMS, _STATE_LATEST = ("booked", "duplicates", "quarantined"), ("last_received_at", "last_requested_at")
_ADD_TO_STATE = (
    f"INSERT INTO {_STATE} (instance_id, {', '.join(_STATE_SUMS + _STATE_LATEST)}, snapshot_details) "
    "VALUES (%s, %s, %s, %s, %s, %s, 0) ON CONFLICT (instance_id) DO UPDATE SET "
    + ", ".join(f"{name} = {_STATE}.{name} + excluded.{name}" for name in _STATE_SUMS)
    # The greater of two, of which either may be null; that function has another name on each engine.
    + "".join(
        f", {name} = CASE WHEN {_STATE}.{name} > excluded.{name} THEN {_STATE}.{name} "
        f"ELSE COALESCE(excluded.{name}, {_STATE}.{name}) END"
        for name in _STATE_LATEST
    )
)
