"""What of the usage is asked for: server, channel, account, model, client key, status and code (`ui.md` 4.1).

Different parameters must all be fulfilled, repeated ones any of them. What is not there is dropped with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from channels_app.stats.conditions import NOTHING, CodeRange, Conditions
from channels_app.wrong import Wrong
from usage.models import Account, ApiKey, Channel, ChannelName, Instance, ModelName, Source
from usage.models.record import NO_KEY
from usage.models.rollup import NO_CHANNEL

UNKNOWN_CHANNEL = "unknown"
OK, FAIL = "ok", "fail"
PARAMETERS = ("server", "channel", "account", "model", "key", "status", "code")
# `429` or `5xx`.
_CODE = re.compile(r"([1-5])(?:(\d\d)|xx)")


@dataclass(frozen=True, slots=True)
class Filters:
    """The values that were found, by what the address calls them; empty sets ask for all.

    `channels` holds None for the unknown channel, `keys` NO_KEY for requests without a client key.
    """

    servers: frozenset[int] = frozenset()
    channels: frozenset[int | None] = frozenset()
    accounts: frozenset[int] = frozenset()
    models: frozenset[int] = frozenset()
    keys: frozenset[int] = frozenset()
    status: str = ""
    codes: tuple[CodeRange, ...] = ()
    # As the address said it, in the order of the alphabet.
    parameters: tuple[tuple[str, str], ...] = ()
    wrong: tuple[Wrong, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(one.text for one in self.wrong)

    @property
    def conditions(self) -> Conditions:
        """The same by what records point to. One query, where servers, channels or accounts are asked for."""
        if self.status == OK and self.codes:
            return NOTHING  # codes are those of failures
        return Conditions(
            sources=self._sources() if self.servers or self.channels or self.accounts else None,
            channels=self._whole_channels,
            models=self.models or None,
            api_keys=self.keys or None,
            failed=True if self.status == FAIL or self.codes else False if self.status == OK else None,
            codes=self.codes,
        )

    @property
    def _whole_channels(self) -> frozenset[int] | None:
        """The channels, where nothing else is asked of sources."""
        if not self.channels or self.servers or self.accounts:
            return None
        return frozenset(NO_CHANNEL if channel is None else channel for channel in self.channels)

    def _sources(self) -> frozenset[int]:
        sources = Source.objects.all()
        if self.servers:
            sources = sources.filter(instance__in=self.servers)
        if self.accounts:
            sources = sources.filter(account__in=self.accounts)
        if self.channels:
            known = {channel for channel in self.channels if channel is not None}
            # The account's channel goes before the one that is sure although the account is not (Source.known_channel).
            wanted = Q(account__channel__in=known) | Q(account=None, channel__in=known)
            if None in self.channels:
                wanted |= Q(account=None, channel=None)
            sources = sources.filter(wanted)
        return frozenset(sources.values_list("pk", flat=True))


@dataclass(slots=True)
class _Reading:
    """What was found so far, and what was not."""

    query: Mapping[str, Any]
    parameters: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    # What values of parameters are called by now.
    renamed: dict[tuple[str, str], str] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        values = self.query.getlist(name) if isinstance(self.query, QueryDict) else [self.query.get(name, "")]
        return sorted({self.renamed.get((name, value.strip()), value.strip()) for value in values} - {""})

    def found(self, name: str, known: Mapping[str, Any]) -> list[Any]:
        """Return what the values of a parameter mean, of those that are known."""
        found = []
        for value in self.values(name):
            if value in known:
                found.append(known[value])
                self.parameters.append((name, value))
            else:
                self.drop(name, value)
        return found

    def drop(self, name: str, value: str) -> None:
        text = _("%(name)s=%(value)s was not found, and is ignored") % {"name": name, "value": value}
        self.wrong.append(Wrong(name, value, text))


def read_filters(query: Mapping[str, Any]) -> Filters:
    """Return what `query` (a QueryDict, or a plain mapping of single values) asks for. A query for each parameter given."""
    reading = _Reading(query)
    servers = reading.found("server", _by(Instance, "slug", reading.values("server")))
    channels = {UNKNOWN_CHANNEL: None} | _by(Channel, "slug", reading.values("channel"))
    for former, channel in _merged({*reading.values("channel")} - {*channels}):
        channels[channel.slug] = channel.pk
        reading.renamed["channel", former] = channel.slug
    accounts = _by(Account, "pk", reading.values("account"))
    models = _by(ModelName, "name", reading.values("model"))
    keys = _by(ApiKey, "pk", reading.values("key")) | {str(NO_KEY): NO_KEY}
    statuses = reading.found("status", {OK: OK, FAIL: FAIL})
    return Filters(
        servers=frozenset(servers),
        channels=frozenset(reading.found("channel", channels)),
        accounts=frozenset(reading.found("account", accounts)),
        models=frozenset(reading.found("model", models)),
        keys=frozenset(reading.found("key", keys)),
        status=statuses[0] if len(statuses) == 1 else "",  # either of two is both
        codes=tuple(sorted(reading.found("code", _codes(reading.values("code"))))),
        parameters=tuple(sorted(reading.parameters)),
        wrong=tuple(reading.wrong),
    )


def _merged(slugs: Collection[str]) -> list[tuple[str, Channel]]:
    """Return into which channels those were merged that had these slugs."""
    if not slugs:
        return []
    names = ChannelName.objects.select_related("channel").filter(former_slug__in=slugs)
    return [(name.former_slug, name.channel) for name in names]


def _by(model: type[Model], column: str, values: Iterable[str]) -> dict[str, int]:
    """Return the ids of the rows that have one of these values in `column`."""
    values = [value for value in values if column != "pk" or (value.isascii() and value.isdigit() and len(value) < 19)]
    if not values:
        return {}
    rows = model._default_manager.filter(**{f"{column}__in": values}).values_list(column, "pk")
    return {str(value): pk for value, pk in rows}


def _codes(values: Iterable[str]) -> dict[str, CodeRange]:
    ranges = {}
    for value in values:
        if match := _CODE.fullmatch(value.lower()):
            first = int(match[1]) * 100
            ranges[value] = (first + int(match[2]),) * 2 if match[2] else (first, first + 99)
    return ranges
