"""Takes what RESP gave apart into the raw bytes of its elements (contract D)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from usage.ingest.elements import Elements
from usage.upstream.resp_frames import BrokenReply, Frames, Reply


def split_popped(data: bytes) -> Elements:
    """Return the records in a reply to LPOP with a count, an array of bulk strings."""
    return _split(data, lambda reply: reply if isinstance(reply, list) else [reply])


def split_messages(data: bytes) -> Elements:
    """Return the records in messages of a subscription, each `message`, the channel's name, the record."""
    return _split(data, lambda reply: reply[2:3] if isinstance(reply, list) else [reply])


def _split(data: bytes, elements_of: Callable[[Reply], list[Reply]]) -> Elements:
    found: list[bytes] = []
    frames = Frames()
    try:
        for reply, _raw in frames.feed(data):
            found += _records(elements_of(reply))
    except BrokenReply:
        return Elements(found, frames.rest, "the answer is damaged")
    return Elements(found, frames.rest, "the answer breaks off" if frames.rest else "")


def _records(elements: list[Reply]) -> Iterator[bytes]:
    for element in elements:
        if element is not None:
            yield element if isinstance(element, bytes) else str(element).encode()
