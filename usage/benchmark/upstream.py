"""Stands in place of a CPA server, as fast as it can: hands out the records that it was given (contract C and D).

It says nothing of how a real server behaves; it only keeps the collector busy.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

_SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n"
_NOT_FOUND, _BAD_COUNT = (404, b'{"error":"not found"}'), (400, b'{"error":"count must be a positive integer"}')
_VERSION = "7.2.140"
_AT_ONCE = 100


class Upstream:
    """Listens on a port of this machine from its making until `close`.

    `first_taken_at` is when it handed out its first record, in seconds of time.perf_counter.
    """

    def __init__(self, lists: dict[str, Any]) -> None:
        self.first_taken_at: float | None = None
        self._records: deque[bytes] = deque()
        self._has_more = threading.Condition()
        self._answers = {
            "/usage-statistics-enabled": {"usage-statistics-enabled": True},
            "/config": {"redis-usage-queue-retention-seconds": 3_600},
            **lists,
        }
        self._server = _Server(("127.0.0.1", 0), _Session)
        self._server.upstream = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __len__(self) -> int:
        """How many records it still holds."""
        return len(self._records)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def give(self, records: Iterable[bytes]) -> None:
        with self._has_more:
            self._records.extend(records)
            self._has_more.notify_all()

    def take(self, count: int, wait_seconds: float = 0.0) -> list[bytes]:
        """Take the oldest records, `count` at most."""
        with self._has_more:
            if not self._records and wait_seconds:
                self._has_more.wait(wait_seconds)
            taken = [self._records.popleft() for _ in range(min(count, len(self._records)))]
        if taken and self.first_taken_at is None:
            self.first_taken_at = time.perf_counter()
        return taken

    def answer(self, target: str) -> tuple[int, bytes]:
        """Return status and body for a GET of the management API."""
        url = urlsplit(target)
        path = url.path.removeprefix("/v0/management")
        if path == "/usage-queue":
            count = int(parse_qs(url.query)["count"][0])
            return (200, b"[" + b",".join(self.take(count)) + b"]") if count > 0 else _BAD_COUNT
        return (200, json.dumps(self._answers[path]).encode()) if path in self._answers else _NOT_FOUND

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    upstream: Upstream


class _Session(socketserver.StreamRequestHandler):
    """One connection; its first byte tells whether it speaks HTTP or RESP."""

    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            first = self.rfile.readline()
            if first.startswith(b"*"):
                self._speak_resp(first)
            else:
                self._speak_http(first)
        except ConnectionError:
            pass  # the collector left

    def _speak_http(self, request: bytes) -> None:
        while request:
            while self.rfile.readline().strip():
                pass  # headers
            status, body = self.server.upstream.answer(request.split()[1].decode())
            head = f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nX-CPA-VERSION: {_VERSION}\r\n"
            self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            request = self.rfile.readline()

    def _speak_resp(self, line: bytes) -> None:
        while line:
            words = [self._read_bulk() for _ in range(int(line[1:]))]
            if words[0] == b"SUBSCRIBE":
                self.wfile.write(_SUBSCRIBED + _message(b'{"support_refresh":true}'))
                return self._publish()
            self.wfile.write(b"+OK\r\n")
            line = self.rfile.readline()

    def _read_bulk(self) -> bytes:
        word = self.rfile.read(int(self.rfile.readline()[1:]))
        self.rfile.readline()
        return word

    def _publish(self) -> None:
        """Send records as they come. Who reads slowly is waited for, where a real server would drop him."""
        while True:
            self.wfile.write(b"".join(map(_message, self.server.upstream.take(_AT_ONCE, wait_seconds=0.1))))


def _message(payload: bytes) -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$%d\r\n%b\r\n" % (len(payload), payload)
