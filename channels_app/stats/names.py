"""What the groups of an answer are called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence, Set
from typing import Any

from django.utils.translation import gettext as _

from channels_app.stats.channels import UNKNOWN
from channels_app.stats.database import database
from channels_app.stats.questions import Group
from channels_app.stats.remembering import once
from usage.models import Account, ApiKey, Channel, FailureMessage, Instance, ModelName, Source
from usage.models.record import NO_KEY, NO_MESSAGE

# What people see of one value of a dimension: an id or slug that filters take, and a name.
Name = dict[str, Any]


def name_groups(by: Sequence[str], groups: Collection[Group]) -> dict[Group, Name]:
    """Return for each group a mapping of its dimensions to their names. One query for each dimension."""
    named = [(dimension, _NAMES[dimension]({group[place] for group in groups})) for place, dimension in enumerate(by)]
    return {
        group: {dimension: names[value] for (dimension, names), value in zip(named, group, strict=True)}
        for group in groups
    }


def _servers(ids: Iterable[int | None]) -> dict[int | None, Name]:
    return {row.pk: {"id": row.slug, "name": row.name} for row in Instance.objects.filter(pk__in=_known(ids))}


def _channels(ids: Iterable[int | None]) -> dict[int | None, Name]:
    rows = Channel.objects.filter(pk__in=_known(ids))
    names: dict[int | None, Name] = {row.pk: {"id": row.slug, "name": row.name} for row in rows}
    return names | {None: {"id": UNKNOWN, "name": _("Unknown channel")}}


def _accounts(ids: Iterable[int | None]) -> dict[int | None, Name]:
    rows = Account.objects.filter(pk__in=_known(ids))
    names: dict[int | None, Name] = {row.pk: {"id": row.pk, "name": str(row)} for row in rows}
    return names | {None: {"id": None, "name": _("Unknown account")}}


def _sources(ids: Iterable[int | None]) -> dict[int | None, Name]:
    return {row.pk: {"id": row.pk, "name": str(row)} for row in Source.objects.filter(pk__in=_known(ids))}


def _models(ids: Iterable[int | None]) -> dict[int | None, Name]:
    return {pk: {"id": name, "name": name} for pk, name in model_names(_known(ids)).items()}


def model_names(ids: Set[int]) -> dict[int, str]:
    """Return the names of those of these models that there are.

    A page asks for them five times; one that is met meanwhile is looked up. What a page remembers may know of one that
    this database has not got yet.
    """
    known = once(_all_models)
    if missing := ids - known.keys():
        known.update(ModelName.objects.using(database().alias).filter(pk__in=missing).values_list("pk", "name"))
    return {pk: known[pk] for pk in ids & known.keys()}


def _all_models(using: str) -> dict[int, str]:
    return dict(ModelName.objects.using(using).values_list("pk", "name"))


def _keys(ids: Iterable[int | None]) -> dict[int | None, Name]:
    names: dict[int | None, Name] = {pk: {"id": pk, "name": name} for pk, name in key_names(_known(ids)).items()}
    return names | {NO_KEY: {"id": NO_KEY, "name": _("No key")}}


def key_names(ids: Set[int]) -> dict[int, str]:
    """Return the names of those of these keys that there are: a page asks for them three times."""
    known = once(_no_names)
    if missing := ids - known.keys():
        known.update((row.pk, str(row)) for row in ApiKey.objects.using(database().alias).filter(pk__in=missing))
    return {pk: known[pk] for pk in ids & known.keys()}


def _no_names(using: str) -> dict[int, str]:
    """What is known of keys before any is asked for: there may be more than a page shows."""
    return {}


def _codes(ids: Iterable[int | None]) -> dict[int | None, Name]:
    return {code: {"id": code, "name": str(code) if code else _("No status")} for code in ids}


def _messages(ids: Iterable[int | None]) -> dict[int | None, Name]:
    rows = FailureMessage.objects.filter(pk__in=_known(ids))
    names: dict[int | None, Name] = {row.pk: {"id": row.pk, "name": row.text} for row in rows}
    return names | {NO_MESSAGE: {"id": NO_MESSAGE, "name": _("No message")}}


def _known(ids: Iterable[int | None]) -> set[int]:
    return {one for one in ids if one is not None}


_NAMES: dict[str, Callable[[Iterable[int | None]], dict[int | None, Name]]] = {
    "server": _servers,
    "channel": _channels,
    "account": _accounts,
    "source": _sources,
    "model": _models,
    "key": _keys,
    "code": _codes,
    "message": _messages,
}
