"""One CPA server without its sockets: what it remembers, and what an upstream attempt does to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from random import Random
from typing import Any

from tests.fake_cpa.attempt import Attempt
from tests.fake_cpa.auth_index import auth_index
from tests.fake_cpa.bookkeeping import Bookkeeping
from tests.fake_cpa.clock import Clock
from tests.fake_cpa.credentials import AnyCredential, Credentials
from tests.fake_cpa.error_event import render_error_event
from tests.fake_cpa.gatekeeper import Gatekeeper
from tests.fake_cpa.legacy_snapshot import LegacySnapshot
from tests.fake_cpa.record import Measured, measure, render_detail, render_record
from tests.fake_cpa.subscribers import Hub, Subscription
from tests.fake_cpa.tokens import Tokens
from tests.fake_cpa.usage_queue import DEFAULT_RETENTION_SECONDS, UsageQueue, effective_retention
from tests.fake_cpa.versions import Profile

IMAGE_MODEL = "gpt-image-2"

# RESP channels (contract D).
USAGE = "usage"
ERRORS = "errors"

# Payloads on `usage` that are no records.
SUPPORT_REFRESH = b'{"support_refresh":true}'
REFRESH = b'{"refresh":true}'


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
        books: Bookkeeping | None = None,
    ) -> None:
        """`keep` bounds the logs that grow with every record (a demo runs for weeks); None keeps all."""
        self.profile = Profile(profile)
        self.clock = Clock()
        self.credentials = Credentials(self.clock, self.notify_refresh)
        self.client_keys = client_keys
        self.statistics = self.statistics_shown = statistics
        self.config_read_only = False
        self.home_mode = False
        self.zone = zone
        self.auth_dir = auth_dir
        self.configured_retention_seconds = retention_seconds
        self.gate = Gatekeeper(management_key, allow_remote=allow_remote, profile=self.profile, clock=self.clock)
        self._had_key_at_start = bool(management_key)
        self.books = books or Bookkeeping(keep)
        self.queue = UsageQueue(self.clock, effective_retention(retention_seconds, self.profile), self.books)
        self.hubs = self._make_hubs(keep)
        self.snapshot = LegacySnapshot(self.profile)
        self._random = Random(seed)

    @property
    def handed_out(self) -> list[bytes]:
        """Every record that left by a pop or was published to a subscriber, oldest first."""
        return list(self.books.handed_out)

    @property
    def lost(self) -> list[bytes]:
        """Every record that left the queue without a pop: too old, a restart, the secret removed."""
        return list(self.books.lost)

    @property
    def undelivered(self) -> list[bytes]:
        """The records of `handed_out` of which no socket got the whole answer or message: a fault, a drop."""
        return list(self.books.undelivered)

    @property
    def failed_logins(self) -> int:
        """How many commands and requests were refused for their key since the beginning, restarts included."""
        return self.gate.failed_logins

    @property
    def subscriptions(self) -> list[Subscription]:
        """Everybody who ever subscribed to `usage`, first comer first."""
        return list(self.hubs[USAGE].subscriptions) if USAGE in self.hubs else []

    @property
    def subscribers(self) -> int:
        """How many subscribe to `usage` now."""
        return len(self.hubs[USAGE]) if USAGE in self.hubs else 0

    @property
    def management_key(self) -> str:
        return self.gate.key

    @management_key.setter
    def management_key(self, key: str) -> None:
        self.gate.key = key
        if not key:
            self.queue.clear()
            for hub in self.hubs.values():
                hub.close()

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
        if self.statistics != enabled:
            self.statistics = enabled
            self.notify_refresh()
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
        if attempt.failed and credential is not None and ERRORS in self.hubs and self.management_available:
            event = render_error_event(measured, credential, index, self.clock.now_ns(), self.zone)
            self.hubs[ERRORS].publish(event, is_record=False)
        return Emitted(attempt, raw, measured.bookable, index, measured.upstream.provider)

    def enqueue_raw(self, record: bytes) -> None:
        """Hand exact bytes to the subscribers, else to the queue; JSON or not."""
        self.books.note_emitted(record)
        usage = self.hubs.get(USAGE)
        if not usage or not usage.publish(record, is_record=True):
            self.queue.enqueue(record)

    def pop(self, count: int) -> list[bytes]:
        """The oldest records, gone from the queue for good."""
        records = self.queue.pop(count)
        self.books.note_handed_out(records)
        return records

    def notify_refresh(self) -> None:
        """Tell subscribers that something was reloaded; call it after changing the attributes of a credential."""
        if USAGE in self.hubs and self.profile.does("control payloads"):
            self.hubs[USAGE].publish(REFRESH, is_record=False)

    def stall_subscribers(self) -> None:
        """Send nothing to anybody who subscribed, not even a PONG, and close nothing, until `resume_subscribers`."""
        for hub in self.hubs.values():
            hub.stall()

    def resume_subscribers(self) -> None:
        for hub in self.hubs.values():
            hub.resume()

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
            self.enqueue_raw(raw)
        return raw

    def _make_hubs(self, keep: int | None) -> dict[str, Hub]:
        does = self.profile.does
        greeting = SUPPORT_REFRESH if does("control payloads") else None
        hubs = {USAGE: Hub(self.books, greeting, keep)} if does("subscribe") else {}
        return {**hubs, ERRORS: Hub(self.books, None, keep)} if does("errors channel") else hubs

    def _keeps_in_snapshot(self, measured: Measured) -> bool:
        return self.profile.does("legacy failures") or not measured.attempt.failed
