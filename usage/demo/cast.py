"""Who appears in the demo: the credentials of its server, the models asked of them, prices, and client keys."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from usage.accounting.resolver import AUTH_FILES, OPENAI_COMPATIBILITY
from usage.models import Account, Channel, ModelPrice
from usage.upstream.names import Listed

State = Account.State


class Habit(NamedTuple):
    """How requests of a channel look, and who makes them: sizes in tokens, and shares of them."""

    endpoint: str
    user_agent: str
    context: int
    answer: int
    cached: float = 0.0
    cache_written: float = 0.0
    reasoning: float = 0.0
    streams: bool = True


class ChannelCast(NamedTuple):
    """A channel's credentials, the busiest first; its models with the name by which some clients ask for them."""

    accounts: tuple[Listed, ...]
    executor: str
    models: dict[str, str]
    share: float
    habit: Habit


_CLAUDE_CODE = Habit(
    "POST /v1/messages",
    "claude-cli/2.1.40 (external, cli)",
    60_000,
    700,
    cached=0.94,
    cache_written=0.04,
    reasoning=0.2,
)
_CODEX = Habit(
    "POST /v1/responses",
    "codex_cli_rs/0.98.0 (Ubuntu 24.04; x86_64) xterm-256color",
    40_000,
    900,
    cached=0.9,
    reasoning=0.6,
)
_CHAT = Habit("POST /v1/chat/completions", "openai-python/2.11.0", 6_000, 700, cached=0.35, reasoning=0.2)
_BATCH = Habit("POST /v1/chat/completions", "python-httpx/0.28.1", 12_000, 300, streams=False)
_LONG_LABEL = "负责夜间批处理与报表生成的公共账号-请勿在白天使用-有问题联系平台组@example.com.cn"
_LONG_MODEL = "meta-llama/llama-4-maverick-17b-128e-instruct-fp8-with-a-name-that-does-not-end-前沿研究预览版"
RELAY = "https://relay.example.net/anthropic/team-platform-production-europe-west"


def channels(now: datetime) -> list[ChannelCast]:
    """Seven channels of 31 accounts: one has six, one has one, one is idle; among them one disabled, one cooling down
    until after `now`, and one that is listed no more (see `removed`).
    """
    return [
        ChannelCast(
            (
                *_logins("claude", "alice", "bob"),
                _login("claude", "carol", state=State.COOLING, retry_at=now + timedelta(minutes=28)),
                _login("claude", "heidi", state=State.DISABLED),
                _login("claude", "", email=_LONG_LABEL),
                removed(),
            ),
            "ClaudeExecutor",
            {
                "claude-sonnet-4-6": "sonnet",
                "claude-opus-4-6": "",
                "claude-haiku-4-5": "",
                "house-reranker-v2": "",
            },
            30,
            _CLAUDE_CODE,
        ),
        ChannelCast(
            (
                *_logins("codex", "dave", "judy", "ken", "lena", "mia", plan="plus"),
                *_logins("codex", "noah", "olga", plan="team", priority=5, note="团队席位"),
                *_logins("codex", "paul", "quinn", plan="pro", priority=10),
            ),
            "CodexExecutor",
            {"gpt-5.4": "", "gpt-5-codex": "gpt-main", "gpt-5.4-mini": "", "gpt-5.4-nano": ""},
            24,
            _CODEX,
        ),
        ChannelCast(
            _logins("antigravity", "rosa", "sven", "tara", "uma", "victor"),
            "AntigravityExecutor",
            {
                "gemini-3-pro-preview": "",
                "gemini-3-flash": "",
                "gemini-2.5-pro": "",
                "gemini-2.5-flash": "",
                "gemini-2.5-flash-lite": "",
            },
            14,
            _CHAT,
        ),
        ChannelCast(
            _logins("kimi", "wendy"), "KimiExecutor", {"kimi-k2.5": "", "kimi-k2-thinking": ""}, 6, _CLAUDE_CODE
        ),
        ChannelCast(_logins("xai", "xavier", "yuki"), "XAIExecutor", {"grok-4.3": ""}, 0, _CHAT),
        ChannelCast(
            _keys("OpenRouter", "https://openrouter.ai/api/v1", 4),
            "OpenAICompatExecutor",
            {
                "z-ai/glm-5": "",
                "aurora-mini-preview": "",
                _LONG_MODEL: "",
                "deepseek/deepseek-v4": "",
                "qwen/qwen4-max": "",
                "mistralai/mistral-large-3": "",
                "openai/gpt-oss-120b": "",
            },
            12,
            _BATCH,
        ),
        ChannelCast(
            _keys("claude", RELAY, 4, listed_in="claude-api-key"),
            "ClaudeExecutor",
            {"claude-sonnet-4-6": "sonnet", "claude-opus-4-5": "", "claude-sonnet-4-5": ""},
            8,
            _CLAUDE_CODE,
        ),
    ]


