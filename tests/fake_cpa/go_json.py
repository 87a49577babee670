"""JSON, times and durations exactly as Go's standard library writes them."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo

from tests.fake_cpa.clock import NANOSECONDS

# encoding/json escapes these five for the sake of browsers; Python does not.
_HTML_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_compact_sorted = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True)


def encode(value: object) -> bytes:
    """Encode as a struct: keys in the order given."""
    return _escape(_compact.encode(value))


def encode_map(value: object) -> bytes:
    """Encode as a map: Go sorts the keys."""
    return _escape(_compact_sorted.encode(value))


def _escape(text: str) -> bytes:
    for character, escaped in _HTML_ESCAPES.items():
        if character in text:
            text = text.replace(character, escaped)
    return text.encode(errors="replace")


def timestamp(moment_ns: int, zone: tzinfo) -> str:
    """RFC 3339 with up to nine decimals, trailing zeros cut."""
    seconds, fraction = divmod(moment_ns, NANOSECONDS)
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    offset = text[19:]
    return text[:19] + decimals + ("Z" if offset == "+00:00" else offset)


def duration(seconds: int) -> str:
    """`time.Duration.String()` of whole seconds: 0s, 58s, 29m58s, 1h0m0s."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
