"""The credentials a server holds: OAuth files and configured upstream keys, with the counters it keeps on each."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from threading import Lock
from typing import Any

from tests.fake_cpa.clock import NANOSECONDS, Clock

RECENT_BUCKET_SECONDS = 600
RECENT_BUCKETS = 20

# The key lists of the configuration file, and the provider their entries answer as (contract E, H).
LIST_PROVIDERS = {
    "gemini-api-key": "gemini",
    "interactions-api-key": "gemini-interactions",
    "claude-api-key": "claude",
    "codex-api-key": "codex",
    "xai-api-key": "xai",
    "vertex-api-key": "vertex",
}


@dataclass(eq=False, kw_only=True)
class Credential:
    """What every credential has; change the attributes at run time as you like."""

    disabled: bool = False
    priority: int = 0
    weight: int | None = None
    success: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    recent: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]), init=False)

    def count(self, *, failed: bool, at_ns: int) -> None:
        self.recent[at_ns // NANOSECONDS // RECENT_BUCKET_SECONDS][failed] += 1
        if failed:
            self.failed += 1
        else:
            self.success += 1


@dataclass(eq=False, kw_only=True)
class AuthFile(Credential):
    """An OAuth login. `live`: added while the server runs, not found at its start (it changes old auth_index seeds)."""

    provider: str
    name: str
    created_ns: int
    email: str = ""
    project_id: str = ""
    plan: str = ""
    note: str = ""
    label: str | None = None
    status: str = "active"
    status_message: str = ""
    unavailable: bool = False
    next_retry_after_ns: int = 0
    runtime_only: bool = False
    websockets: bool | None = None
    request_retry: int | None = None
    live: bool = False

    @cached_property
    def access_token_sha256(self) -> str:
        return hashlib.sha256(f"access-token-FAKE-{self.name}".encode()).hexdigest()


@dataclass(eq=False, kw_only=True)
class ConfigKey(Credential):
    """An entry of one of the key lists."""

    list_name: str
    api_key: str
    base_url: str = ""
    proxy_url: str = ""
    prefix: str = ""
    models: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    excluded_models: list[str] = field(default_factory=list)
    websockets: bool = False

    compat_name = ""

    @property
    def provider(self) -> str:
        return LIST_PROVIDERS[self.list_name]


@dataclass(eq=False, kw_only=True)
class CompatProvider(Credential):
    """An `openai-compatibility` entry; without keys it is itself the credential."""

    name: str
    base_url: str
    prefix: str = ""
    models: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    keys: list[CompatKey] = field(default_factory=list, init=False)

    api_key = ""
    proxy_url = ""

    @property
    def compat_name(self) -> str:
        return self.name.lower() or "openai-compatibility"

    def add_key(self, api_key: str, *, proxy_url: str = "") -> CompatKey:
        key = CompatKey(compat=self, api_key=api_key, proxy_url=proxy_url)
        self.keys.append(key)
        return key


@dataclass(eq=False, kw_only=True)
class CompatKey(Credential):
    compat: CompatProvider
    api_key: str
    proxy_url: str = ""

    @property
    def base_url(self) -> str:
        return self.compat.base_url

    @property
    def compat_name(self) -> str:
        return self.compat.compat_name


ApiKeyCredential = ConfigKey | CompatKey | CompatProvider
AnyCredential = AuthFile | ApiKeyCredential


class Credentials:
    """Everything the server can list. A credential that is not in here still works for `emit`: nothing lists it.

    `changed` is called when one was added, removed or renamed.
    """

    def __init__(self, clock: Clock, changed: Callable[[], None]) -> None:
        self.files: list[AuthFile] = []
        self.keys: list[ConfigKey] = []
        self.compat: list[CompatProvider] = []
        self._clock = clock
        self._changed = changed
        self._lock = Lock()
        self._serials = count(1785542400000)
        self._numbers: dict[Credential, int] = {}

    def add_oauth(self, provider: str, email: str = "", *, name: str = "", plan: str = "", **fields: Any) -> AuthFile:
        """Log an account in. Without `name` the file is called as the server does: e-mail or a number, then the plan."""
        owner = email or str(next(self._serials))
        file_name = name or "-".join(filter(None, (provider, owner, plan))) + ".json"
        created = self._clock.now_ns()
        file = AuthFile(provider=provider, name=file_name, created_ns=created, email=email, plan=plan, **fields)
        self.files.append(file)
        self._changed()
        return file

    def add_key(self, list_name: str, api_key: str, **fields: Any) -> ConfigKey:
        if list_name not in LIST_PROVIDERS:
            raise ValueError(f"{list_name!r} is not a key list; choose one of {', '.join(LIST_PROVIDERS)}")
        key = ConfigKey(list_name=list_name, api_key=api_key, **fields)
        self.keys.append(key)
        self._changed()
        return key

    def add_compat(self, name: str, base_url: str, *api_keys: str, **fields: Any) -> CompatProvider:
        provider = CompatProvider(name=name, base_url=base_url, **fields)
        for api_key in api_keys:
            provider.add_key(api_key)
        self.compat.append(provider)
        self._changed()
        return provider

    def remove(self, credential: AnyCredential) -> None:
        if isinstance(credential, AuthFile):
            self.files.remove(credential)
        elif isinstance(credential, ConfigKey):
            self.keys.remove(credential)
        elif isinstance(credential, CompatKey):
            credential.compat.keys.remove(credential)
        else:
            self.compat.remove(credential)
        self._changed()

    def rename(self, file: AuthFile, name: str) -> None:
        """A renamed file is another identity: its auth_index changes."""
        file.name = name
        self._changed()

    def number(self, credential: AnyCredential) -> int:
        """The run-time number that releases before 6.6.56 used as auth_index."""
        with self._lock:
            return self._numbers.setdefault(credential, len(self._numbers))

    def count(self, credential: AnyCredential, *, failed: bool, at_ns: int) -> None:
        with self._lock:
            credential.count(failed=failed, at_ns=at_ns)

    def forget_run(self) -> None:
        """A restarted server has new counters and new run-time numbers."""
        with self._lock:
            self._numbers.clear()
            for credential in self.each():
                credential.success = credential.failed = 0
                credential.recent.clear()

    def each(self) -> list[AnyCredential]:
        found: list[AnyCredential] = [*self.files, *self.keys]
        for provider in self.compat:
            found.extend(provider.keys or (provider,))
        return found
