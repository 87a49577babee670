"""RESP2 as the server reads and writes it (contract D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from tests.fake_cpa.go_numbers import atoi

END = b"\r\n"
NIL = b"$-1\r\n"


class ProtocolError(Exception):
    """The client sent something that is no command; its text is what the server answers."""


class _Closed(Exception):
    """The client left between two values."""


def read_command(stream: BinaryIO) -> list[str] | None:
    """Read one array of strings; None when the client has left.

    Raises ProtocolError on anything else, also on an inline command.
    """
    try:
        return _read_array(stream)
    except _Closed:
        return None


def _read_array(stream: BinaryIO) -> list[str]:
    if _read_byte(stream) != b"*":
        raise ProtocolError("protocol error")
    count = atoi(_read_line(stream))
    if count is None or count < 0:
        raise ProtocolError("protocol error")
    return [_read_string(stream) for _ in range(count)]


def _read_string(stream: BinaryIO) -> str:
    kind = _read_byte(stream)
    if kind == b"$":
        return _read_bulk(stream)
    if kind in (b"+", b":"):
        return _read_line(stream)
    raise ProtocolError("protocol error")


def _read_bulk(stream: BinaryIO) -> str:
    length = atoi(_read_line(stream))
    if length is None:
        raise ProtocolError("protocol error")
    if length < 0:
        return ""
    content = stream.read(length + 2)
    if not content:
        raise _Closed
    if len(content) < length + 2:
        raise ProtocolError("unexpected EOF")
    if not content.endswith(END):
        raise ProtocolError("protocol error")
    return _text(content[:-2])


def _read_byte(stream: BinaryIO) -> bytes:
    byte = stream.read(1)
    if not byte:
        raise _Closed
    return byte


def _read_line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise _Closed
    return _text(line[:-1].removesuffix(b"\r"))


def _text(content: bytes) -> str:
    """Go's strings are bytes; what is no UTF-8 must come back as it was."""
    return content.decode(errors="surrogateescape")


def simple(text: str) -> bytes:
    return b"+" + _bytes(text) + END


def error(text: str) -> bytes:
    return b"-" + _bytes(text) + END


def bulk(content: bytes | str) -> bytes:
    content = _bytes(content) if isinstance(content, str) else content
    return b"$%d\r\n%b\r\n" % (len(content), content)


def array_of_bulks(items: Sequence[bytes]) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(map(bulk, items))


def confirmation(kind: str, channel: str, subscriptions: int) -> bytes:
    """What answers SUBSCRIBE and UNSUBSCRIBE."""
    return b"*3\r\n" + bulk(kind) + bulk(channel) + b":%d\r\n" % subscriptions


def message(channel: str, payload: bytes) -> bytes:
    return b"*3\r\n" + bulk("message") + bulk(channel) + bulk(payload)


def pong(payload: str | None) -> bytes:
    return b"*2\r\n" + bulk("pong") + (NIL if payload is None else bulk(payload))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
