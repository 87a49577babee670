"""One client connection: the first byte says which protocol it speaks; here is the HTTP one."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from urllib.parse import parse_qsl, urlsplit

from tests.fake_cpa.faults import Broken
from tests.fake_cpa.front import Front
from tests.fake_cpa.messages import Request, Response

# RESP arrays and replies start with one of these; everything else goes to HTTP (contract D).
RESP_FIRST_BYTES = frozenset((b"*", b"$", b"+", b"-", b":"))

# net/http sends a body of up to this size with its length, a longer one in chunks.
_LARGEST_WITH_LENGTH = 2048


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, front: Front, request: socket.socket, address: tuple[str, int], server: BaseServer) -> None:
        self._front = front
        super().__init__(request, address, server)

    def handle(self) -> None:
        first = self.rfile.peek(1)[:1]  # type: ignore[attr-defined]
        if first not in RESP_FIRST_BYTES:
            super().handle()

    def do_GET(self) -> None:
        try:
            self._send(self._front.answer(self._read_request(), self.path))
        except Broken as broken:
            self._front.instance.note_undelivered(broken.records)
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _read_request(self) -> Request:
        target = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        return Request(
            method=self.command,
            path=target.path,
            # Go's Query().Get takes the first of several values.
            query=dict(reversed(parse_qsl(target.query, keep_blank_values=True))),
            headers=self.headers,
            body=self.rfile.read(length),
            socket_address=self.client_address[0],
        )

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        self.send_header("Date", self.date_time_string())
        try:
            self._send_body(response)
        except OSError:
            raise Broken(response.popped) from None  # the client left in the middle

    def _send_body(self, response: Response) -> None:
        if response.announced_length is not None:
            self._send_plain(response.read_pieces(), response.announced_length)
        elif isinstance(response.body, bytes) and len(response.body) <= _LARGEST_WITH_LENGTH:
            self._send_plain([response.body], len(response.body))
        else:
            self._send_chunks(response.read_pieces())

    def _send_plain(self, pieces: Iterable[bytes], length: int) -> None:
        self.send_header("Content-Length", str(length))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def _send_chunks(self, pieces: Iterable[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in filter(None, pieces):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the front keeps the log that tests read."""
