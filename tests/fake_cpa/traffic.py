"""Lively traffic for the demo: the same for the same seed, busy by day, quiet at night."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from random import Random
from threading import Event

from tests.fake_cpa.attempt import Attempt
from tests.fake_cpa.clock import NANOSECONDS
from tests.fake_cpa.credentials import AnyCredential
from tests.fake_cpa.demo_channels import CLIENT_KEYS, Channel, Habit, set_up
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.quota_headers import quota_headers
from tests.fake_cpa.tokens import NO_TOKENS, Tokens

_SECONDS_PER_DAY = 86_400
_LONGEST_PAUSE = 0.05
_FAILURE_RATE = 0.05
_RETRY_RATE = 0.7
_NO_CLIENT_KEY_RATE = 0.04

# Weight, status, body, and whether the server tries another credential.
_FAILURES: list[tuple[int, int, str, bool]] = [
    (30, 429, '{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account\'s rate limit."}}', True),
    (12, 429, '{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}', True),
    (12, 529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', True),
    (8, 401, '{"error":{"message":"Your authentication token has expired.","type":"invalid_request_error","code":"token_expired"}}', True),
    (5, 402, '{"error":{"message":"Insufficient credits","code":402}}', True),
    (4, 403, '{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}', True),
    (8, 400, '{"error":{"message":"This model\'s maximum context length is 200000 tokens.","type":"invalid_request_error"}}', False),
    (3, 404, '{"type":"error","error":{"type":"not_found_error","message":"model not found"}}', False),
    (10, 499, "context canceled", False),
    (3, 504, "context deadline exceeded", False),
    (8, 500, '{"error":{"message":"The server had an error while processing your request.","type":"server_error"}}', True),
    (5, 502, "<html><head><title>502 Bad Gateway</title></head><body><hr>cloudflare</body></html>", True),
    (4, 503, '{"error":{"message":"Service temporarily unavailable","type":"server_error"}}', True),
]  # fmt: skip


class Traffic:
    def __init__(self, instance: Instance, seed: int) -> None:
        self._instance = instance
        self._random = Random(seed)
        self._channels = set_up(instance.credentials)
        instance.client_keys = CLIENT_KEYS

    def emit_history(self, records: int, days: float) -> None:
        """Book so many records of the past days at once, in order of completion."""
        end = self._instance.clock.now()
        attempts: list[Attempt] = []
        while len(attempts) < records:
            attempts.extend(self._request(self._busy_moment(end - days * _SECONDS_PER_DAY, end)))
        for attempt in sorted(attempts[:records], key=_completed):
            self._instance.emit_attempt(attempt)

    def run(self, per_second: float, stopping: Event) -> None:
        """Go on with new requests, so many per second at noon, until told to stop."""
        while not stopping.wait(self._random.expovariate(per_second * activity(self._instance.clock.now()))):
            for attempt in self._request(self._instance.clock.now()):
                self._instance.emit_attempt(attempt)

    def run_steadily(self, per_second: float, burst: int, stopping: Event) -> None:
        """Emit so many records per second, `burst` at a time, until told to stop; what was late is caught up."""
        started, emitted = time.monotonic(), 0
        attempts = self._attempts_now()
        while not stopping.wait(min(burst / per_second, _LONGEST_PAUSE)):
            due = int((time.monotonic() - started) * per_second) // burst * burst
            for attempt in islice(attempts, due - emitted):
                self._instance.emit_attempt(attempt)
            emitted = due

    def _attempts_now(self) -> Iterator[Attempt]:
        while True:
            yield from self._request(self._instance.clock.now())

    def _busy_moment(self, start: float, end: float) -> float:
        while True:
            moment = self._random.uniform(start, end)
            if self._random.random() < activity(moment):
                return moment

    def _request(self, start: float) -> Iterator[Attempt]:
        """One client request: an attempt, and perhaps its retry on another credential."""
        channel = self._pick_channel()
        first = self._attempt(channel, round(start * NANOSECONDS))
        if self._random.random() >= _FAILURE_RATE:
            yield first
            return
        weights = [weight for weight, *_ in _FAILURES]
        _, status, body, retried = self._random.choices(_FAILURES, weights)[0]
        latency = self._random.randint(120, 2500)
        yield replace(first, tokens=NO_TOKENS, status=status, error=body, latency_ms=latency, ttft_ms=0)
        if retried and self._random.random() < _RETRY_RATE:
            later, other = _nanoseconds_of(first) + (latency + 5) * 1_000_000, self._random.choice(channel.credentials)
            yield replace(first, when=later, credential=other, response_headers=quota_headers(other, later))

    def _pick_channel(self) -> Channel:
        return self._random.choices(self._channels, [channel.share for channel in self._channels])[0]

    def _attempt(self, channel: Channel, when_ns: int) -> Attempt:
        random, habit = self._random, channel.habit
        model = random.choice(list(channel.models))
        tokens = self._tokens(habit)
        latency = int(600 + (tokens.output + tokens.reasoning) * random.uniform(6, 18))
        credential = self._pick_credential(channel)
        return Attempt(
            credential=credential,
            model=model,
            alias=channel.models[model],
            tokens=tokens,
            client_key="" if random.random() < _NO_CLIENT_KEY_RATE else random.choices(CLIENT_KEYS, (5, 3, 2, 1))[0],
            when=when_ns,
            latency_ms=latency,
            ttft_ms=min(latency, random.randint(250, 2600)),
            endpoint=habit.endpoint,
            request_id=f"{random.getrandbits(32):08x}",
            reasoning_effort=random.choice(("", "low", "medium", "high")) if habit.reasoning else "",
            user_agent=habit.user_agent,
            client_ip=(client_ip := f"203.0.113.{random.randint(10, 40)}"),
            x_forwarded_for=f"{client_ip}, 2001:db8::10" if client_ip.endswith("0") else "",
            response_headers=quota_headers(credential, when_ns),
        )

    def _pick_credential(self, channel: Channel) -> AnyCredential:
        """The first credential of a channel works the most."""
        weights = range(len(channel.credentials), 0, -1)
        return self._random.choices(channel.credentials, weights)[0]

    def _tokens(self, habit: Habit) -> Tokens:
        random = self._random
        context = int(habit.context * random.lognormvariate(0, 0.8)) + 20
        answer = int(habit.answer * random.lognormvariate(0, 0.9)) + 5
        read = int(context * habit.cached * random.uniform(0.9, 1.05)) if random.random() < 0.97 else 0
        read = min(read, context)
        write = min(context - read, int(context * habit.cache_written * random.uniform(0.5, 1.5)))
        reasoning = int(answer * habit.reasoning * random.uniform(0.3, 1.2))
        return Tokens(context - read - write, read, write, answer, reasoning)


def activity(moment: float) -> float:
    """How busy it is, from 0.15 at night to 1 around 14:00 UTC; weekends are half as busy."""
    local = datetime.fromtimestamp(moment, UTC)
    distance = abs(local.hour + local.minute / 60 - 14)
    day = max(0.15, 1 - (min(distance, 24 - distance) / 11) ** 2)
    return day * (0.5 if local.weekday() >= 5 else 1.0)


def _nanoseconds_of(attempt: Attempt) -> int:
    assert isinstance(attempt.when, int)
    return attempt.when


def _completed(attempt: Attempt) -> int:
    return _nanoseconds_of(attempt) + attempt.latency_ms * 1_000_000
