"""Books records exactly once, and with them the rollup, in one transaction (invariants 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec
from django.db import DataError, IntegrityError, connection, transaction

from usage.accounting.failures import MOST_CHARACTERS, message_of, normalised
from usage.accounting.payload import Payload
from usage.accounting.pricing import Charge, charge
from usage.accounting.tokens import Buckets, Quality, split
from usage.ingest import grains, progress, quarantine, quota, rollup
from usage.ingest.catalog_answers import Asked
from usage.ingest.dimensions import Dimension, clean
from usage.ingest.insertion import Ids, Row, insert
from usage.ingest.prices import load_prices, price_new_models, version_of_prices
from usage.ingest.quarantine import Rejected
from usage.ingest.sources import KnownSource, Sources
from usage.models import ApiKey, ClientTraits, FailureMessage, FailureText, Instance, ModelName, RequestTraits
from usage.redaction import redact
from usage.secrets import digest, mask

__all__ = ["BATCH", "Counts", "Ledger", "Rejected"]

# Records of one transaction: about 150 ms of a backlog, which a page view that writes (a session) may have to wait. Of
# fewer records more sums are their own, and each costs as much as a record.
BATCH = 5_000
MAX_FAILURE_TEXT = 8_192
# What a database says of a row that it cannot take: too large, not text, or pointing to what somebody has deleted.
_REFUSALS = (DataError, IntegrityError, OverflowError, UnicodeError)
_REFUSED_ALIKE = 100
_MOST_ASKED = 2_000

_TraitsWords = tuple[str | None, str | None, str | None, str | None]
_ClientWords = tuple[str | None, str | None, str | None]


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


class Ledger:
    """Books the records of one instance by the names that were known when it was made.

    `met_unknown` tells whether one of them showed a credential that the server has not listed yet.
    """

    def __init__(self, instance: Instance) -> None:
        self.met_unknown = False
        self._instance = instance
        self._learn_anew()

    def _learn_anew(self) -> None:
        self._sources = Sources(self._instance)
        self._models = Dimension[str](ModelName, "name", spell=lambda name: (name,))
        self._api_keys = Dimension[str](ApiKey, "key_digest", spell=lambda key: (digest(key),))
        columns = ("endpoint", "reasoning_effort", "service_tier", "billed_tier")
        self._traits = Dimension[_TraitsWords](RequestTraits, *columns, spell=_spell_traits)
        self._clients = Dimension[_ClientWords](ClientTraits, "ip", "forwarded_for", "user_agent", spell=_spell_client)
        self._messages = Dimension[str](FailureMessage, "text", spell=lambda text: (text,))
        self._asked: set[Asked] = set()
        self._load_prices()

    def _load_prices(self) -> None:
        self._version_of_prices = version_of_prices()
        self._prices = load_prices()

    def refresh_prices(self) -> None:
        """Take up prices that were changed since, and those that the catalog could not tell before. Two small queries."""
        price_new_models(self._asked, self._prices)
        if version_of_prices() != self._version_of_prices:
            self._load_prices()

    def book(self, payloads: Sequence[Payload], rejected: Sequence[Rejected]) -> Counts:
        """Book a batch (BATCH records at most). What the database refuses is quarantined, and the rest booked.

        Raises DataError, IntegrityError and their like where it refuses all alike.
        """
        try:
            return self._book(payloads, rejected)
        except _REFUSALS:
            self._learn_anew()  # what we knew may have been deleted
        counts, refused = self._sift(payloads)
        counts.add(self._book((), [*rejected, *refused]))
        return counts

    def _sift(self, payloads: Sequence[Payload]) -> tuple[Counts, list[Rejected]]:
        """Book what the database takes, halving what it does not down to the single records that it refuses."""
        counts, refused, parts = Counts(), list[Rejected](), [payloads]
        while parts:
            part = parts.pop()
            try:
                counts.add(self._book(part, ()))
            except _REFUSALS as error:
                if len(part) > 1:
                    parts += part[len(part) // 2 :], part[: len(part) // 2]
                    continue
                refused.append(_refused(part[0], error))
                if len(refused) >= _REFUSED_ALIKE and not counts.read:
                    raise  # it is not the records: tables of another version, perhaps
        return counts, refused

    def _book(self, payloads: Sequence[Payload], rejected: Sequence[Rejected]) -> Counts:
        if not payloads and not rejected:
            return Counts()
        rows = self._rows(payloads)
        windows = quota.newest(payloads, lambda payload: self._sources[payload].id)
        with transaction.atomic():
            new, ids = insert(rows)
            rollup.add_records(*ids)
            quota.keep(windows)
            _keep_failure_texts(payloads, ids)
            kept = quarantine.keep(self._instance, rejected)
            progress.add(
                self._instance,
                booked=new,
                duplicates=len(payloads) - new,
                quarantined=kept,
                received_at=max(chain((one.received_at for one in payloads), (one.received_at for one in rejected))),
                requested_at=max((payload.requested_at for payload in payloads), default=None),
            )
        return Counts(len(payloads) + len(rejected), new, len(payloads) - new, len(rejected))

    def _rows(self, payloads: Sequence[Payload]) -> list[Row]:
        """Most records bring nothing new; those that do are learnt from first."""
        rows, news = [], []
        for payload in payloads:
            try:
                rows.append(self._row(payload))
            except KeyError:
                news.append(payload)
        if news:
            self._learn(news)
            rows += map(self._row, news)
        return rows

    def _learn(self, payloads: Sequence[Payload]) -> None:
        masks = {key: mask(clean(key, 300)) for payload in payloads if (key := payload.api_key)}
        asked = {(_model(payload), payload.provider) for payload in payloads}
        self._sources.ensure(payloads)
        self._models.ensure({model for model, _provider in asked} | {_alias(payload) for payload in payloads})
        self._api_keys.ensure(masks, lambda key: {"key_mask": masks[key]})
        self._traits.ensure(map(_traits, payloads))
        self._clients.ensure({words for payload in payloads if (words := _client(payload))})
        self._messages.ensure({_message(payload) for payload in payloads} - {""})
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        self._asked |= asked
        if price_new_models(asked, self._prices):
            self._load_prices()

    def _row(self, payload: Payload) -> Row:
        """Return the values of COLUMNS. Raises KeyError where the payload brings something that was not learnt yet."""
        source = self._sources[payload]
        self.met_unknown |= source.is_news
        buckets, quality = split(payload.tokens, source.family, payload.breakdown)
        if payload.damaged:
            quality = Quality.INCONSISTENT
        elif source.is_guess:
            quality = max(quality, Quality.ESTIMATED)
        model, api_key, message, client = _model(payload), payload.api_key, _message(payload), _client(payload)
        alias = model if payload.alias == model else _alias(payload)
        return (
            payload.requested_at, payload.dedup_key, payload.received_at,
            source.id, self._models[model], self._models[alias],
            self._api_keys[api_key] if api_key else None, self._traits[_traits(payload)],
            clean(payload.request_id, 40), int(payload.failed), _small(payload.status_code),
            int(payload.generate is not False), _natural(payload.latency_ms), _natural(payload.ttft_ms), int(quality),
            *buckets, *self._cost(payload, model, buckets, source),
            self._messages[message] if message else None, self._clients[client] if client else None,
        )  # fmt: skip

    def _cost(self, payload: Payload, model: str, buckets: Buckets, source: KnownSource) -> Charge:
        """A source that nobody has named yet has the prices of any account: a name that comes later changes no cost, but
        `reprice` does.
        """
        price = self._prices.find(
            model, payload.requested_at, payload.provider, payload.tier, buckets.total_input,
            source.channel, source.account,
        )  # fmt: skip
        if price is None and (model, payload.provider) not in self._asked:
            raise KeyError(model)
        return charge(price, buckets, failed=payload.failed)


def _model(payload: Payload) -> str:
    return clean(payload.model, 300) or "unknown"


def _alias(payload: Payload) -> str:
    return clean(payload.alias, 300) or _model(payload)


def _traits(payload: Payload) -> _TraitsWords:
    return payload.endpoint, payload.reasoning_effort, payload.service_tier, payload.response_service_tier


def _spell_traits(words: _TraitsWords) -> tuple[str, ...]:
    return clean(words[0], 200), *(clean(word, 40) for word in words[1:])


def _client(payload: Payload) -> _ClientWords | None:
    """None where the record tells nothing of it: CPA does from v7.2.104 on."""
    ip, forwarded, agent, key = payload.client_ip, payload.x_forwarded_for, payload.user_agent, payload.api_key
    if not (ip or forwarded or agent):
        return None
    if key and key in f"{forwarded}\n{agent}":
        forwarded, agent = redact(forwarded or "", key), redact(agent or "", key)
    return ip, forwarded, agent


def _spell_client(words: _ClientWords) -> tuple[str, ...]:
    """Redacted before it is cut: of a key across the limit, a piece would stay that nothing recognises."""
    ip, forwarded, agent = (redact(clean(word, len(word or ""))) for word in words)
    return ip[:64], forwarded[:200], agent[:300]


def _natural(number: int | None) -> int | None:
    """No request takes 24 days, which is what four bytes of milliseconds hold."""
    return number if number is not None and 0 <= number < 2**31 else None


def _small(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= 32_767 else None


def _refused(payload: Payload, error: Exception) -> Rejected:
    """Tell the kind of the error alone: a database's own words would show the values."""
    kind = type(error.__cause__ or error).__name__
    raw = payload.raw or msgspec.json.encode(payload)
    return Rejected(raw, f"the database refused the record ({kind})", payload.received_at)


def _keep_failure_texts(payloads: Sequence[Payload], ids: Ids) -> None:
    """Texts are cut last: of a key across the limit, a piece would stay that nothing recognises."""
    failures = {(payload.requested_at, payload.dedup_key): payload for payload in payloads if payload.error_text}
    if not failures:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, requested_at, dedup_key FROM {grains.RECORDS} WHERE id BETWEEN %s AND %s AND failed", ids
        )
        new = {pk: failures.get((at, bytes(key))) for pk, at, key in cursor.fetchall()}
    FailureText.objects.bulk_create(
        FailureText(record_id=pk, text=_failure_text(payload)) for pk, payload in new.items() if payload
    )


def _message(payload: Payload) -> str:
    if not payload.error_text:
        return ""
    words = redact(message_of(_failure_text(payload)), payload.source, payload.api_key)
    return clean(normalised(words), MOST_CHARACTERS)


def _failure_text(payload: Payload) -> str:
    text = payload.error_text
    return redact(clean(text, len(text)), payload.source, payload.api_key)[:MAX_FAILURE_TEXT]
