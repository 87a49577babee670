"""Which CLIProxyAPI release has what: the tables of the contract, as data.

A span is "since" or "first-last" (both included); several are separated by commas. Field tables are in the order
in which Go's encoder writes the struct.
"""

from __future__ import annotations

import re

Version = tuple[int, int, int]

# A local build calls itself "dev"; it has everything.
NEWEST: Version = (999, 0, 0)

# Contract E.
RECORD_FIELDS = {
    "timestamp": "6.9.38",
    "latency_ms": "6.9.38",
    "ttft_ms": "7.1.24",
    "source": "6.9.38",
    "auth_index": "6.9.38",
    "access_token_sha256": "7.2.111-7.2.111, 7.2.116",
    "client_ip": "7.2.104",
    "x_forwarded_for": "7.2.104",
    "user_agent": "7.2.104",
    "tokens": "6.9.38",
    "failed": "6.9.38",
    "generate": "7.2.78",
    "fail": "7.0.0",
    "response_headers": "7.1.13",
    "accounting_version": "7.2.97",
    "token_breakdown": "7.2.97",
    "provider": "6.9.38",
    "executor_type": "7.1.38",
    "model": "6.9.38",
    "alias": "6.10.7",
    "endpoint": "6.9.38",
    "auth_type": "6.9.38",
    "api_key": "6.9.38",
    "request_id": "6.9.38",
    "reasoning_effort": "7.1.18",
    "service_tier": "7.1.27",
    "request_service_tier": "7.2.65-7.2.73",
    "response_service_tier": "7.2.65",
}

TOKEN_FIELDS = {
    "input_tokens": "6.0.0",
    "output_tokens": "6.0.0",
    "reasoning_tokens": "6.0.0",
    "cached_tokens": "6.0.0",
    "cache_read_tokens": "7.0.3",
    "cache_read_tokens_present": "7.2.74",
    "cache_creation_tokens": "7.0.3",
    "total_tokens": "6.0.0",
}

# Contract B.
DETAIL_FIELDS = {
    "timestamp": "6.0.0",
    "latency_ms": "6.9.1",
    "source": "6.2.7",
    "auth_index": "6.3.56",
    "tokens": "6.0.0",
    "failed": "6.2.26",
}

# Contract G.
AUTH_FILE_FIELDS = {
    "name": "6.0.0",
    "type": "6.0.0",
    "size": "6.0.0",
    "modtime": "6.0.0",
    "email": "6.1.6",
    "id": "6.3.14",
    "provider": "6.3.14",
    "label": "6.3.14",
    "account_type": "6.3.14",
    "account": "6.3.14",
    "status": "6.3.14",
    "status_message": "6.3.14",
    "disabled": "6.3.14",
    "unavailable": "6.3.14",
    "runtime_only": "6.3.14",
    "source": "6.3.14",
    "path": "6.3.14",
    "created_at": "6.3.14",
    "updated_at": "6.3.14",
    "last_refresh": "6.3.14",
    "auth_index": "6.3.56",
    "id_token": "6.6.66",
    "next_retry_after": "6.8.31",
    "priority": "6.8.55",
    "note": "6.8.55",
    "recent_requests": "6.9.46",
    "success": "6.9.49",
    "failed": "6.9.49",
    "project_id": "7.0.7",
    "websockets": "7.1.22",
    "weight": "7.2.108",
    "request_retry": "7.2.140",
}

# Contract H.
KEY_FIELDS = {
    "api-key": "6.0.0",
    "priority": "6.6.106",
    "weight": "7.2.104",
    "prefix": "6.6.19",
    "base-url": "6.0.0",
    "websockets": "6.8.19",
    "proxy-url": "6.0.0",
    "models": "6.0.0",
    "headers": "6.0.0",
    "excluded-models": "6.5.28",
    "auth-index": "6.9.29",
}

COMPAT_FIELDS = {
    "name": "6.0.0",
    "priority": "6.6.106",
    "disabled": "6.9.39",
    "prefix": "6.6.19",
    "base-url": "6.0.0",
    "api-keys": "6.0.0-6.0.16",
    "api-key-entries": "6.0.16",
    "models": "6.0.0",
    "headers": "6.0.0",
    "auth-index": "6.9.29",
}

COMPAT_KEY_FIELDS = {
    "api-key": "6.0.16",
    "proxy-url": "6.0.16",
    "weight": "7.2.104",
    "auth-index": "6.9.29",
}

