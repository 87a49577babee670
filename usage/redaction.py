"""Takes secrets out of texts that upstream wrote, such as error messages."""

from __future__ import annotations

import re

# The shapes of the keys and tokens of the providers that CPA serves, and whatever follows the words that announce one.
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|xai|vtx|gsk|ghp|gho|key|tok|sess)[-_][A-Za-z0-9_\-*.]{6,}"
    r"|\bAIza[A-Za-z0-9_\-*.]{6,}|\bya29\.[A-Za-z0-9_\-.]+|\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-.]+"
    r"|(?i:(?<=bearer )|(?<=api[_ -]key[:= ])|(?<=api[_ -]key: )|(?<=x-api-key: ))[^\s\"',;]{6,}"
)


def redact(text: str, *secrets: str | None) -> str:
    """Return `text` with each of `secrets`, and all that looks like a key, replaced by `[redacted]`."""
    for secret in secrets:
        if secret and len(secret) > 3:
            text = text.replace(secret, "[redacted]")
    return _SECRETS.sub("[redacted]", text)
