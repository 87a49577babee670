"""Array elements that a usage queue should not hold, by name (contract K)."""

from __future__ import annotations

_TEMPLATE = (
    '{"timestamp":"2026-08-22T12:00:00Z","latency_ms":10,"source":"dave@example.com","auth_index":"7c66a54bd182454d",'
    '"tokens":{"input_tokens":%(input)s,"output_tokens":1,"reasoning_tokens":0,"cached_tokens":0,"total_tokens":1},'
    '"failed":%(failed)s,"fail":%(fail)s,"provider":"codex","model":%(model)s,"alias":"gpt-5.4",'
    '"endpoint":"POST /v1/responses","auth_type":"oauth","api_key":"sk-team-frontend-FAKE-0001",'
    '"request_id":"bad0bad0"}'
)
_SOUND = {"input": "10", "failed": "false", "fail": '{"status_code":200,"body":""}', "model": '"gpt-5.4"'}


def _record(**changes: str) -> str:
    return _TEMPLATE % {**_SOUND, **changes}


ELEMENTS = {
    "string": '"half a record {\\"timestamp\\":"',
    "number": "42",
    "null": "null",
    "array": "[1,2]",
    "empty object": "{}",
    "missing fields": '{"timestamp":"2026-08-22T12:00:00Z","model":"gpt-5.4"}',
    "nan token": _record(input="NaN"),
    "huge token": _record(input=str(2**70)),
    "negative token": _record(input="-5"),
    "float token": _record(input="1.5"),
    "wrong types": _record(input='"ten"', failed='"no"', model="7", fail="[]"),
    "bad time": _record().replace("2026-08-22T12:00:00Z", "yesterday"),
    "megabyte body": _record(failed="true", fail='{"status_code":500,"body":"%s"}' % ("x" * 2**20)),
}


def element(kind: str) -> bytes:
    if kind not in ELEMENTS:
        raise ValueError(f"{kind!r} is no kind of garbage; choose from: {', '.join(ELEMENTS)}")
    return ELEMENTS[kind].encode()