# Contract B, C, G, H, I: paths below /v0/management.
ENDPOINTS = {
    "/usage": "6.0.0-6.9.49",
    "/usage/export": "6.6.56-6.9.49",
    "/usage-queue": "6.10.8",
    "/usage-statistics-enabled": "6.0.5",
    "/auth-files": "6.0.0",
    "/api-keys": "6.0.0",
    "/api-key-usage": "6.9.47",
    "/config": "6.0.0",
    "/generative-language-api-key": "6.0.0-6.5.38",
    "/gemini-api-key": "6.3.2",
    "/interactions-api-key": "7.2.51",
    "/claude-api-key": "6.0.0",
    "/codex-api-key": "6.0.0",
    "/xai-api-key": "7.2.73",
    "/vertex-api-key": "6.6.82",
    "/openai-compatibility": "6.0.0",
}

BEHAVIOUR = {
    # A: authentication
    "localhost needs no key": "6.0.0-6.0.0",
    "secret changes are live": "6.0.22",
    "localhost is banned": "6.9.38",
    "idle failures are forgotten": "6.6.96",
    "version headers": "6.3.36",
    "plugin header": "7.1.69",
    "unknown paths authenticate": "7.1.47",
    # B: the legacy snapshot
    "legacy snapshot": "6.0.0-6.9.49",
    "legacy failures": "6.2.26",
    "legacy keeps 1000 details": "6.6.96-6.6.96",
    # C: the queue
    "usage queue": "6.9.38",
    "retention setting": "6.10.1",
    # D: RESP
    "resp": "6.9.38",
    "resp is refused": "7.1.17-7.1.17",
    "silent connections block the server": "6.9.38-7.0.2",
    "home mode is told": "7.1.18",
    "pop checks the key": "7.1.44",
    "subscribe": "7.0.7-7.1.16, 7.1.18",
    "control payloads": "7.1.39",
    "channel is echoed as sent": "7.1.44",
    "errors channel": "7.1.44",
    # E, H: who answered
    "masked source": "6.2.7-6.3.35",
    "gemini-cli source is the id": "6.3.36-7.2.19",
    "numeric auth_index": "6.3.56-6.6.55",
    "auth_index by file name": "6.6.56-6.10.9",
    "auth_index by config seed": "6.8.54-6.10.9",
    "compat provider prefix": "7.2.21",
    "kimi is oauth": "7.2.33",
    "cancelled is 499": "7.2.124",
    "service tier is what the client asked": "7.2.74",
    # F: tokens
    "gemini cached tokens": "6.6.52",
    "claude cache fields": "7.0.3",
    "claude total has cache": "7.1.26",
    "claude reasoning": "7.2.117",
    "codex cache creation": "7.2.56",
    "cache_read everywhere": "7.2.67",
    "accounting v2": "7.2.97",
    # G, H, I: listings
    "auth files are sorted": "6.3.14",
    "auth file filters": "7.2.94",
    "empty lists are []": "6.9.29",
    "compat models are always shown": "6.0.0-6.9.28",
    "excluded-models switches off": "7.2.5",
    "key usage by base url": "6.9.48",
    "key usage counts": "6.9.49",
    "key usage by compat name": "7.2.26",
    "healthz": "6.9.10",
    "root tells a version": "6.0.0-6.0.99",
}


def parse_version(text: str) -> Version:
    """Read a tag as releases write it: `v6.9.45-0`, `7.2.99`, `dev`."""
    if text == "dev":
        return NEWEST
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise ValueError(f"{text!r} is not a CLIProxyAPI version; write it like 7.2.140, v6.9.45-0 or dev")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def spans_contain(spans: str, version: Version) -> bool:
    return any(_span_contains(span, version) for span in spans.split(","))


def _span_contains(span: str, version: Version) -> bool:
    since, _, last = span.strip().partition("-")
    return parse_version(since) <= version and (not last or version <= parse_version(last))


class Profile:
    """One release: what it has, asked by the names in the tables above."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.version = parse_version(text)
        self.record_fields = self._select(RECORD_FIELDS)
        self.token_fields = self._select(TOKEN_FIELDS)
        self.detail_fields = self._select(DETAIL_FIELDS)
        self.auth_file_fields = self._select(AUTH_FILE_FIELDS)
        self.key_fields = self._select(KEY_FIELDS)
        self.compat_fields = self._select(COMPAT_FIELDS)
        self.compat_key_fields = self._select(COMPAT_KEY_FIELDS)
        self.endpoints = self._select(ENDPOINTS)
        self._behaviour = {name: spans_contain(spans, self.version) for name, spans in BEHAVIOUR.items()}

    def does(self, behaviour: str) -> bool:
        return self._behaviour[behaviour]

    def _select(self, table: dict[str, str]) -> tuple[str, ...]:
        return tuple(name for name, spans in table.items() if spans_contain(spans, self.version))
