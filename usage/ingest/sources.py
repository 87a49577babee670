"""Finds the source of each record, resolves new ones, and heals those that came before their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Q, QuerySet, Sum

from usage.accounting.payload import Payload
from usage.accounting.resolver import OPENAI_COMPATIBILITY, Clue, Match, Resolution, Resolver, Rule
from usage.accounting.tokens import Family, family_of, family_of_model
from usage.ingest.accounts import load_credentials
from usage.ingest.dimensions import Dimension, clean
from usage.models import Instance, Source, UsageDailyBySource
from usage.secrets import digest, mask

# A server has some hundred credentials; those that come and go are not kept for ever.
_MOST_KNOWN = 20_000
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class KnownSource(NamedTuple):
    """What is the same for all records that show a credential in the same words."""

    id: int
    family: Family
    is_guess: bool  # of the family
    is_news: bool
    channel: int | None  # ids of what it means as far as is known now: what prices may hang on
    account: int | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """The source of one record: its natural key, and what it means."""

    key: tuple[int, str, str, bytes]
    resolution: Resolution

    @property
    def is_news(self) -> bool:
        """Whether the server has not listed this credential: it matched nothing, or not by the index that it shows."""
        shows_index = bool(self.key[2])
        return self.resolution.match is Match.UNKNOWN or (shows_index and self.resolution.match is Match.SOURCE)


class Sources:
    """The sources of one instance, by what its server lists now."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._resolver = Resolver(load_credentials(instance))
        columns = ("instance_id", "provider", "auth_index", "source_digest")
        self._ids = Dimension[tuple[int, str, str, bytes]](Source, *columns, spell=lambda key: key)
        self._known: dict[_Words, KnownSource] = {}

    def __getitem__(self, payload: Payload) -> KnownSource:
        """Return the source of `payload`. Raises KeyError where its words were not ensured yet."""
        return self._known[_words(payload)]

    def ensure(self, payloads: Iterable[Payload]) -> None:
        """Make the sources of all `payloads` known, adding those that are missing."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        news = {words: payload for payload in payloads if (words := _words(payload)) not in self._known}
        sightings = {words: self.sight(payload) for words, payload in news.items()}
        examples = {sighting.key: (sighting, news[words]) for words, sighting in sightings.items()}
        self._ids.ensure(examples, lambda key: _describe(*examples[key]))
        rows = Source.objects.select_related("account").in_bulk(self._ids[key] for key in examples)
        for words, sighting in sightings.items():
            family = family_of_record(news[words], sighting.resolution)
            row = rows[self._ids[sighting.key]]
            whose = _whose(row, sighting.resolution)
            is_news = sighting.is_news and row.match != Source.Match.BY_HAND
            self._known[words] = KnownSource(row.pk, *family, is_news, *whose)

    def sight(self, payload: Payload) -> Sighting:
        clue = Clue(clean(payload.provider, 100), clean(_index(payload), 300), _source_digest(payload))
        resolution = self._resolver.resolve(clue)
        index = clue.auth_index
        if isinstance(payload.auth_index, int):
            # A number that counts anew at each start of the server means something only now (contract E).
            resolution = self._unless_outdated(clue, resolution)
            by_index = resolution.match is Match.AUTH_INDEX and resolution.account_id
            index = f"account {resolution.account_id}" if by_index else ""
        return Sighting((self._instance.pk, clue.provider, index, clue.source), resolution)

    def _unless_outdated(self, clue: Clue, resolution: Resolution) -> Resolution:
        """Where the source names another than the number does, the server was restarted since it told its names."""
        by_source = self._resolver.resolve(replace(clue, auth_index=""))
        disagree = by_source.like and resolution.like and clue.source not in resolution.like.names
        return by_source if disagree else resolution


_IS_SETTLED = ~Q(account=None) | Q(match=Source.Match.BY_HAND)


def _whose(row: Source, resolution: Resolution) -> tuple[int | None, int | None]:
    """Return the ids of channel and account; a row that is to be healed yet means what it will mean then."""
    is_settled = row.account_id or row.match == Source.Match.BY_HAND
    return (row.known_channel_id, row.account_id) if is_settled else (resolution.channel_id, resolution.account_id)


# All that decides a record's source and the family of its tokens: the model only where no provider is named.
_Words = tuple[str, str | int | None, str | None, bool, str | None, str]


def _words(payload: Payload) -> _Words:
    provider, source = payload.provider, payload.source
    model = "" if provider else payload.model
    return provider, payload.auth_index, source, source == payload.api_key, payload.executor_type, model


def family_of_record(payload: Payload, resolution: Resolution) -> tuple[Family, bool]:
    """Return whose token rules a record follows, and whether that is a guess.

    Where the record does not name its executor (before v7.1.38) the list that holds its credential tells more than a
    provider's name, which for an openai-compatibility entry may be anything; legacy details name no provider at all.
    """
    credential = resolution.like
    if not payload.executor_type and credential and credential.listed_in == OPENAI_COMPATIBILITY:
        return Family.SUBSET, False
    if payload.provider:
        return family_of(payload.provider, payload.executor_type or ""), False
    if credential:
        return family_of(credential.provider), False
    return family_of_model(payload.model), True


def records_of(sources: QuerySet[Source]) -> int:
    """Return how many records show them, those that were pruned included."""
    return UsageDailyBySource.objects.filter(source__in=sources).aggregate(requests=Sum("requests"))["requests"] or 0


def resolve_anew(source: Source) -> None:
    """Give a source what its server's list says of it by now, whatever it meant before."""
    resolution = Resolver(load_credentials(source.instance)).resolve(_clue_of(source))
    Source.objects.filter(pk=source.pk).update(**_resolved(resolution))


