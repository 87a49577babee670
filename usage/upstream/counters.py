"""The server's own counters of attempts: proof of what we have, and of what is missing (contract G and I)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from usage.secrets import digest
from usage.upstream.client import ManagementClient
from usage.upstream.names import without_password


class KeyCounter(msgspec.Struct):
    """Attempts with one upstream key, which is known by its digest."""

    key_digest: bytes
    base_url: str
    attempts: int


class Counters(msgspec.Struct):
    """Attempts since the server started: by the id of an auth file, and by key."""

    files: dict[str, int]
    keys: list[KeyCounter]


def fetch_counters(client: ManagementClient) -> Counters | None:
    """Return the counters; None from a server that has none yet (before v6.9.49). Raises UpstreamError."""
    listed = client.get_json("/auth-files")
    by_key = client.get_json("/api-key-usage")
    counters = Counters(dict(_files(listed)), list(_keys(by_key)))
    has_none = not isinstance(by_key, dict) or (by_key and not counters.keys)
    return None if has_none and not counters.files else counters


def _files(listed: Any) -> Iterator[tuple[str, int]]:
    entries = listed.get("files") if isinstance(listed, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and (attempts := _attempts(entry)) is not None:
            yield str(entry.get("id") or entry.get("name")), attempts


def _keys(by_provider: Any) -> Iterator[KeyCounter]:
    providers = by_provider.values() if isinstance(by_provider, dict) else []
    for keys in providers:
        for name, entry in keys.items() if isinstance(keys, dict) else []:
            base_url, _, key = name.rpartition("|")
            if isinstance(entry, dict) and (attempts := _attempts(entry)) is not None:
                yield KeyCounter(digest(key.strip()), without_password(base_url.strip()), attempts)


def _attempts(entry: dict[str, Any]) -> int | None:
    success, failed = entry.get("success"), entry.get("failed")
    return success + failed if isinstance(success, int) and isinstance(failed, int) else None
