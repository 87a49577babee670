"""Who may use the management API: the key, the remote flag and the ban table (contract A), for any protocol."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from tests.fake_cpa import go_json
from tests.fake_cpa.clock import Clock
from tests.fake_cpa.versions import Profile

MAX_FAILURES = 5
BAN_SECONDS = 30 * 60
# The server purges hourly what was idle for two hours; the fake forgets at two hours sharp.
IDLE_SECONDS = 2 * 3600

_LOCALHOST = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    text: str


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    banned_until: float = 0.0


class Gatekeeper:
    def __init__(self, key: str, *, allow_remote: bool, profile: Profile, clock: Clock) -> None:
        self.key = key
        self.allow_remote = allow_remote
        self.failed_logins = 0
        self._profile = profile
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        self._lock = Lock()

    def check(self, address: str, provided: str) -> Refusal | None:
        """Judge one request, in the server's order: ban, remote, no secret, no key, wrong key."""
        with self._lock:
            now = self._clock.now()
            local = address in _LOCALHOST
            watched = not local or self._profile.does("localhost is banned")
            if watched and (left := self._ban_left(address, now)):
                waiting = go_json.duration(round(left))
                return Refusal(403, f"IP banned due to too many failed attempts. Try again in {waiting}")
            if not local and not self.allow_remote:
                return Refusal(403, "remote management disabled")
            if not self.key:
                return Refusal(403, "remote management key not set")
            if local and self._profile.does("localhost needs no key"):
                return None
            return self._check_key(address, provided, watched, now)

    def forget(self) -> None:
        with self._lock:
            self._failures.clear()

    def _check_key(self, address: str, provided: str, watched: bool, now: float) -> Refusal | None:
        if provided == self.key:
            self._failures.pop(address, None)
            return None
        self.failed_logins += 1
        if watched:
            self._count_failure(address, now)
        return Refusal(401, "invalid management key" if provided else "missing management key")

    def _ban_left(self, address: str, now: float) -> float:
        failures = self._failures.get(address)
        return max(0.0, failures.banned_until - now) if failures else 0.0

    def _count_failure(self, address: str, now: float) -> None:
        failures = self._failures.setdefault(address, _Failures())
        if now - failures.last > IDLE_SECONDS and self._profile.does("idle failures are forgotten"):
            failures.count = 0
        failures.count += 1
        failures.last = now
        if failures.count >= MAX_FAILURES:
            failures.banned_until = now + BAN_SECONDS
            failures.count = 0
