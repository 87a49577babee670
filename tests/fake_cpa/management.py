"""The management API over HTTP: from a request to an answer, no sockets (contract A, B, C, G, H, I)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

from tests.fake_cpa import go_json
from tests.fake_cpa.credentials import LIST_PROVIDERS
from tests.fake_cpa.go_numbers import atoi
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.key_usage import api_key_usage
from tests.fake_cpa.listings import auth_files, compat_list, key_list
from tests.fake_cpa.messages import Request, Response, error, json_response, page_not_found

BASE = "/v0/management"

Handler = Callable[[Request], Response]


class Management:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._routes = self._make_routes()

    def answer(self, request: Request) -> Response:
        if request.path != BASE and not request.path.startswith(BASE + "/"):
            return self._answer_public(request)
        handler = self._find(request)
        if handler is None and not self._instance.profile.does("unknown paths authenticate"):
            return page_not_found()
        if not self._instance.management_available:
            return Response(404)
        response = self._authenticated(request, handler or _absent)
        return replace(response, headers={**self._version_headers(), **response.headers})

    def _authenticated(self, request: Request, handler: Handler) -> Response:
        refusal = self._instance.gate.check(request.client_address, request.provided_key)
        return error(refusal.status, refusal.text) if refusal else handler(request)

    def _find(self, request: Request) -> Handler | None:
        endpoint = request.path.removeprefix(BASE)
        if endpoint not in self._instance.profile.endpoints:
            return None
        return self._routes.get((request.method, endpoint))

    def _answer_public(self, request: Request) -> Response:
        profile = self._instance.profile
        if (request.method, request.path) == ("GET", "/"):
            version = {"version": "1.0.0"} if profile.does("root tells a version") else {}
            endpoints = ["POST /v1/chat/completions", "POST /v1/completions", "GET /v1/models"]
            return json_response(
                go_json.encode_map({"message": "CLI Proxy API Server", "endpoints": endpoints, **version})
            )
        if (request.method, request.path) == ("GET", "/healthz") and profile.does("healthz"):
            return json_response(b'{"status":"ok"}')
        return Response(404) if profile.does("unknown paths authenticate") else page_not_found()

    def _version_headers(self) -> dict[str, str]:
        profile = self._instance.profile
        if not profile.does("version headers"):
            return {}
        built = {"X-CPA-VERSION": profile.text, "X-CPA-COMMIT": "fa4ec0de", "X-CPA-BUILD-DATE": "2026-08-22T00:00:00Z"}
        return {**built, "X-CPA-SUPPORT-PLUGIN": "1"} if profile.does("plugin header") else built

    def _make_routes(self) -> dict[tuple[str, str], Handler]:
        instance = self._instance
        lists = {("GET", f"/{name}"): _list_handler(instance, name) for name in _KEY_LISTS}
        return {
            ("GET", "/usage"): self._get_usage,
            ("GET", "/usage/export"): self._get_usage_export,
            ("GET", "/usage-queue"): self._get_usage_queue,
            ("GET", "/usage-statistics-enabled"): self._get_statistics,
            ("PUT", "/usage-statistics-enabled"): self._put_statistics,
            ("PATCH", "/usage-statistics-enabled"): self._put_statistics,
            ("GET", "/auth-files"): lambda request: json_response(auth_files(instance, request.query)),
            ("GET", "/api-keys"): lambda _: json_response(go_json.encode({"api-keys": instance.client_keys})),
            ("GET", "/api-key-usage"): lambda _: json_response(api_key_usage(instance)),
            ("GET", "/config"): self._get_config,
            ("GET", "/openai-compatibility"): lambda _: json_response(compat_list(instance)),
            **lists,
        }

    def _get_usage(self, _: Request) -> Response:
        return json_response(self._instance.snapshot.answer())

    def _get_usage_export(self, _: Request) -> Response:
        exported_at = go_json.timestamp(self._instance.clock.now_ns(), UTC)
        return json_response(self._instance.snapshot.export(exported_at))

    def _get_usage_queue(self, request: Request) -> Response:
        count = _positive_integer(request.query.get("count", ""))
        if count is None:
            return error(400, "count must be a positive integer")
        records = self._instance.pop(count)
        body = b"[" + b",".join(map(_as_json, records)) + b"]"
        return replace(json_response(body), popped=records)

    def _get_statistics(self, _: Request) -> Response:
        return json_response(go_json.encode({"usage-statistics-enabled": self._instance.statistics_shown}))

    def _put_statistics(self, request: Request) -> Response:
        enabled = _boolean_value(request.body)
        if enabled is None:
            return error(400, "invalid body")
        if not self._instance.set_statistics(enabled):
            return error(500, "failed to save config: open config.yaml: read-only file system")
        return json_response(b'{"status":"ok"}')

    def _get_config(self, _: Request) -> Response:
        instance = self._instance
        config = {"debug": False, "request-retry": 3, "api-keys": instance.client_keys}
        if "/usage-statistics-enabled" in instance.profile.endpoints:
            config["usage-statistics-enabled"] = instance.statistics_shown
        if instance.profile.does("retention setting"):
            config["redis-usage-queue-retention-seconds"] = instance.configured_retention_seconds
        return json_response(go_json.encode(config))


_KEY_LISTS = ("generative-language-api-key", *LIST_PROVIDERS)


def _list_handler(instance: Instance, list_name: str) -> Handler:
    return lambda _: json_response(key_list(instance, list_name))


def _absent(_: Request) -> Response:
    return Response(404)


def _positive_integer(text: str) -> int | None:
    """Blank means 1 (contract C)."""
    number = atoi(text.strip() or "1")
    return number if number and number > 0 else None


def _boolean_value(body: bytes) -> bool | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    value = document.get("value") if isinstance(document, dict) else None
    return value if isinstance(value, bool) else None


def _as_json(record: bytes) -> bytes:
    """A stored record as array element: itself, or a string with its bytes if it is no JSON."""
    try:
        json.loads(record, parse_constant=_refuse_constant)
    except ValueError:
        return go_json.encode(record.decode(errors="replace"))
    return record


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
