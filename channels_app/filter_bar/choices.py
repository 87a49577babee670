"""What each filter can be set to: what was used in the period, with the most requests first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest
from typing import Any, NamedTuple

from django.core.cache import cache
from django.utils.translation import gettext as _

from channels_app.filter_bar.scope import Scope
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.stats import EVERYTHING, Conditions, aggregate
from channels_app.stats.names import key_names, model_names
from usage.models import Account, Channel, Instance
from usage.models.record import NO_KEY, NO_STATUS

# Of each filter; the others are found by typing.
MOST = 50
# How old the counts may be.
_KEPT_SECONDS = 60


class Choice(NamedTuple):
    """`value` is what the address says. A channel has a colour, a shape and a place among channels (`position`); accounts are
    listed under their channel's name.
    """

    value: str
    name: str
    requests: int
    is_chosen: bool = False
    color_slot: int | None = None
    shape: str = ""
    group: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """The first MOST, and what is chosen; `more` is how many there are besides."""

    rows: list[Choice]
    more: int = 0


class AllChoices:
    """Counts are those of the whole period, whatever else is filtered; only accounts are narrowed by the channels chosen."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._finders: dict[str, Callable[[], list[Choice]]] = {
            "server": self._servers,
            "channel": self._channels,
            "account": self._accounts,
            "model": self._models,
            "key": self._keys,
            "code": self._codes,
        }
        self._found: dict[str, list[Choice]] = {}

    def of(self, name: str, search: str = "") -> Choices:
        """Return the choices of a filter whose name holds `search`."""
        wanted = search.strip().casefold()
        if name == "account" and not wanted:
            return self._largest_accounts
        found = [one for one in self._all(name) if wanted in one.name.casefold()]
        found.sort(key=_first_chosen)
        rows = [one for at, one in enumerate(found) if at < MOST or one.is_chosen]
        if name == "account":
            rows = _by_group(rows)
        return Choices(rows, len(found) - len(rows))

    @cached_property
    def _largest_accounts(self) -> Choices:
        """Of a thousand accounts only these are read."""
        requests, chosen = self._of_accounts, self._scope.filters.accounts
        largest = nlargest(MOST, requests, key=lambda pk: (pk in chosen, requests[pk], -pk))
        rows = sorted(self._named_accounts({*largest, *chosen}), key=_first_chosen)
        return Choices(_by_group(rows), len({*requests, *chosen}) - len(rows))

    def chosen(self, name: str) -> list[Choice]:
        if name == "account":
            return self._named_accounts(self._scope.filters.accounts)
        return [one for one in self._all(name) if one.is_chosen]

    def _all(self, name: str) -> list[Choice]:
        """Two parts of the bar may ask for the same."""
        if name not in self._found:
            self._found[name] = self._finders[name]()
        return self._found[name]

    def _is_chosen(self, name: str, value: str) -> bool:
        return (name, value) in self._scope.filters.parameters

    def _choice(self, name: str, value: str, text: str, requests: int, *marks: object) -> Choice:
        return Choice(value, text, requests, self._is_chosen(name, value), *marks)  # type: ignore[arg-type]

    @cached_property
    def _used(self) -> list[tuple[Any, ...]]:
        """Server, channel and account, with their requests."""
        return self._requests(EVERYTHING, "instance_id", "channel_id", "account_id")

    def _counted(self, place: int) -> Counter[int | None]:
        counter = Counter[int | None]()
        for row in self._used:
            counter[row[place]] += row[3]
        return counter

    def _by(self, dimension: str, conditions: Conditions = EVERYTHING) -> Mapping[int, int]:
        return {row[0]: row[1] for row in self._requests(conditions, dimension)}

    def _requests(self, conditions: Conditions, *by: str) -> list[tuple[Any, ...]]:
        """Whoever reads page after page of one period need not have the same counted each time."""
        span = self._scope.span
        key = "-".join(("choices", *by, str(conditions.failed), str(span.since), str(span.until)))
        rows: list[tuple[Any, ...]] | None = cache.get(key)
        if rows is None:
            rows = aggregate(span, conditions, by, ("requests",))
            cache.set(key, rows, _KEPT_SECONDS)
        return rows

    @cached_property
    def _all_channels(self) -> dict[int, Channel]:
        return Channel.objects.in_bulk()

    def _servers(self) -> list[Choice]:
        requests = self._counted(0)
        return [self._choice("server", row.slug, row.name, requests[row.pk]) for row in Instance.objects.all()]

    def _channels(self) -> list[Choice]:
        requests = self._counted(1)
        found = [
            self._choice("channel", row.slug, row.name, requests[pk], row.color_slot, row.shape, "", row.position)
            for pk, row in self._all_channels.items()
            if requests[pk] or self._is_chosen("channel", row.slug)
        ]
        if requests[None] or self._is_chosen("channel", UNKNOWN_CHANNEL):
            found.append(self._choice("channel", UNKNOWN_CHANNEL, _("Unknown channel"), requests[None]))
        return found

    @cached_property
    def _of_accounts(self) -> Counter[int]:
        """The requests of each account of the channels that are chosen."""
        asked, counter = self._scope.filters.channels, Counter[int]()
        for _server, channel, account, requests in self._used:
            if account is not None and (not asked or channel in asked):
                counter[account] += requests
        return counter

    def _accounts(self) -> list[Choice]:
        return self._named_accounts({*self._of_accounts, *self._scope.filters.accounts})

    def _named_accounts(self, ids: Collection[int]) -> list[Choice]:
        requests, found = self._counted(2), []
        rows = Account.objects.filter(pk__in=ids) if ids else Account.objects.none()
        # Of a thousand rows, objects would take three times as long.
        looks = ("channel__color_slot", "channel__shape", "channel__name")
        for color_slot, shape, channel, pk, *named in rows.values_list(*looks, *Account.NAMED_BY):
            name = Account.name_of(pk, *named)
            found.append(self._choice("account", str(pk), name, requests[pk], color_slot, shape, channel))
        return found

    def _models(self) -> list[Choice]:
        requests = self._by("model_id")
        names = model_names({*requests, *self._scope.filters.models})
        return [self._choice("model", name, name, requests.get(pk, 0)) for pk, name in names.items()]

    def _keys(self) -> list[Choice]:
        requests = self._by("api_key_id")
        names = key_names({*requests, *self._scope.filters.keys} - {NO_KEY})
        found = [self._choice("key", str(pk), name, requests.get(pk, 0)) for pk, name in names.items()]
        if NO_KEY in requests or NO_KEY in self._scope.filters.keys:
            found.append(self._choice("key", str(NO_KEY), _("No key"), requests.get(NO_KEY, 0)))
        return found

    def _codes(self) -> list[Choice]:
        """Each status of failures, and whole classes of them."""
        requests = {code: count for code, count in self._by("status_code", _FAILED).items() if code != NO_STATUS}
        classes = Counter[str]()
        for code, count in requests.items():
            classes[f"{code // 100}xx"] += count
        counts = {str(code): count for code, count in requests.items()} | classes
        asked = self._scope.address.values("code")
        return [self._choice("code", value, value, counts.get(value, 0)) for value in {*counts, *asked}]


_FAILED = Conditions(failed=True)


def _first_chosen(one: Choice) -> tuple[bool, int, int, str]:
    """What is chosen stands before the most requests."""
    return not one.is_chosen, -one.requests, one.position, one.name.casefold()


def _by_group(rows: list[Choice]) -> list[Choice]:
    """Put what is under one heading together, the headings in the order of their first."""
    groups: dict[str, list[Choice]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [row for group in groups.values() for row in group]
