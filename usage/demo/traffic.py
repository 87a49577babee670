"""The records of the demo, as current CPA sends them (contract E): the same for the same seed and end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from usage.accounting.resolver import OPENAI_COMPATIBILITY
from usage.demo.cast import CLIENT_KEYS, ChannelCast, Habit
from usage.upstream.names import Listed

# Keys of fail.body must never be seen again; nor do e-mails tell two of these messages apart.
_LEAKED_KEY = "sk-FAKE-leaked-in-an-error-0123456789abcdef"
# Weight, status and body of what fails, and whether CPA then tries another account.
_FAILURES = (
    (30, 429, '{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account\'s rate limit."}}', True),
    (10, 401, '{{"error":{{"message":"Incorrect API key provided: {key}. Account {email} was signed out.","code":"invalid_api_key"}}}}', True),
    (10, 400, '{"error":{"message":"This model\'s maximum context length is 200000 tokens.","type":"invalid_request_error"}}', False),
    (8, 503, '{"error":{"message":"Service temporarily unavailable","type":"server_error"}}', True),
    (6, 504, "context deadline exceeded", False),
    (5, 502, "<html><head><title>502 Bad Gateway</title></head><body><hr>cloudflare</body></html>", True),
    (4, 500, '{"error":{"message":"上游服务器内部错误，请稍后再试","type":"server_error"}}', True),
    (4, 499, "context canceled", False),
)  # fmt: skip
_FAILURE_RATE = 0.03
# Of the busiest channel but one, in the hour before the end and at three in the morning of each fifth day.
_STORM_RATE, _STORM_CHANNEL = 0.5, 1
_RETRIES = 2
# So that the last hours of a small demo are not empty; of a large one they are as any others.
_LATE_SHARE, _MOST_LATE = 1 / 12, 5_000
# Besides, a client that gives up on nothing asks a channel that is at its limit, two nights before the end at three:
# of all its calls one in so many, but not more than these.
_NIGHT, _NIGHT_SHARE, _NIGHT_MOST, _NIGHT_CLIENT = timedelta(days=2), 100, 400, 4
# What was lost in the oldest gap of collection.py.
_LOST_BEFORE_END, _LOST = timedelta(hours=30), timedelta(minutes=14)


class Traffic:
    def __init__(self, channels: list[ChannelCast], seed: int, end: datetime) -> None:
        self._channels, self._end = channels, end
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._shares = [channel.share for channel in channels]

    def records(self, count: int, days: int) -> Iterator[bytes]:
        """Yield about `count` records of the `days` before the end, the oldest first, and a few that are special."""
        since = self._end - timedelta(days=days)
        late = min(_LATE_SHARE, _MOST_LATE / max(count, 1))
        moments = sorted(self._moment(since, late) for _number in range(count))
        lost_since = self._end - _LOST_BEFORE_END
        for moment in moments:
            for record in self._client_request(moment):
                if not lost_since <= moment < lost_since + _LOST:
                    yield json.dumps(record, ensure_ascii=False).encode()
        yield from (json.dumps(record).encode() for record in self._specials())
        if days > _NIGHT.days:
            night = self._storm(min(count // _NIGHT_SHARE, _NIGHT_MOST))
            yield from (json.dumps(record, ensure_ascii=False).encode() for record in night)

    def _moment(self, since: datetime, late: float) -> datetime:
        """More by day than by night, and on weekdays; this share of all in the last six hours."""
        if self._random.random() < late:
            return self._end - timedelta(seconds=60 + self._random.random() * 6 * 3600)
        while True:
            moment = since + (self._end - since) * self._random.random()
            if self._random.random() < _activity(moment):
                return moment

    def _client_request(self, moment: datetime) -> Iterator[dict[str, Any]]:
        """One attempt, or up to three, each on another account."""
        random = self._random
        number = random.choices(range(len(self._channels)), self._shares)[0]
        channel = self._channels[number]
        request = self._request(channel)
        stormy = number == _STORM_CHANNEL and self._is_stormy(moment)
        for attempt in range(_RETRIES + 1):
            account = self._account(channel)
            if random.random() >= (_STORM_RATE if stormy else _FAILURE_RATE):
                yield self._success(request, channel, account, moment)
                return
            failures = _FAILURES[:1] if stormy else _FAILURES
            _weight, code, body, retried = random.choices(failures, [weight for weight, *_rest in failures])[0]
            latency = 30_000 if code == 504 else random.randint(120, 2_500)
            yield self._failure(request, channel, account, moment, code, body, latency)
            if not retried or attempt == _RETRIES:
                return
            moment += timedelta(milliseconds=latency + 20)

    def _storm(self, calls: int) -> Iterator[dict[str, Any]]:
        """Every attempt fails: half an hour of calls, each of which tries all that it may."""
        since = (self._end - _NIGHT).replace(hour=3, minute=5, second=0, microsecond=0)
        channel, (_weight, code, body, _retried) = self._channels[_STORM_CHANNEL], _FAILURES[0]
        for number in range(calls):
            moment = since + number * timedelta(minutes=30) / calls
            request = self._request(channel) | {
                "model": "gpt-5.4",
                "alias": "gpt-5.4",
                "api_key": CLIENT_KEYS[_NIGHT_CLIENT],
            }
            for _attempt in range(_RETRIES + 1):
                yield self._failure(request, channel, self._account(channel), moment, code, body, 400)
                moment += timedelta(milliseconds=420)

    def _is_stormy(self, moment: datetime) -> bool:
        ago = self._end - moment
        return ago < timedelta(hours=1) or (ago.days % 5 == 4 and moment.hour == 3)

    def _account(self, channel: ChannelCast) -> Listed:
        """The first account of a channel works the most."""
        count = len(channel.accounts)
        return self._random.choices(channel.accounts, [count - rank for rank in range(count)])[0]

    def _request(self, channel: ChannelCast) -> dict[str, Any]:
        """What all attempts of a client request have in common."""
        random = self._random
        model = random.choice(list(channel.models))
        return {
            "model": model,
            "alias": channel.models[model] or model,
            "endpoint": channel.habit.endpoint,
            "executor_type": channel.executor,
            "api_key": random.choices(("", *CLIENT_KEYS), (1, 9, 8, 7, 5, 4, 3, 2, 2, 1))[0],
            "request_id": f"{random.getrandbits(32):08x}",
            "reasoning_effort": random.choice(("", "low", "medium", "high")) if channel.habit.reasoning else "",
            "service_tier": "auto",
            "response_service_tier": "priority" if random.random() < 0.03 else "default",
            **_client(channel.habit, random.randint(10, 40)),
        }

    def _success(
        self, request: dict[str, Any], channel: ChannelCast, account: Listed, moment: datetime
    ) -> dict[str, Any]:
        random, habit = self._random, channel.habit
        buckets = self._buckets(habit)
        quality = random.choices(("complete", "partial", "inconsistent"), (96, 3, 1))[0]
        ttft = random.randint(250, 2_600)
        latency = ttft + int((buckets["output"] + buckets["reasoning"]) * random.uniform(6, 18))
        generate = random.random() >= 0.01
        return _record(request, account, moment, buckets if generate else {}, quality, latency) | {
            "failed": False,
            "fail": {"status_code": 200, "body": ""},
            "ttft_ms": ttft if habit.streams and generate else 0,
            "generate": generate,
            "response_headers": _quota(account, moment),
        }

    def _failure(
        self, request: dict[str, Any], channel: ChannelCast, account: Listed, moment: datetime, code: int, body: str, latency: int
    ) -> dict[str, Any]:  # fmt: skip
        """One of eight has read its input before it failed, which is billed."""
        buckets = self._buckets(channel.habit) | {"output": 0, "reasoning": 0} if self._random.random() < 0.125 else {}
        if "{key}" in body:
            body = body.format(key=_LEAKED_KEY, email=account.email or "somebody@example.com")
        return _record(request, account, moment, buckets, "complete", latency) | {
            "failed": True,
            "fail": {"status_code": code, "body": body},
            "ttft_ms": 0,
            "generate": True,
        }

    def _buckets(self, habit: Habit) -> dict[str, int]:
        random = self._random
        context = int(habit.context * random.lognormvariate(0, 0.8)) + 20
        answer = int(habit.answer * random.lognormvariate(0, 0.9)) + 5
        read = min(context, int(context * habit.cached * random.uniform(0.95, 1.05)))
        written = min(context - read, int(context * habit.cache_written * random.uniform(0.5, 1.5)))
        reasoning = int(answer * habit.reasoning * random.uniform(0.3, 1))
        return {
            "uncached": context - read - written, "read": read, "written": written,
            "output": answer - reasoning, "reasoning": reasoning,
        }  # fmt: skip

    def _specials(self) -> Iterator[dict[str, Any]]:
        """The dearest and the cheapest request, and two sources that no list knows."""
        claude, codex = self._channels[0], self._channels[1]
        huge = {"uncached": 400_000_000, "read": 0, "written": 0, "output": 400_000_000, "reasoning": 0}
        tiny = {"uncached": 12, "read": 0, "written": 0, "output": 3, "reasoning": 0}
        succeeded = {"failed": False, "fail": {"status_code": 200, "body": ""}, "ttft_ms": 400, "generate": True}
        for channel, model, buckets, ago in (
            (claude, "claude-opus-4-6", huge, timedelta(days=34)),
            (codex, "gpt-5.4-nano", tiny, timedelta(minutes=3)),
        ):
            request = self._request(channel) | {"model": model, "alias": model}
            yield _record(request, channel.accounts[0], self._end - ago, buckets, "complete", 90_000) | succeeded
        for label in ("sk-FAKE-forgotten-key-000000000000001", "forgotten@example.com"):
            for number in range(8):
                request, moment = self._request(claude), self._end - timedelta(hours=2, minutes=number)
                record = _record(request, claude.accounts[0], moment, self._buckets(claude.habit), "complete", 9_000)
                yield record | succeeded | {"auth_index": label.encode().hex()[-16:], "source": label}


def _client(habit: Habit, number: int) -> dict[str, str]:
    """Some come by a proxy, which says for whom; one is of an older CPA, which tells nothing of clients."""
    if number == 10:
        return {}
    behind_proxy = number % 8 == 0
    return {
        "client_ip": "10.0.0.2" if behind_proxy else f"203.0.113.{number}",
        "x_forwarded_for": f"198.51.100.{number}, 2001:db8::{number}" if behind_proxy else "",
        "user_agent": habit.user_agent,
    }


def _record(
    request: dict[str, Any], account: Listed, moment: datetime, buckets: dict[str, int], quality: str, latency: int
) -> dict[str, Any]:
    sizes = {"uncached": 0, "read": 0, "written": 0, "output": 0, "reasoning": 0} | buckets
    unclassified = sizes["output"] if quality == "partial" else 0
    sizes["output"] -= unclassified
    read, written = sizes["uncached"] + sizes["read"] + sizes["written"], sizes["output"] + sizes["reasoning"]
    is_compatible = account.listed_in == OPENAI_COMPATIBILITY
    return request | {
        "timestamp": moment.isoformat(),
        "provider": f"openai-compatible-{account.provider}" if is_compatible else account.provider,
        "auth_type": "apikey" if account.key else "oauth",
        "auth_index": account.auth_index,
        "source": account.key or account.email,
        "latency_ms": latency,
        "tokens": {
            "input_tokens": sizes["uncached"] if account.provider == "claude" else read,
            "output_tokens": written,
            "reasoning_tokens": sizes["reasoning"],
            "cached_tokens": sizes["read"],
            "cache_read_tokens": sizes["read"],
            "cache_creation_tokens": sizes["written"],
            "total_tokens": read + written + unclassified,
        },
        "accounting_version": 2,
        "token_breakdown": {
            "quality": quality,
            "total_tokens": read + written + unclassified,
            "input": {
                "total_tokens": read, "uncached_tokens": sizes["uncached"], "cache_read_tokens": sizes["read"],
                "cache_write_tokens": sizes["written"],
            },
            "output": {
                "total_tokens": written, "non_reasoning_tokens": sizes["output"], "reasoning_tokens": sizes["reasoning"],
            },
            "unclassified_tokens": unclassified,
        },
    }  # fmt: skip


def _quota(account: Listed, moment: datetime) -> dict[str, list[str]]:
    """What Claude and Codex tell of their windows (usage/accounting/quota.py): some accounts are hungrier than others."""
    if account.key or account.provider not in ("claude", "codex"):
        return {}
    hunger, told = int(account.auth_index[:2], 16) / 200, dict[str, list[str]]()
    for number, (window, minutes) in enumerate((("5h", 300), ("7d", 10_080))):
        ago, seconds = divmod(int(moment.timestamp()), minutes * 60)
        used, reset = min(1.0, hunger * seconds / (minutes * 60)), (ago + 1) * minutes * 60
        if account.provider == "claude":
            name = f"Anthropic-Ratelimit-Unified-{window}"
            told |= {f"{name}-Utilization": [f"{used:.4f}"], f"{name}-Reset": [str(reset)]}
        else:
            name = f"X-Codex-{('Primary', 'Secondary')[number]}"
            told |= {
                f"{name}-Used-Percent": [f"{100 * used:.1f}"],
                f"{name}-Window-Minutes": [str(minutes)],
                f"{name}-Reset-At": [str(reset)],
            }
    return told


def _activity(moment: datetime) -> float:
    """How busy it is, from 0.1 at night to 1 in the afternoon; half of that on weekends."""
    by_day = 0.55 - 0.45 * math.cos((moment.hour + moment.minute / 60 - 2) / 24 * 2 * math.pi)
    return by_day * (0.5 if moment.weekday() >= 5 else 1)
