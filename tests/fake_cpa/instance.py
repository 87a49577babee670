"""One CPA server without its sockets: what it remembers, and what an upstream attempt does to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from random import Random
from typing import Any

from tests.fake_cpa.attempt import Attempt
from tests.fake_cpa.auth_index import auth_index
from tests.fake_cpa.clock import Clock
from tests.fake_cpa.credentials import AnyCredential, Credentials
from tests.fake_cpa.gatekeeper import Gatekeeper
from tests.fake_cpa.legacy_snapshot import LegacySnapshot
from tests.fake_cpa.record import Measured, measure, render_detail, render_record
from tests.fake_cpa.tokens import Tokens
from tests.fake_cpa.usage_queue import DEFAULT_RETENTION_SECONDS, UsageQueue, effective_retention
from tests.fake_cpa.versions import Profile

IMAGE_MODEL = "gpt-image-2"


@dataclass(frozen=True, slots=True)
class Emitted:
    """What one attempt left behind: its bytes (None if nothing was recorded) and the buckets a reader must book."""

    attempt: Attempt
    raw: bytes | None
    tokens: Tokens
    auth_index: str | int
    provider: str


class Instance:
    def __init__(
        self,
        profile: str,
        management_key: str,
        *,
        statistics: bool = True,
        allow_remote: bool = False,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        client_keys: list[str] | None = None,
        zone: tzinfo = UTC,
        auth_dir: str = "/root/.cli-proxy-api",
        seed: int | None = None,
        keep: int | None = None,
    ) -> None:
        """`keep` bounds the logs that grow with every record (a demo runs for weeks); None keeps all."""
        self.profile = Profile(profile)
        self.clock = Clock()
        self.credentials = Credentials(self.clock)
        self.client_keys = client_keys
        self.statistics = self.statistics_shown = statistics
        self.config_read_only = False
        self.home_mode = False
        self.zone = zone
        self.auth_dir = auth_dir
        self.configured_retention_seconds = retention_seconds
        self.gate = Gatekeeper(management_key, allow_remote=allow_remote, profile=self.profile, clock=self.clock)
        self._had_key_at_start = bool(management_key)
        self._handed_out, self._lost, self._undelivered = (deque[bytes](maxlen=keep) for _ in range(3))
        self.queue = UsageQueue(self.clock, effective_retention(retention_seconds, self.profile), self._lost)
        self.snapshot = LegacySnapshot(self.profile)
        self._random = Random(seed)

    @property
    def handed_out(self) -> list[bytes]:
        """Every record that left by a pop, oldest first."""
        return list(self._handed_out)

    @property
    def lost(self) -> list[bytes]:
        """Every record that left the queue without a pop: too old, a restart, the secret removed."""
        return list(self._lost)

    @property
    def undelivered(self) -> list[bytes]:
        """The records of `handed_out` whose answer a fault destroyed on its way."""
        return list(self._undelivered)

    @property
    def management_key(self) -> str:
        return self.gate.key

    @management_key.setter
    def management_key(self, key: str) -> None:
        self.gate.key = key
        if not key:
            self.queue.clear()

    @property
    def management_available(self) -> bool:
        if self.home_mode:
            return False
        return bool(self.management_key) if self.profile.does("secret changes are live") else self._had_key_at_start

    def set_statistics(self, enabled: bool) -> bool:
        """Save the flag; False if the configuration file cannot be written (then only the shown value changes)."""
        self.statistics_shown = enabled
        if self.config_read_only:
            return False
        self.statistics = enabled
        return True

    def auth_index_of(self, credential: AnyCredential | None) -> str | int:
        if self.profile.does("numeric auth_index"):
            return self.credentials.number(credential) if credential else 0
        return auth_index(credential, self.profile, self.auth_dir) if credential else ""

    def emit(self, credential: AnyCredential | None, model: str, **details: Any) -> Emitted:
        """One upstream attempt; `details` are the other fields of `Attempt`, by default at once and a new request."""
        details.setdefault("when", self.clock.now_ns())
        details.setdefault("request_id", self._new_request_id())
        return self.emit_attempt(Attempt(credential=credential, model=model, **details))

    def emit_image(self, first: Emitted, tokens: Tokens, model: str = IMAGE_MODEL) -> Emitted:
        """The second record of a codex attempt that used the image tool: same start, same request, other model."""
        attempt = first.attempt
        return self.emit_attempt(
            replace(
                attempt,
                model=model,
                alias=attempt.alias or attempt.model,
                tokens=tokens,
                latency_ms=attempt.latency_ms + 1,
                response_service_tier="",
                extra_record=True,
            )
        )

    def emit_attempt(self, attempt: Attempt) -> Emitted:
        measured = measure(attempt, self.profile, self.zone)
        credential = attempt.credential
        if credential is not None and not attempt.extra_record:
            self.credentials.count(credential, failed=attempt.failed, at_ns=measured.when_ns)
        index = self.auth_index_of(credential)
        raw = self._record(measured, index) if self.statistics else None
        return Emitted(attempt, raw, measured.bookable, index, measured.upstream.provider)

    def enqueue_raw(self, record: bytes) -> None:
        """Put exact bytes into the queue, JSON or not."""
        self.queue.enqueue(record)

    def pop(self, count: int) -> list[bytes]:
        """The oldest records, gone from the queue for good."""
        records = self.queue.pop(count)
        self._handed_out.extend(records)
        return records

    def note_undelivered(self, records: list[bytes]) -> None:
        self._undelivered.extend(records)

    def forget_run(self) -> None:
        """What a restart of the server forgets."""
        self.queue.clear()
        self.snapshot.clear()
        self.credentials.forget_run()
        self.gate.forget()

    def _new_request_id(self) -> str:
        return f"{self._random.getrandbits(32):08x}"

    def _record(self, measured: Measured, index: str | int) -> bytes | None:
        """Book into the snapshot, the queue or both (6.9.38 to 6.9.49); the queued form is the one that counts."""
        raw = None
        if self.profile.does("legacy snapshot") and self._keeps_in_snapshot(measured):
            raw = render_detail(measured, index, self.profile)
            self.snapshot.add(measured, raw)
        if self.profile.does("usage queue") and self.management_available:
            raw = render_record(measured, index, self.profile)
            self.queue.enqueue(raw)
        return raw

    def _keeps_in_snapshot(self, measured: Measured) -> bool:
        return self.profile.does("legacy failures") or not measured.attempt.failed
