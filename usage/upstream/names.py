"""Reads `/auth-files` and the key lists into credentials, whatever the version (contract G and H)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from usage.accounting.resolver import AUTH_FILES, OPENAI_COMPATIBILITY
from usage.models import Account, Channel
from usage.redaction import redact
from usage.upstream.client import ManagementClient

_LARGEST_PRIORITY = 2**31 - 1
_GEMINI, _OLD_GEMINI = "gemini-api-key", "generative-language-api-key"
# Each key list, and the provider of the records that come through it.
KEY_LISTS = {
    _GEMINI: "gemini",
    _OLD_GEMINI: "gemini",
    "interactions-api-key": "gemini-interactions",
    "claude-api-key": "claude",
    "codex-api-key": "codex",
    "xai-api-key": "xai",
    "vertex-api-key": "vertex",
    OPENAI_COMPATIBILITY: OPENAI_COMPATIBILITY,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One credential as a server lists it now. `key` is a secret and lives only until it is digested."""

    listed_in: str
    provider: str
    channel: str
    kind: Channel.Kind
    label: str = ""
    qualifier: str = ""
    auth_index: str = ""
    file_name: str = ""
    email: str = ""
    project: str = ""
    base_url: str = ""
    key: str = ""
    state: Account.State = Account.State.ACTIVE
    retry_at: datetime | None = None
    plan: str = ""
    priority: int | None = None
    note: str = ""


def fetch_names(client: ManagementClient) -> list[Listed]:
    """Return all credentials of a server; entries of a shape that no version has are left out. Raises UpstreamError."""
    found = list(_auth_files(client.get_json("/auth-files")))
    for name, provider in KEY_LISTS.items():
        found += _key_list(name, provider, client.get_json(f"/{name}"))
    return _told_apart(_without_mirror(found))


def _without_mirror(found: list[Listed]) -> list[Listed]:
    """The first list of Gemini keys was followed by another, and until v6.5.38 mirrored it: a key is one account."""
    known = {one.key for one in found if one.listed_in == _GEMINI}
    return [
        replace(one, listed_in=_GEMINI) if one.listed_in == _OLD_GEMINI else one
        for one in found
        if one.listed_in != _OLD_GEMINI or one.key not in known
    ]


def _auth_files(answer: Any) -> Iterator[Listed]:
    for entry in _entries(answer, "files"):
        name = _text(entry, "id") or _text(entry, "name")
        provider = _text(entry, "provider") or _text(entry, "type")
        if not name or not provider:
            continue
        email = _text(entry, "email")
        yield Listed(
            AUTH_FILES, provider, channel=provider, kind=Channel.Kind.OAUTH,
            label=email or _text(entry, "label") or name,
            qualifier=_plan(entry) or _text(entry, "project_id") or name,
            auth_index=_index(entry, "auth_index"), file_name=name, email=email,
            project=_text(entry, "project_id"),
            state=_state(entry), retry_at=_instant(_text(entry, "next_retry_after")),
            plan=_plan(entry), priority=_priority(entry), note=redact(_text(entry, "note")),
        )  # fmt: skip


def _key_list(name: str, provider: str, answer: Any) -> Iterator[Listed]:
    for entry in _entries(answer, name):
        if name == OPENAI_COMPATIBILITY:
            yield from _compatible(entry)
        elif key := _text(entry, "api-key"):
            base_url = _base_url(entry)
            yield Listed(
                name, provider, channel=base_url or provider, kind=Channel.Kind.API_KEY,
                auth_index=_index(entry, "auth-index"), base_url=base_url, key=key,
                state=_off_if(entry.get("excluded-models") == ["*"]), priority=_priority(entry),
            )  # fmt: skip


def _compatible(entry: dict[str, Any]) -> Iterator[Listed]:
    """An openai-compatibility provider: one account for each of its keys, or one without a key."""
    name, base_url = _text(entry, "name"), _base_url(entry)
    provider = Listed(
        OPENAI_COMPATIBILITY, name.lower() or OPENAI_COMPATIBILITY, channel=name or base_url or OPENAI_COMPATIBILITY,
        kind=Channel.Kind.API_KEY, base_url=base_url, state=_off_if(entry.get("disabled") is True),
        priority=_priority(entry),
    )  # fmt: skip
    keys = list(_entries(entry, "api-key-entries"))
    # Keys were plain strings before v6.0.16, and v6.0.16 shows both forms.
    known = {_text(key, "api-key") for key in keys}
    keys += [key for key in _entries(entry, "api-keys") if _text(key, "api-key") not in known]
    for key in keys:
        yield replace(provider, key=_text(key, "api-key"), auth_index=_index(key, "auth-index"))
    if not keys:
        yield replace(provider, label=provider.channel, auth_index=_index(entry, "auth-index"))


def _told_apart(found: list[Listed]) -> list[Listed]:
    """Keep the qualifier only where two accounts of one provider would else look alike."""
    alike = Counter((one.provider, one.label) for one in found)
    return [one if alike[one.provider, one.label] > 1 else replace(one, qualifier="") for one in found]


def _entries(answer: Any, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a list that may be null or absent; a plain string stands for the entry of that key."""
    found = answer.get(name) if isinstance(answer, dict) else None
    for entry in found if isinstance(found, list) else []:
        if isinstance(entry, str):
            yield {"api-key": entry}
        elif isinstance(entry, dict):
            yield entry


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def _base_url(entry: dict[str, Any]) -> str:
    return without_password(_text(entry, "base-url"))


def without_password(address: str) -> str:
    """An address names its channel on every page: without the password that it may hold (`https://user:password@host`)."""
    return re.sub(r"(?<=//)[^/@]*@", "", address).rstrip("/")


def _index(entry: dict[str, Any], name: str) -> str:
    """An auth index is a string; from v6.3.56 to v6.6.55 a number that counts anew at each start of the server."""
    value = entry.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _plan(entry: dict[str, Any]) -> str:
    token = entry.get("id_token")
    return _text(token, "plan_type") if isinstance(token, dict) else ""


def _priority(entry: dict[str, Any]) -> int | None:
    """Credentials with a higher one are chosen first; what no column holds counts as none."""
    value = entry.get("priority")
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= _LARGEST_PRIORITY else None


def _state(entry: dict[str, Any]) -> Account.State:
    if entry.get("disabled") is True:
        return Account.State.DISABLED
    return Account.State.COOLING if entry.get("unavailable") is True else Account.State.ACTIVE


def _off_if(disabled: bool) -> Account.State:
    return Account.State.DISABLED if disabled else Account.State.ACTIVE


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
