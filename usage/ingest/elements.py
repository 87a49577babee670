"""Takes an answer of the usage queue apart into the raw bytes of its elements (contract C)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import msgspec

_elements = msgspec.json.Decoder(list[msgspec.Raw])
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements that were whole, and the rest that was not, with the reason."""

    raw: list[bytes]
    rest: bytes = b""
    reason: str = ""


def split_elements(body: bytes) -> Elements:
    """Return the elements of a JSON array; of a damaged or cut one, those before the damage."""
    try:
        return Elements([bytes(element) for element in _elements.decode(body)])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _salvage(body)


def count_elements(body: bytes) -> int:
    """Return how many whole elements `split_elements` would find, without taking them out of a body that is whole."""
    try:
        return len(_elements.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(_salvage(body).raw)


def _salvage(body: bytes) -> Elements:
    """Walk from element to element as far as it goes.

    The standard decoder also reads past NaN, which is no JSON: only that element is damaged then, not the rest.
    """
    text = body.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    found: list[bytes] = []
    at = _skip(text, 0)
    if not text.startswith("[", at):
        return Elements([], body, "not a JSON array")
    at = _skip(text, at + 1)
    while not text.startswith("]", at):
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return Elements(found, _bytes(text[at:]), "the answer breaks off or is damaged")
        found.append(_bytes(text[at:end]))
        at = _skip(text, end)
        if text.startswith(",", at):
            at = _skip(text, at + 1)
        elif not text.startswith("]", at):
            return Elements(found, _bytes(text[at:]), "the answer breaks off")
    return Elements(found)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
