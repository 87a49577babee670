"""One upstream attempt in canonical form, and who answered it as the server sees that."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tests.fake_cpa.credentials import AnyCredential, AuthFile, ConfigKey
from tests.fake_cpa.tokens import NO_TOKENS, Family, Tokens
from tests.fake_cpa.versions import Profile


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What happened, in the words of no version.

    `when` is the start: an aware datetime, or nanoseconds since 1970 (records have nine decimals).
    """

    credential: AnyCredential | None
    model: str
    when: datetime | int
    request_id: str
    tokens: Tokens = NO_TOKENS
    alias: str = ""
    client_key: str = ""
    status: int = 200
    error: str = ""
    latency_ms: int = 1500
    ttft_ms: int = 400
    stream: bool = True
    endpoint: str = "POST /v1/chat/completions"
    reasoning_effort: str = ""
    service_tier: str = ""
    response_service_tier: str = ""
    generate: bool = True
    client_ip: str = "203.0.113.24"
    x_forwarded_for: str = ""
    user_agent: str = "openai-python/2.11.0"
    response_headers: dict[str, list[str]] = field(default_factory=dict)
    # The upstream counts reasoning beside output although its family does not (xAI behind openai-compatibility).
    additive_reasoning: bool = False
    # A second record of an attempt already counted (the codex image tool).
    extra_record: bool = False

    @property
    def failed(self) -> bool:
        return self.status >= 400


@dataclass(frozen=True, slots=True)
class Upstream:
    """Who answered: provider and executor as the record names them, and how that executor counts."""

    provider: str
    executor: str
    family: Family


_OAUTH_AND_LIST_UPSTREAMS = {
    "codex": Upstream("codex", "CodexExecutor", Family.SUBSET),
    "xai": Upstream("xai", "XAIExecutor", Family.SUBSET),
    "kimi": Upstream("kimi", "KimiExecutor", Family.SUBSET),
    "qwen": Upstream("qwen", "QwenExecutor", Family.SUBSET),
    "iflow": Upstream("iflow", "IFlowExecutor", Family.SUBSET),
    "claude": Upstream("claude", "ClaudeExecutor", Family.CLAUDE),
    "gemini": Upstream("gemini", "GeminiExecutor", Family.GEMINI),
    "gemini-interactions": Upstream("gemini-interactions", "GeminiExecutor", Family.GEMINI),
    "gemini-cli": Upstream("gemini-cli", "GeminiCLIExecutor", Family.GEMINI),
    "vertex": Upstream("vertex", "GeminiVertexExecutor", Family.GEMINI),
    "aistudio": Upstream("aistudio", "AIStudioExecutor", Family.GEMINI),
    "antigravity": Upstream("antigravity", "AntigravityExecutor", Family.GEMINI),
}
_WEBSOCKET_EXECUTORS = {"codex": "CodexWebsocketsExecutor", "xai": "XAIWebsocketsExecutor"}
_WEBSOCKET_ENDPOINT = "GET /v1/responses"


def upstream_of(attempt: Attempt, profile: Profile) -> Upstream:
    credential = attempt.credential
    if credential is None:
        return Upstream("unknown", "unknown", Family.SUBSET)
    if not isinstance(credential, AuthFile | ConfigKey):
        return Upstream(compat_provider(credential.compat_name, profile), "OpenAICompatExecutor", Family.SUBSET)
    provider = credential.provider
    if provider == "kimi" and attempt.endpoint == "POST /v1/messages":
        # Kimi's Anthropic-compatible side is reached through the Claude executor, which reports itself.
        provider = "claude"
    upstream = _OAUTH_AND_LIST_UPSTREAMS[provider]
    if attempt.endpoint == _WEBSOCKET_ENDPOINT and provider in _WEBSOCKET_EXECUTORS:
        return Upstream(provider, _WEBSOCKET_EXECUTORS[provider], upstream.family)
    return upstream


def compat_provider(name: str, profile: Profile) -> str:
    if not profile.does("compat provider prefix") or name.startswith(("openai-compatible-", "openai-compatibility")):
        return name
    return f"openai-compatible-{name}"


def source_of(attempt: Attempt, profile: Profile) -> str:
    """The record's `source`: what names the credential best, else the client's own key (contract H)."""
    source = _own_source(attempt.credential, profile) or attempt.client_key
    return mask(source) if profile.does("masked source") else source


def _own_source(credential: AnyCredential | None, profile: Profile) -> str:
    if credential is None:
        return ""
    if not isinstance(credential, AuthFile):
        return credential.api_key
    if credential.provider == "vertex" and credential.project_id:
        return credential.project_id
    if credential.provider == "gemini-cli" and profile.does("gemini-cli source is the id"):
        return credential.name
    if credential.provider == "aistudio":
        return credential.name
    return credential.email


def mask(secret: str) -> str:
    """How releases 6.2.7 to 6.3.35 hid a source."""
    if len(secret) > 8:
        return f"{secret[:4]}...{secret[-4:]}"
    if len(secret) > 4:
        return f"{secret[:2]}...{secret[-2:]}"
    return f"{secret[:1]}...{secret[-1:]}" if len(secret) > 2 else secret


def auth_type_of(credential: AnyCredential | None, profile: Profile) -> str:
    if credential is None:
        return "unknown"
    if not isinstance(credential, AuthFile):
        return "apikey" if credential.api_key else "unknown"
    if credential.provider == "kimi" and not credential.email and not profile.does("kimi is oauth"):
        return "unknown"
    return "oauth"
