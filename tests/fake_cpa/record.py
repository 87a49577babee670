"""An attempt as the bytes of one release: the queued record (contract E) and the legacy detail (contract B)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from tests.fake_cpa import go_json
from tests.fake_cpa.attempt import Attempt, Upstream, auth_type_of, source_of, upstream_of
from tests.fake_cpa.clock import nanoseconds
from tests.fake_cpa.credentials import AuthFile
from tests.fake_cpa.tokens import Classified, Counts, Tokens, bookable, classify, count
from tests.fake_cpa.versions import Profile

_OMITTED_WHEN_EMPTY = frozenset({"access_token_sha256", "response_headers", "response_service_tier"})
_CANCELLED_OR_LATE = frozenset({499, 504})


@dataclass(frozen=True, slots=True)
class Measured:
    """An attempt with the numbers that this release reports for it."""

    attempt: Attempt
    when_ns: int
    timestamp: str
    upstream: Upstream
    counts: Counts
    classified: Classified | None
    bookable: Tokens


def measure(attempt: Attempt, profile: Profile, zone: tzinfo) -> Measured:
    upstream = upstream_of(attempt, profile)
    additive = attempt.additive_reasoning
    counts = count(attempt.tokens, upstream.family, upstream.provider, profile, additive=additive)
    classified = classify(counts, upstream.family) if profile.does("accounting v2") else None
    tokens = bookable(attempt.tokens, upstream.family, counts, profile, classified)
    when_ns = attempt.when if isinstance(attempt.when, int) else nanoseconds(attempt.when)
    return Measured(attempt, when_ns, go_json.timestamp(when_ns, zone), upstream, counts, classified, tokens)


def render_detail(measured: Measured, auth_index: str | int, profile: Profile) -> bytes:
    attempt = measured.attempt
    values = {
        "timestamp": measured.timestamp,
        "latency_ms": attempt.latency_ms,
        "source": source_of(attempt, profile),
        "auth_index": auth_index,
        "tokens": _tokens(measured.counts, profile),
        "failed": attempt.failed,
    }
    return go_json.encode({name: values[name] for name in profile.detail_fields})


def render_record(measured: Measured, auth_index: str | int, profile: Profile) -> bytes:
    values = {
        **_transport(measured),
        **_identity(measured.attempt, auth_index, profile),
        **_usage(measured, profile),
        **_request(measured.attempt, measured.upstream, profile),
    }
    record = {name: values[name] for name in profile.record_fields if name not in _OMITTED_WHEN_EMPTY or values[name]}
    return go_json.encode(record)


def _transport(measured: Measured) -> dict[str, object]:
    attempt = measured.attempt
    return {
        "timestamp": measured.timestamp,
        "latency_ms": attempt.latency_ms,
        "ttft_ms": attempt.ttft_ms,
        "client_ip": attempt.client_ip,
        "x_forwarded_for": attempt.x_forwarded_for,
        "user_agent": attempt.user_agent,
        "response_headers": _response_headers(attempt),
    }


def _response_headers(attempt: Attempt) -> dict[str, list[str]]:
    if attempt.status == 499:
        return {}  # the client left before the upstream answered
    streamed = attempt.stream and not attempt.failed
    content_type = "text/event-stream" if streamed else "application/json"
    return dict(sorted({"Content-Type": [content_type], **attempt.response_headers}.items()))


def _identity(attempt: Attempt, auth_index: str | int, profile: Profile) -> dict[str, object]:
    credential = attempt.credential
    return {
        "source": source_of(attempt, profile),
        "auth_index": auth_index,
        "access_token_sha256": credential.access_token_sha256 if isinstance(credential, AuthFile) else "",
        "auth_type": auth_type_of(credential, profile),
        "api_key": attempt.client_key,
    }


def _usage(measured: Measured, profile: Profile) -> dict[str, object]:
    return {
        "tokens": _tokens(measured.counts, profile),
        "failed": measured.attempt.failed,
        "generate": measured.attempt.generate,
        "fail": _fail(measured.attempt, profile),
        "accounting_version": 2,
        "token_breakdown": measured.classified and measured.classified.breakdown(),
    }


def _tokens(counts: Counts, profile: Profile) -> dict[str, int | bool]:
    fields = counts.fields()
    return {name: fields[name] for name in profile.token_fields}


def _fail(attempt: Attempt, profile: Profile) -> dict[str, object]:
    if not attempt.failed:
        return {"status_code": 200, "body": ""}
    tells = profile.does("cancelled is 499") or attempt.status not in _CANCELLED_OR_LATE
    return {"status_code": attempt.status if tells else 500, "body": attempt.error.strip()}


def _request(attempt: Attempt, upstream: Upstream, profile: Profile) -> dict[str, object]:
    model = attempt.model or "unknown"
    untold = "auto" if profile.does("service tier is what the client asked") else "default"
    service_tier = attempt.service_tier or untold
    return {
        "provider": upstream.provider,
        "executor_type": upstream.executor,
        "model": model,
        "alias": attempt.alias or model,
        "endpoint": attempt.endpoint,
        "request_id": attempt.request_id,
        "reasoning_effort": attempt.reasoning_effort,
        "service_tier": service_tier,
        "request_service_tier": service_tier,
        "response_service_tier": attempt.response_service_tier,
    }