class Finding(NamedTuple):
    """What a record that shows a clue would mean: by the `source` that has been seen already, if that has been settled,
    else by the first of the rules that decides.
    """

    source: Source | None
    rules: list[Rule]


def find(instance: Instance, clue: Clue) -> Finding:
    """Return what a record of a server would mean now, and why."""
    seen = Source.objects.filter(
        instance=instance, provider=clue.provider, auth_index=clue.auth_index, source_digest=clue.source
    )
    settled = seen.filter(_IS_SETTLED).select_related("channel", "account__channel").first()
    return Finding(settled, list(Resolver(load_credentials(instance)).tried(clue)))


def clue_of(provider: str, auth_index: str, source: str) -> Clue:
    """Return what records show in these words; `source` is nowhere kept."""
    return Clue(
        clean(provider.strip(), 100), clean(auth_index.strip(), 300), digest(source.strip()) if source.strip() else b""
    )


def heal(instance: Instance) -> tuple[int, int]:
    """Resolve sources anew by what is known now; return how many sources and how many records it named.

    An account that only the source had named gives way to the one that lists the index, and to nothing less.
    """
    resolver = Resolver(load_credentials(instance))
    healed = records = 0
    for source in _unresolved(instance):
        resolution = resolver.resolve(_clue_of(source))
        if (resolution.channel_id, resolution.account_id) == (source.channel_id, source.account_id):
            continue
        if source.account_id and not (resolution.match is Match.AUTH_INDEX and resolution.account_id):
            continue
        Source.objects.filter(pk=source.pk).update(**_resolved(resolution))
        healed += 1
        records += records_of(Source.objects.filter(pk=source.pk))
    return healed, records


def _unresolved(instance: Instance) -> QuerySet[Source]:
    """Those without an account, and those whose index no list had: a second login of one e-mail looks like the first.

    What people said of a source stands until they take it back (usage/ingest/assigning.py).
    """
    by_source_only = Q(match=Source.Match.SOURCE) & ~Q(auth_index="")
    found = Source.objects.filter(Q(account=None) | by_source_only, instance=instance)
    return found.exclude(match=Source.Match.BY_HAND)


def _clue_of(source: Source) -> Clue:
    return Clue(source.provider, source.auth_index, bytes(source.source_digest))


def _resolved(resolution: Resolution) -> dict[str, object]:
    return {"match": resolution.match.value, "channel_id": resolution.channel_id, "account_id": resolution.account_id}


def _describe(sighting: Sighting, payload: Payload) -> dict[str, object]:
    return {"auth_type": clean(payload.auth_type, 20), "label": _label(payload)} | _resolved(sighting.resolution)


def _index(payload: Payload) -> str:
    return "" if payload.auth_index is None else str(payload.auth_index).strip()


def _is_client_key(payload: Payload) -> bool:
    """Logins without an e-mail, and plugins, show the client's own key as source: that names no channel."""
    return bool(payload.source) and payload.source == payload.api_key


def _source_digest(payload: Payload) -> bytes:
    source = (payload.source or "").strip()
    return digest(source) if source and not _is_client_key(payload) else b""


def _label(payload: Payload) -> str:
    """What people may see of a source: an e-mail or a file name, a key only masked."""
    source = (payload.source or "").strip()
    if not source or _is_client_key(payload):
        return ""
    is_public = _EMAIL.fullmatch(source) or source.endswith(".json") or "..." in source[:8]
    return clean(source, 300) if is_public else mask(clean(source, 300))
