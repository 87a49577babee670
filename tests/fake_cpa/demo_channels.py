"""The demo's channels: who is logged in, which keys are configured, and what each is used for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fake_cpa.credentials import AnyCredential, CompatProvider, Credentials

CLIENT_KEYS = ["sk-team-frontend-FAKE-0001", "sk-team-batch-FAKE-0002", "sk-alice-FAKE-0003", "sk-nightly-ci-FAKE-0004"]


@dataclass(frozen=True, slots=True)
class Habit:
    """How requests through a channel look: typical sizes in tokens, and which part of the input was cached."""

    endpoint: str
    user_agent: str
    context: int
    answer: int
    cached: float
    cache_written: float = 0.0
    reasoning: float = 0.0


@dataclass(frozen=True, slots=True)
class Channel:
    """Credentials that stand in for each other, the models asked of them (with aliases), and their share of traffic."""

    credentials: tuple[AnyCredential, ...]
    models: dict[str, str]
    share: float
    habit: Habit


_CLAUDE_CODE = Habit("POST /v1/messages", "claude-cli/2.1.40 (external, cli)", 60_000, 500, 0.96, 0.04, 0.2)
_CODEX = Habit("POST /v1/responses", "codex_cli_rs/0.98.0", 40_000, 900, 0.96, 0.0, 0.6)
_CHAT = Habit("POST /v1/chat/completions", "openai-python/2.11.0", 6_000, 700, 0.35, 0.0, 0.25)
_RELAYED = Habit("POST /v1/chat/completions", "python-httpx/0.28.1", 20_000, 400, 0.80, 0.03)
_GEMINI = Habit("POST /v1beta/models/*action", "google-genai-sdk/1.30.0", 15_000, 1_200, 0.25, 0.0, 0.4)


def set_up(credentials: Credentials) -> list[Channel]:
    return [*_oauth_channels(credentials), *_key_channels(credentials), _forgotten_channel()]


def _oauth_channels(credentials: Credentials) -> list[Channel]:
    add = credentials.add_oauth
    claude = tuple(add("claude", f"{name}@example.com") for name in ("carol", "heidi", "ivan"))
    codex = (add("codex", "dave@example.com", plan="plus"), add("codex", "judy@example.com", plan="team"))
    antigravity = (add("antigravity", "alice.dev@example.com", project_id="bright-otter-48213"),)
    claude_models = {
        "claude-sonnet-4-6": "claude-sonnet-4-6(high)",
        "claude-opus-4-6": "",
        "claude-haiku-4-5": "haiku",
    }
    return [
        Channel(claude, claude_models, 30, _CLAUDE_CODE),
        Channel(codex, {"gpt-5.4": "gpt-main"}, 22, _CODEX),
        Channel(antigravity, {"gemini-3-pro-preview": "gemini-3-pro"}, 9, _CHAT),
        Channel((add("kimi"),), {"kimi-k2.5": ""}, 6, _CLAUDE_CODE),
        Channel((add("xai", "grace@example.com"),), {"grok-4.3": ""}, 6, _CHAT),
    ]


def _key_channels(credentials: Credentials) -> list[Channel]:
    keys = ("sk-or-v1-FAKE-openrouter-key-00000000001", "sk-or-v1-FAKE-openrouter-key-00000000002")
    openrouter = credentials.add_compat("OpenRouter", "https://openrouter.ai/api/v1", *keys)
    relay = credentials.add_key(
        "claude-api-key", "sk-relay-FAKE-claude-0000000000000002", base_url="https://relay.example.net/anthropic"
    )
    deepseek = credentials.add_compat(
        "deepseek", "https://api.deepseek.com/v1", "sk-FAKE-deepseek-key-0000000000000001"
    )
    gemini = credentials.add_key("gemini-api-key", "AIzaSyFAKE-gemini-key-0000000000000000001")
    return [
        Channel(tuple(openrouter.keys), {"z-ai/glm-5": "glm", "aurora-mini-preview": ""}, 9, _CHAT),
        Channel(tuple(deepseek.keys), {"deepseek-chat": ""}, 5, _CHAT),
        Channel((relay,), {"claude-sonnet-4-6": "sonnet"}, 6, _RELAYED),
        Channel((gemini,), {"gemini-2.5-pro": "", "gemini-3-pro-preview": ""}, 5, _GEMINI),
    ]


def _forgotten_channel() -> Channel:
    """A key that answers but is in no list any more."""
    provider = CompatProvider(name="oldrelay", base_url="https://old.example.net/v1")
    return Channel((provider.add_key("sk-FAKE-removed-relay-key-00000000001"),), {"deepseek-chat": ""}, 2, _CHAT)
