"""Makes traffic such as a busy server of a large team has: its accounts, and raw records in the shape of v7.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import msgspec

_Choice = TypeVar("_Choice")

ACCOUNTS, CLIENT_KEYS = 1_000, 200
PER_SECOND = 100
_SESSIONS, _RECORDS_PER_SESSION = 300, 12
_FAILED = 0.03
# Of the failures; the client request goes to another account of the channel then.
_RETRIED = 2 / 3
_MOST_TOKENS = 20_000

# Provider, executor, endpoint and models.
_OAUTH = (
    ("codex", "CodexExecutor", "responses", ("gpt-5.4", "gpt-5.4-mini", "gpt-5.3-codex", "gpt-5.2")),
    ("claude", "ClaudeExecutor", "messages", ("claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5")),
    ("gemini-cli", "GeminiCLIExecutor", "chat/completions", ("gemini-3-pro", "gemini-3-flash", "gemini-2.5-pro")),
    ("antigravity", "AntigravityExecutor", "chat/completions", ("gemini-3-pro-high", "gemini-3-pro-low")),
    ("xai", "XAIExecutor", "chat/completions", ("grok-4.3", "grok-4.3-fast", "grok-code-2")),
    ("kimi", "KimiExecutor", "chat/completions", ("kimi-k3", "kimi-k2.6")),
    ("qwen", "QwenExecutor", "chat/completions", ("qwen4-coder", "qwen4-max", "qwen3.5-plus")),
)
_COMPATIBLE = (
    ("openrouter", ("z-ai/glm-5", "deepseek/deepseek-v4", "minimax/m3", "mistralai/large-4", "meta-llama/llama-5")),
    ("relay-one", ("o5-mini", "relay-one/tiny", "relay-one/small", "relay-one/large")),
    ("relay-two", ("relay-two/tiny", "relay-two/small", "relay-two/large")),
    ("local", ("llama-5-8b", "qwen4-14b", "gpt-oss-2", "phi-6")),
    ("batch", ("deepseek-v4-batch", "glm-5-batch", "gpt-5.4-batch", "grok-4.3-batch")),
)


@dataclass(frozen=True, slots=True)
class _Account:
    listed: dict[str, Any]  # as the server lists it
    models: Sequence[str]
    common: dict[str, Any]  # what all of its records say alike


class _Session(NamedTuple):
    account: _Account
    model: str
    client: str


class _Call(NamedTuple):
    """What its attempts have in common, and whose account the next of them goes to."""

    session: _Session
    request_id: str


class Traffic:
    """The same traffic for the same `seed`: popular channels, accounts, models and clients by Zipf's law.

    CPA keeps a session with one account, and so does a client with its model: some hundred sessions go on at once.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        channels = [_oauth(*one) for one in _OAUTH] + [_compatible(*one) for one in _COMPATIBLE]
        self._random.shuffle(channels)
        self._channels = [[make(number) for number in range(ACCOUNTS // len(channels) + 1)] for make in channels]
        self.clients = [
            f"sk-FAKE-client-{number:04}-{self._random.randbytes(12).hex()}" for number in range(CLIENT_KEYS)
        ]

        self._sessions = [self._begin() for _session in range(_SESSIONS)]
        self._retry: _Call | None = None

    def lists(self) -> dict[str, Any]:
        """What the server says of its accounts, by path."""
        listed = [account.listed for channel in self._channels for account in channel]
        return {
            "/auth-files": {"files": [entry for entry in listed if "id" in entry]},
            "/openai-compatibility": {"openai-compatibility": [entry for entry in listed if "id" not in entry]},
        }

    def records(self, count: int, until: datetime) -> Iterator[bytes]:
        """Yield `count` raw records of about 1.3 kB, PER_SECOND, of which the last is of `until`."""
        for number in range(count):
            yield self.record(until - timedelta(seconds=(count - 1 - number) / PER_SECOND))

    def record(self, at: datetime) -> bytes:
        """Return the record of the next attempt, that starts `at`."""
        call = self._retry or self._call(self._next_session())
        record = self._record(call, at)
        is_retried = record["failed"] and self._random.random() < _RETRIED
        self._retry = call._replace(session=self._elsewhere(call.session)) if is_retried else None
        return msgspec.json.encode(record)

    def channels(self, at: datetime) -> Iterator[tuple[Sequence[str], list[bytes]]]:
        """Yield the models of each channel, and a raw record of each of its accounts."""
        for accounts in self._channels:
            yield (
                accounts[0].models,
                [msgspec.json.encode(self._record(self._call(self._session(account)), at)) for account in accounts],
            )

    def _next_session(self) -> _Session:
        place = self._random.randrange(_SESSIONS)
        session = self._sessions[place]
        if self._random.random() < 1 / _RECORDS_PER_SESSION:
            self._sessions[place] = self._begin()
        return session

    def _elsewhere(self, session: _Session) -> _Session:
        accounts = next(accounts for accounts in self._channels if accounts[0].models is session.account.models)
        return session._replace(account=_popular(accounts, self._random))

    def _call(self, session: _Session) -> _Call:
        return _Call(session, self._random.randbytes(4).hex())

    def _begin(self) -> _Session:
        return self._session(_popular(_popular(self._channels, self._random), self._random))

    def _session(self, account: _Account) -> _Session:
        return _Session(account, _popular(account.models, self._random), _popular(self.clients, self._random))

    def _record(self, call: _Call, at: datetime) -> dict[str, Any]:
        random, session = self._random, call.session
        failed = random.random() < _FAILED
        tokens, breakdown = _tokens(random, 0 if failed else _MOST_TOKENS)
        return session.account.common | {
            "timestamp": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}{random.randrange(1000):03}Z",
            "latency_ms": random.randrange(300, 60_000),
            "ttft_ms": random.randrange(100, 5_000),
            "tokens": tokens,
            "failed": failed,
            "fail": {"status_code": 429, "body": _TOO_MANY} if failed else {"status_code": 200, "body": ""},
            "token_breakdown": breakdown,
            "model": session.model,
            "alias": session.model,
            "api_key": session.client,
            "client_ip": ip_of(session.client),
            "user_agent": USER_AGENT,
            "request_id": call.request_id,
            "reasoning_effort": _popular(("medium", "high", "", "low", "xhigh"), random),
        }


USER_AGENT = "codex_cli_rs/0.98.0 (Ubuntu 24.04; x86_64) xterm-256color"


def ip_of(client: str) -> str:
    """Each client stays where it is; `client` is its key."""
    return f"203.0.113.{crc32(client.encode()) % 250}"


_TOO_MANY = '{"error":{"type":"rate_limit_error","message":"This request would exceed your rate limit."}}'
_HEADERS = {
    "Content-Type": ["text/event-stream"],
    "X-Request-Id": ["req_fake_0001"],
    "X-Ratelimit-Remaining-Requests": ["4999"],
    "X-Ratelimit-Remaining-Tokens": ["3999871"],
}
_COMMON = {
    "x_forwarded_for": "",
    "generate": True,
    "response_headers": _HEADERS,
    "accounting_version": 2,
    "service_tier": "auto",
    "response_service_tier": "default",
}
# Those whose windows are told in headers (usage/accounting/quota.py), until 2036.
_RESET = "2100000000"
_QUOTA = {
    "claude": {
        f"Anthropic-Ratelimit-Unified-{window}-{name}": [value]
        for window, used in (("5h", "0.4173"), ("7d", "0.2311"))
        for name, value in (("Status", "allowed"), ("Utilization", used), ("Reset", _RESET))
    },
    "codex": {
        f"X-Codex-{window}-{name}": [value]
        for window, used, minutes in (("Primary", "41", "300"), ("Secondary", "23", "10080"))
        for name, value in (("Used-Percent", used), ("Window-Minutes", minutes), ("Reset-At", _RESET))
    },
}


def _oauth(provider: str, executor: str, endpoint: str, models: Sequence[str]) -> Callable[[int], _Account]:
    def make(number: int) -> _Account:
        email, index = f"user{number:04}@{provider}.example.com", f"{provider[:4].encode().hex():0<8}{number:08x}"
        listed = {"id": f"{provider}-{email}.json", "provider": provider, "email": email, "auth_index": index}
        fields = {
            "provider": provider,
            "executor_type": executor,
            "auth_type": "oauth",
            "source": email,
            "response_headers": _HEADERS | _QUOTA.get(provider, {}),
        }
        return _Account(listed, models, _COMMON | fields | _common(index, endpoint))

    return make


def _compatible(name: str, models: Sequence[str]) -> Callable[[int], _Account]:
    def make(number: int) -> _Account:
        key, index = f"sk-FAKE-{name}-{number:024}", f"{name[:4].encode().hex():0<8}{number:08x}"
        entry = {"api-key": key, "auth-index": index}
        listed = {"name": name, "base-url": f"https://{name}.example.com/v1", "api-key-entries": [entry]}
        fields = {
            "provider": f"openai-compatible-{name}",
            "executor_type": "OpenAICompatExecutor",
            "auth_type": "apikey",
        }
        return _Account(listed, models, _COMMON | fields | {"source": key} | _common(index, "chat/completions"))

    return make


def _common(index: str, endpoint: str) -> dict[str, Any]:
    return {"auth_index": index, "access_token_sha256": index * 4, "endpoint": f"POST /v1/{endpoint}"}


_LAWS = {size: list(accumulate(1 / rank for rank in range(1, size + 1))) for size in range(1, CLIENT_KEYS + 1)}


def _popular(choices: Sequence[_Choice], random: Random) -> _Choice:
    """Return one of `choices`: the first twice as often as the second, three times as often as the third."""
    return random.choices(choices, cum_weights=_LAWS[len(choices)])[0]


def _tokens(random: Random, most: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return tokens up to `most` a kind: as upstream reported them, and as CPA breaks them down."""
    uncached, read, write, visible, reasoning = (random.randrange(most + 1) for _ in range(5))
    entered, left = read + uncached + write, visible + reasoning
    return _raw(entered, left, reasoning, read, write), {
        "schema_version": 2,
        "quality": "complete",
        "total_tokens": entered + left,
        "input": {
            "total_tokens": entered,
            "uncached_tokens": uncached,
            "cache_read_tokens": read,
            "cache_write_tokens": write,
        },
        "output": {"total_tokens": left, "non_reasoning_tokens": visible, "reasoning_tokens": reasoning},
        "unclassified_tokens": 0,
    }


def _raw(entered: int, left: int, reasoning: int, read: int, write: int) -> dict[str, Any]:
    return {
        "input_tokens": entered,
        "output_tokens": left,
        "reasoning_tokens": reasoning,
        "cached_tokens": read,
        "cache_read_tokens": read,
        "cache_read_tokens_present": True,
        "cache_creation_tokens": write,
        "total_tokens": entered + left,
    }
