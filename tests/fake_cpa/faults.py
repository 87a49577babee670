"""What can go wrong between the server and its caller, asked for by a test (contract K).

A fault is a function of `answer` and `stopping`. Faults that never call `answer` stand for a broken proxy in front:
the server does not see the request, nothing is popped. The others spoil what the server answered, after the pop.

Of RESP, the body is the reply or message. `path` meets it as `RESP LPOP usage 100`, `RESP AUTH` (without the key),
`RESP message` (a record that is pushed) or `RESP control` (another payload that is pushed).
"""

from __future__ import annotations

import gzip as gzip_codec
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Event, Lock

from tests.fake_cpa.garbage import element
from tests.fake_cpa.messages import Response, json_response

Answer = Callable[[], Response]
Fault = Callable[[Answer, Event], Response]


class Broken(Exception):
    """The connection ends here; `records` were popped for this answer."""

    def __init__(self, records: list[bytes]) -> None:
        super().__init__(f"the connection broke with {len(records)} records on it")
        self.records = records


def die_after_pop() -> Fault:
    def fault(answer: Answer, _: Event) -> Response:
        raise Broken(answer().popped)

    return fault


def cut_body(after: int) -> Fault:
    """Send so many bytes of the body, then close; the full length was announced."""

    def fault(answer: Answer, _: Event) -> Response:
        response = answer()
        body = response.read()
        return replace(response, body=_then_break(body[:after], response.popped), announced_length=len(body))

    return fault


def _then_break(body: bytes, records: list[bytes]) -> Iterator[bytes]:
    yield body
    raise Broken(records)


def slow_body(delay: float, piece: int = 1024) -> Fault:
    """Wait before every piece of the body."""

    def fault(answer: Answer, stopping: Event) -> Response:
        response = answer()
        return replace(response, body=_drip(response.read(), delay, piece, stopping))

    return fault


def _drip(body: bytes, delay: float, piece: int, stopping: Event) -> Iterator[bytes]:
    for start in range(0, len(body), piece):
        stopping.wait(delay)
        yield body[start : start + piece]


def hang(seconds: float = 3600, *, after_pop: bool = False) -> Fault:
    """Say nothing for so long (or until the server stops), then close."""

    def fault(answer: Answer, stopping: Event) -> Response:
        records = answer().popped if after_pop else []
        stopping.wait(seconds)
        raise Broken(records)

    return fault


def html_page(status: int, *, retry_after: int | str | None = None) -> Fault:
    """The error page of a proxy in front: 429, 502, 503..."""
    body = f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>nginx</body></html>".encode()
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _instead(Response(status, body, "text/html", headers))


def server_error(status: int = 500, body: bytes = b'{"error":"internal error"}') -> Fault:
    return _instead(json_response(body, status))


def redirect(location: str, status: int = 302) -> Fault:
    return _instead(Response(status, b"", "text/html", {"Location": location}))


def not_json(body: bytes = b"<!doctype html><title>Sign in</title>") -> Fault:
    """A login page with status 200."""
    return _instead(Response(200, body, "text/html"))


def _instead(response: Response) -> Fault:
    return lambda _answer, _stopping: response


def gzip() -> Fault:
    """A proxy compresses although nobody asked it to."""

    def fault(answer: Answer, _: Event) -> Response:
        response = answer()
        headers = {**response.headers, "Content-Encoding": "gzip"}
        return replace(response, body=gzip_codec.compress(response.read()), headers=headers)

    return fault


def garbage(*kinds: str) -> Fault:
    """Put elements of `garbage.ELEMENTS` at the head of the queue's array."""
    elements = [element(kind) for kind in kinds]

    def fault(answer: Answer, _: Event) -> Response:
        response = answer()
        records = response.read()[1:-1]
        body = b",".join(elements + [records] * bool(records))
        return replace(response, body=b"[" + body + b"]")

    return fault


def wrong_length(by: int) -> Fault:
    """Announce a Content-Length that is off by so many bytes, send the whole body, close."""

    def fault(answer: Answer, _: Event) -> Response:
        response = answer()
        body = response.read()
        return replace(response, body=_then_break(body, response.popped), announced_length=len(body) + by)

    return fault


def hang_up(after: float) -> Fault:
    """Answer well, and end the connection so many seconds later: a proxy without patience."""

    def fault(answer: Answer, stopping: Event) -> Response:
        response = answer()
        body = response.read()
        return replace(response, body=_wait_and_break(body, after, stopping), announced_length=len(body))

    return fault


def _wait_and_break(body: bytes, seconds: float, stopping: Event) -> Iterator[bytes]:
    yield body
    stopping.wait(seconds)
    raise Broken([])


@dataclass(slots=True)
class _Planned:
    fault: Fault
    path: str
    times: int


class Faults:
    """The faults that still have to happen, first planned first met."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._lock = Lock()

    def next(self, fault: Fault, *, path: str = "", times: int = 1) -> None:
        """Let the next `times` requests whose path and query, or RESP words, contain `path` meet this fault."""
        with self._lock:
            self._planned.append(_Planned(fault, path, times))

    @property
    def pending(self) -> int:
        """How many planned faults no request has met yet."""
        if not self._planned:
            return 0
        with self._lock:
            return sum(planned.times for planned in self._planned)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, target: str) -> Fault | None:
        with self._lock:
            for planned in self._planned:
                if planned.path in target:
                    planned.times -= 1
                    if not planned.times:
                        self._planned.remove(planned)
                    return planned.fault
        return None
