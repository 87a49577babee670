"""What the `errors` channel says of a failed attempt (contract D)."""

from __future__ import annotations

from datetime import tzinfo

from tests.fake_cpa import go_json
from tests.fake_cpa.auth_index import internal_id
from tests.fake_cpa.credentials import AnyCredential, AuthFile
from tests.fake_cpa.record import Measured


def render_error_event(
    measured: Measured, credential: AnyCredential, auth_index: str | int, now_ns: int, zone: tzinfo
) -> bytes:
    attempt = measured.attempt
    auth_id = credential.name if isinstance(credential, AuthFile) else internal_id(credential)
    optional = {"provider": measured.upstream.provider, "model": attempt.model, "auth_id": auth_id}
    return go_json.encode(
        {
            "timestamp": go_json.timestamp(now_ns, zone),
            **{name: value for name, value in optional.items() if value},
            "auth_index": auth_index,
            "status_code": attempt.status,
            "body": attempt.error.strip() or "request failed",
            "auth_status": _auth_status(credential, zone),
        }
    )


def _auth_status(credential: AnyCredential, zone: tzinfo) -> dict[str, object]:
    if not isinstance(credential, AuthFile):
        return {"status": "error", "disabled": credential.disabled, "unavailable": False}
    message, retry_after = credential.status_message, credential.next_retry_after_ns
    return {
        "status": credential.status,
        **({"status_message": message} if message else {}),
        "disabled": credential.disabled,
        "unavailable": credential.unavailable,
        **({"next_retry_after": go_json.timestamp(retry_after, zone)} if retry_after else {}),
    }
