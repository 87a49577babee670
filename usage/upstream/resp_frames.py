"""RESP2 on the wire: cuts a stream of bytes into whole replies (contract D; the RESP2 specification)."""

from __future__ import annotations

from collections.abc import Iterator

# Every reply of CPA is flat; deeper ones come from something else.
_MAX_DEPTH = 4
_MAX_LENGTH = 1 << 30


class BrokenReply(ValueError):
    """These bytes are no RESP2."""


class Status(str):
    """A simple string, such as OK."""


class Refusal(str):
    """An error that the server answered, such as `ERR unknown command 'ping'`."""


Reply = Status | Refusal | bytes | int | None | list["Reply"]


def encode(*words: str) -> bytes:
    """Return a command as the array of bulk strings that servers take."""
    bulks = (word.encode() for word in words)
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(bulk), bulk) for bulk in bulks)


def parse(data: bytes | bytearray, at: int = 0, depth: int = 0) -> tuple[Reply, int] | None:
    """Return the reply that begins at `at` and where it ends; None while it is not whole. Raises BrokenReply."""
    end = data.find(b"\r\n", at)
    if end < 0:
        if len(data) - at > 65_536:
            raise BrokenReply("a line without an end")
        return None
    kind, line, after = data[at : at + 1], bytes(data[at + 1 : end]), end + 2
    if kind == b"$":
        return _bulk(data, _length(line), after)
    if kind == b"*":
        return _array(data, _length(line), after, depth)
    if kind == b":":
        return _number(line), after
    if kind in (b"+", b"-"):
        text = line.decode("utf-8", "replace")
        return (Status(text) if kind == b"+" else Refusal(text)), after
    raise BrokenReply("a reply begins with none of + - : $ *")


def _bulk(data: bytes | bytearray, length: int, at: int) -> tuple[Reply, int] | None:
    if length < 0:
        return None, at
    end = at + length
    if len(data) < end + 2:
        return None
    if data[end : end + 2] != b"\r\n":
        raise BrokenReply("a bulk string of another length than it says")
    return bytes(data[at:end]), end + 2


def _array(data: bytes | bytearray, length: int, at: int, depth: int) -> tuple[Reply, int] | None:
    if length < 0:
        return None, at
    if depth >= _MAX_DEPTH:
        raise BrokenReply("arrays too deep in each other")
    items: list[Reply] = []
    for _ in range(length):
        found = parse(data, at, depth + 1)
        if found is None:
            return None
        item, at = found
        items.append(item)
    return items, at


def _length(line: bytes) -> int:
    number = _number(line)
    if not -1 <= number <= _MAX_LENGTH:
        raise BrokenReply("a length beyond all sense")
    return number


def _number(line: bytes) -> int:
    if len(line) > 20 or not line.removeprefix(b"-").isdigit():
        raise BrokenReply("a number that is none")
    return int(line)


class Frames:
    """Collects what arrives and gives it back reply by reply, each with its bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """The beginning of a reply that is not whole."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> Iterator[tuple[Reply, bytes]]:
        """Take `data`; yield each reply that is whole now. Raises BrokenReply."""
        self._buffer += data
        at = 0
        try:
            while at < len(self._buffer) and (found := parse(self._buffer, at)):
                reply, end = found
                yield reply, bytes(self._buffer[at:end])
                at = end
        finally:
            del self._buffer[:at]