def removed() -> Listed:
    """The account that its server lists no more."""
    return _login("claude", "zoe")


def _logins(provider: str, *names: str, **told: Any) -> tuple[Listed, ...]:
    return tuple(_login(provider, name, **told) for name in names)


def _login(provider: str, name: str, *, email: str = "", **told: Any) -> Listed:
    """`told` is what else its server tells of it, by the fields of Listed."""
    email = email or f"{name}@example.com"
    return Listed(
        AUTH_FILES, provider, channel=provider, kind=Channel.Kind.OAUTH, label=email,
        auth_index=_index(f"{provider}{email}"), file_name=f"{provider}-{email}.json", email=email, **told,
    )  # fmt: skip


def _keys(name: str, url: str, count: int, *, listed_in: str = OPENAI_COMPATIBILITY) -> tuple[Listed, ...]:
    """Upstream keys of one provider, by its name or, in the lists of keys, by its address."""
    is_compatible = listed_in == OPENAI_COMPATIBILITY
    return tuple(
        Listed(
            listed_in, name.lower(), channel=name if is_compatible else url,
            kind=Channel.Kind.API_KEY, auth_index=_index(f"{url}{number}"), base_url=url,
            key=f"sk-FAKE-upstream-{name.lower()}-{number:012d}",
        )
        for number in range(count)
    )  # fmt: skip


def _index(text: str) -> str:
    """An auth index as CPA makes them: sixteen hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


CLIENT_KEYS = tuple(f"sk-client-FAKE-{number:04d}" for number in range(1, 10))
# The last one has none.
ALIASES = (
    "Frontend",
    "Batch jobs",
    "夜间报表",
    "Alice (laptop)",
    "CI",
    "数据平台",
    "Mobile app",
    "A very long alias of a key that belongs to nobody in particular",
)
UNPRICED = ("aurora-mini-preview", "house-reranker-v2", _LONG_MODEL)
# Input and output, USD per 1 M tokens.
_PRICES = {
    "claude-sonnet-4-6": ("3", "15"), "claude-opus-4-6": ("5", "25"), "claude-haiku-4-5": ("1", "5"),
    "claude-opus-4-5": ("5", "25"), "claude-sonnet-4-5": ("3", "15"), "gpt-5.4": ("2.5", "15"),
    "gpt-5-codex": ("1.25", "10"), "gpt-5.4-mini": ("0.25", "2"), "gpt-5.4-nano": ("0.05", "0.4"),
    "gemini-3-pro-preview": ("2", "12"), "gemini-3-flash": ("0.3", "2.5"), "gemini-2.5-pro": ("1.25", "10"),
    "gemini-2.5-flash": ("0.3", "2.5"), "gemini-2.5-flash-lite": ("0.1", "0.4"), "openai/gpt-oss-120b": ("0.05", "0.25"), "kimi-k2.5": ("0.6", "2.5"), "kimi-k2-thinking": ("0.6", "2.5"),
    "grok-4.3": ("3", "15"), "z-ai/glm-5": ("0.6", "2.2"), "deepseek/deepseek-v4": ("0.28", "0.42"),
    "qwen/qwen4-max": ("1.2", "6"), "mistralai/mistral-large-3": ("0", "0"),
}  # fmt: skip
_DEARER_BEFORE = "gpt-5.4"


def prices(now: datetime) -> list[ModelPrice]:
    """A price for each model but those of `UNPRICED`; one of them fell ten days before `now`, one is free."""
    rows = [_price(model, input, output) for model, (input, output) in _PRICES.items()]
    for row in rows:
        if row.pattern == _DEARER_BEFORE:
            row.effective_from = now - timedelta(days=10)
    return [*rows, _price(_DEARER_BEFORE, "5", "30")]


def _price(pattern: str, input: str, output: str) -> ModelPrice:
    dear = Decimal(input)
    amounts: dict[str, Any] = {
        "input": dear,
        "output": Decimal(output),
        "cached_input": round(dear / 10, 6),
        "cache_write": round(dear * 5 / 4, 6),
    }
    return ModelPrice(pattern=pattern, **amounts)
