"""Keeps channels and accounts in step with what a server lists; what is gone keeps its history (invariant 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction

from usage.accounting.resolver import AUTH_FILES, Credential
from usage.ingest.dimensions import clean
from usage.models import Account, Channel, ChannelName, Instance
from usage.secrets import digest, mask
from usage.upstream.names import Listed

# Of a longer text an account keeps the beginning; a key is not stored but must be text that can be masked.
_LIMITS = {
    "channel": 300,
    "label": 300,
    "qualifier": 300,
    "provider": 100,
    "auth_index": 64,
    "plan": 100,
    "note": 300,
    "key": 10_000,
} | dict.fromkeys(("file_name", "email", "project", "base_url"), 300)


def apply_listing(instance: Instance, listing: Iterable[Listed]) -> None:
    """Make the accounts of `instance` those of `listing`; accounts that it lacks are marked as removed."""
    with transaction.atomic():
        # One at a time: two that learn of the same new account or channel would both add it.
        list(Instance.objects.select_for_update().order_by("pk"))
        known = list(Account.objects.filter(instance=instance).order_by("pk"))
        arrivals = []
        for listed in map(_storable, listing):
            account = _take(known, partial(_is_same, listed))
            if account:
                _update(account, listed)
            else:
                arrivals.append(listed)
        for listed in arrivals:
            # What no longer is listed and agrees in all else was renamed.
            account = _take(known, partial(_was_renamed, listed))
            _update(account or Account(instance=instance), listed)
        gone = [account.pk for account in known]
        Account.objects.filter(pk__in=gone).exclude(state=Account.State.REMOVED).update(state=Account.State.REMOVED)


def _storable(listed: Listed) -> Listed:
    """One odd name must not keep the others from being learnt: PostgreSQL refuses NUL, and what is too long."""
    texts: dict[str, Any] = {name: clean(getattr(listed, name), limit) for name, limit in _LIMITS.items()}
    return replace(listed, **texts)


def load_credentials(instance: Instance) -> list[Credential]:
    """Return all accounts of `instance`, present and past, as the resolver wants them."""
    return [_credential(account) for account in Account.objects.filter(instance=instance).order_by("pk")]


def _credential(account: Account) -> Credential:
    said = (account.email, account.file_name, account.project)
    texts = {text for text in (*said, account.key_mask) if text}
    texts |= {server_mask(text) for text in said if text}
    names = {digest(text) for text in texts}
    if account.key_digest:
        names.add(bytes(account.key_digest))
    return Credential(
        account_id=account.pk,
        channel_id=account.channel_id,
        listed_in=account.listed_in,
        provider=account.provider,
        auth_index=account.auth_index,
        names=frozenset(names),
        removed=account.state == Account.State.REMOVED,
    )


def server_mask(text: str) -> str:
    """Return `text` as servers from v6.2.7 to v6.3.35 masked the source of a record (contract H)."""
    kept = 4 if len(text) > 8 else 2 if len(text) > 4 else 1
    return f"{text[:kept]}...{text[-kept:]}" if len(text) > 2 else text


def _is_same(listed: Listed, account: Account) -> bool:
    """A file is known by its name; a key by itself, its list, and the provider's name or else its address."""
    if (account.listed_in, account.provider) != (listed.listed_in, listed.provider):
        return False
    if listed.listed_in == AUTH_FILES:
        return account.file_name == listed.file_name
    return bytes(account.key_digest) == _key_digest(listed) and account.base_url == listed.base_url


def _was_renamed(listed: Listed, account: Account) -> bool:
    """A file of the same login, or a key whose provider has another name or address now."""
    if account.listed_in != listed.listed_in:
        return False
    if listed.listed_in == AUTH_FILES:
        same = (account.provider, account.email, account.project) == (listed.provider, listed.email, listed.project)
        return same and bool(listed.email) and listed.qualifier in ("", account.qualifier)
    return bool(listed.key) and bytes(account.key_digest) == _key_digest(listed)


def _take(known: list[Account], fits: Callable[[Account], bool]) -> Account | None:
    """Remove and return the one that fits; of several, one that is still listed."""
    found = sorted(filter(fits, known), key=lambda account: account.state == Account.State.REMOVED)
    if not found:
        return None
    known.remove(found[0])
    return found[0]


def _update(account: Account, listed: Listed) -> None:
    channel = _channel_listed_as(listed.kind, listed.channel)
    fields = {
        "channel_id": channel.pk,
        "label": listed.label or mask(listed.key) or listed.channel,
        "qualifier": listed.qualifier,
        "state": listed.state,
        "retry_at": listed.retry_at,
        "plan": listed.plan,
        "priority": listed.priority,
        "note": listed.note,
        "listed_in": listed.listed_in,
        "provider": listed.provider,
        # Entries that are off, and old servers, list none: the last known still names past records.
        "auth_index": listed.auth_index or account.auth_index,
        "file_name": listed.file_name,
        "email": listed.email,
        "project": listed.project,
        "base_url": listed.base_url,
        "key_digest": _key_digest(listed),
        "key_mask": mask(listed.key),
    }
    if any(getattr(account, name) != value for name, value in fields.items()):
        for name, value in fields.items():
            setattr(account, name, value)
        account.save()


def _channel_listed_as(kind: str, name: str) -> Channel:
    """Return the channel that this name means by now; a new one where no server has listed it before."""
    known = ChannelName.objects.select_related("channel").filter(kind=kind, name=name).first()
    return known.channel if known else Channel.objects.create(kind=kind, name=name)


def _key_digest(listed: Listed) -> bytes:
    return digest(listed.key) if listed.key else b""
