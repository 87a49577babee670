"""The headers in which upstream tells how much of its windows an account has used (Claude and Codex logins)."""

from __future__ import annotations

from tests.fake_cpa.clock import NANOSECONDS
from tests.fake_cpa.credentials import AnyCredential, AuthFile

_HOUR = 3_600
_SHORT, _LONG = 5 * _HOUR, 168 * _HOUR
# Each account has windows that begin at a time of its own, and its own pace: a share of the window's whole.
_STAGGER = 4_271


def quota_headers(credential: AnyCredential | None, when_ns: int) -> dict[str, list[str]]:
    """Return what an answer at this time (nanoseconds since 1970) tells: use that grows evenly, up to all there is."""
    if not isinstance(credential, AuthFile) or credential.provider not in ("claude", "codex"):
        return {}
    seed = sum(credential.name.encode())
    short, long = (_window(when_ns // NANOSECONDS, length, seed) for length in (_SHORT, _LONG))
    if credential.provider == "claude":
        return _claude("5h", *short) | _claude("7d", *long)
    return _codex("Primary", _SHORT, *short) | _codex("Secondary", _LONG, *long)


def _window(now: int, length: int, seed: int) -> tuple[float, int]:
    """Return which share is used, and when the window ends."""
    elapsed = (now + seed * _STAGGER) % length
    pace = 0.4 + seed % 11 / 10
    return min(elapsed / length * pace, 1), now - elapsed + length


def _claude(window: str, used: float, reset: int) -> dict[str, list[str]]:
    said = {"Status": "rejected" if used == 1 else "allowed", "Utilization": f"{used:.4f}", "Reset": str(reset)}
    return {f"Anthropic-Ratelimit-Unified-{window}-{name}": [value] for name, value in said.items()}


def _codex(window: str, length: int, used: float, reset: int) -> dict[str, list[str]]:
    said = {"Used-Percent": f"{used * 100:.0f}", "Window-Minutes": str(length // 60), "Reset-At": str(reset)}
    return {f"X-Codex-{window}-{name}": [value] for name, value in said.items()}
