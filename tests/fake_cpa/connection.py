"""One client connection: the first byte says which protocol it speaks; here is the HTTP one."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from urllib.parse import parse_qsl, urlsplit

from tests.fake_cpa.faults import Broken
from tests.fake_cpa.front import Front
from tests.fake_cpa.messages import Request, Response
from tests.fake_cpa.resp_session import RespSession
from tests.fake_cpa.tls_stream import TLSStream

# RESP arrays and replies start with one of these; everything else goes to HTTP (contract D).
RESP_FIRST_BYTES = frozenset((b"*", b"$", b"+", b"-", b":"))

# The server drops a connection that says nothing for so long.
SILENCE_SECONDS = 10

# net/http sends a body of up to this size with its length, a longer one in chunks.
_LARGEST_WITH_LENGTH = 2048


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, front: Front, request: socket.socket, address: tuple[str, int], server: BaseServer) -> None:
        self._front = front
        super().__init__(request, address, server)

    def setup(self) -> None:
        super().setup()
        self._send_some = self.connection.send
        if isinstance(self.connection, ssl.SSLSocket):
            stream = TLSStream(self.connection)
            self.rfile, self._send_some = io.BufferedReader(stream), stream.send

    def handle(self) -> None:
        if self._speaks_resp():
            RespSession(self._front, self.rfile, self._write, self.client_address[0]).run()
            self._hang_up()
        else:
            super().handle()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What net/http says of bytes that are no request."""
        self.close_connection = True
        text = b"%d Bad Request" % code
        self.wfile.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%b" % (text, text)
        )

    def do_GET(self) -> None:
        try:
            response = self._front.answer(self._read_request(), self.path)
            self._send(response)
            self._front.instance.books.note_written(response.popped)
        except Broken as broken:
            self._front.instance.books.note_undelivered(broken.records)
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _speaks_resp(self) -> bool:
        """A client that settled on a protocol in the TLS handshake speaks HTTP, whatever it sends."""
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.selected_alpn_protocol():
            return False
        if not self._front.instance.profile.does("resp"):
            return False
        self.connection.settimeout(SILENCE_SECONDS)
        first = self.rfile.peek(1)[:1]  # type: ignore[attr-defined]
        self.connection.settimeout(None)
        return first in RESP_FIRST_BYTES

    def _write(self, content: bytes) -> int:
        """Send it all; return how many bytes the kernel took before the client left."""
        left = memoryview(content)
        try:
            while left:
                left = left[self._send_some(left) :]
        except OSError:
            pass
        return len(content) - len(left)

    def _hang_up(self) -> None:
        """Wake the thread that still reads from this connection."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was faster

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
        self.send_header("Date", self.date_time_string(self._front.instance.clock.now()))
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
