"""The listening socket and its threads."""

from __future__ import annotations

import select
import socket
import socketserver
import ssl
import sys
from functools import partial
from threading import Condition, Thread

from tests.fake_cpa.connection import Connection
from tests.fake_cpa.front import Front

_POLL_SECONDS = 0.02
_LAST_BREATH_SECONDS = 10


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], front: Front, tls: ssl.SSLContext | None, send_buffer: int | None
    ) -> None:
        self._front = front
        self._tls = tls
        if tls:
            # Go offers h2 too; the fake does not speak it.
            tls.set_alpn_protocols(["http/1.1"])
        self._open: set[socket.socket] = set()
        self._changed = Condition()
        super().__init__(address, partial(Connection, front))
        if send_buffer is not None:
            # Accepted connections inherit it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)

    def start(self) -> None:
        Thread(target=self.serve_forever, args=(_POLL_SECONDS,), name="fake-cpa", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and break every open connection, as a killed server does."""
        self._front.stopping.set()
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                _break(connection)
            # Dead is dead: what had been read of a request must not be judged by what a test sets up next.
            if not self._changed.wait_for(lambda: not self._open, _LAST_BREATH_SECONDS):
                raise TimeoutError(f"{len(self._open)} connections of the fake outlive it by {_LAST_BREATH_SECONDS} s")

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        if self._front.instance.profile.does("silent connections block the server"):
            while not self._front.stopping.is_set() and not select.select([request], [], [], _POLL_SECONDS)[0]:
                pass
        super().process_request(request, client_address)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        # The handshake is done here, in the connection's own thread, so that a silent client blocks nobody.
        with self._tls.wrap_socket(request, server_side=True) if self._tls else request as stream:
            with self._changed:
                if self._front.stopping.is_set():
                    return
                self._open.add(stream)
            try:
                super().finish_request(stream, client_address)
            finally:
                with self._changed:
                    self._open.discard(stream)
                    self._changed.notify()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may leave whenever they like; anything else is a mistake of ours and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _break(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # its client was faster
