"""What upstream says of a failure, without what is of this one alone: so that the same trouble is met as the same words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# More would be read by nobody, and told apart by nobody. So much of the text holds that, whatever is replaced by less.
MOST_CHARACTERS = 200
_READ = 800
# Of a longer one, its beginning is enough.
_LONGEST_JSON = 65_536
# What gateways and providers call their words, the best first.
_KEYS = ("error", "message", "msg", "detail", "error_description", "title", "errors", "code", "type", "status")
_DEEPEST = 5

_HTML = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>()\[\]{}\\]+", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# With a digit and a letter in one part of at least eight characters: ids of requests, organisations, UUIDs. Names of
# models have shorter parts.
_ID = re.compile(
    r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9]*[_-])*(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}(?:[_-][A-Za-z0-9]+)*"
)
# By itself, with its unit: 1,000, 29m58s, 10.0.0.1:443, 2026-11-23T10:00:00Z.
_NUMBER = re.compile(r"(?<![\w./-])\d[\w:+-]*(?:[.,][\w:+-]+)*(?<![:+-])", re.ASCII)
_SPACE = re.compile(r"\s+")


def normalised(message: str) -> str:
    """Return `message` with ids, numbers, e-mails and URLs replaced; at most MOST_CHARACTERS.

    An e-mail by what stands for secrets: of the account that was asked, it is one already.
    """
    words = _EMAIL.sub("[redacted]", _URL.sub("<url>", message[:_READ]))
    words = _NUMBER.sub("<n>", _ID.sub("<id>", words))
    return _SPACE.sub(" ", words).strip()[:MOST_CHARACTERS].rstrip()


def message_of(body: str) -> str:
    """Return the words for people in the body of an error: JSON in which errors may be wrapped, a page, or plain text.

    Escapes of JSON are undone, so that secrets must be taken out of it again.
    """
    text = body.strip()
    if text.startswith(("{", "[", '"')) and len(text) <= _LONGEST_JSON:
        return next(_words(_loaded(text), _DEEPEST), text)
    if title := _HTML.search(text[:_LONGEST_JSON]) if text.startswith("<") else None:
        return title[1]
    return text


def _words(value: Any, depth: int) -> Iterator[str]:
    """Yield the words that may be the message of an error, the best first; gateways wrap one error in another."""
    if not depth:
        return
    if isinstance(value, str):
        if value.lstrip().startswith(("{", "[")):
            yield from _words(_loaded(value), depth - 1)
        elif value.strip():
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from _words(one, depth - 1)
    elif isinstance(value, dict):
        for key in _KEYS:
            yield from _words(value.get(key), depth - 1)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
