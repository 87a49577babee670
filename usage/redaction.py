"""Takes secrets out of texts that upstream wrote, such as error messages."""

from __future__ import annotations

import re

# The shapes of the keys and tokens of the providers that CPA serves. A word ends where ASCII does: 密钥sk-... holds a key.
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|xai|vtx|gsk|ghp|gho|key|tok|sess)[-_][A-Za-z0-9_\-*.]{6,}"
    r"|\bAIza[A-Za-z0-9_\-*.]{6,}|\bya29\.[A-Za-z0-9_\-.]+|\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-.]+",
    re.ASCII,
)
# Whatever follows the words that announce a key, in a header, an address or JSON.
_ANNOUNCED = re.compile(
    r"""(\bbearer\s+|(?:api[_ -]?key|[?&]key)[\\"'\]]*\s*[:=][\s\\"'\[]*)(?!redacted\])[^\s\\"',;&\[\]]{6,}""",
    re.IGNORECASE | re.ASCII,
)


def redact(text: str, *secrets: str | None) -> str:
    """Return `text` with each of `secrets`, and all that looks like a key, replaced by `[redacted]`."""
    # The longest first: one that begins another would leave the other's end.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) > 3:
            text = text.replace(secret, "[redacted]")
    return _SHAPES.sub("[redacted]", _ANNOUNCED.sub(r"\1[redacted]", text))
