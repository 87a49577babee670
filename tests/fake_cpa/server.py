"""The listening socket, its threads, and the front where faults and the request log sit."""

from __future__ import annotations

import socket
import socketserver
import ssl
import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread

from tests.fake_cpa.connection import Connection
from tests.fake_cpa.faults import Faults
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.management import Management
from tests.fake_cpa.messages import Request, Response

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of the log; `status` 0 means that no answer was given."""

    method: str
    path: str
    status: int
    key_right: bool


class Front:
    """Between the sockets and the management API."""

    def __init__(self, instance: Instance, faults: Faults, log: deque[Seen]) -> None:
        self.instance = instance
        self.stopping = Event()
        self._faults = faults
        self._log = log
        self._management = Management(instance)

    def answer(self, request: Request, target: str) -> Response:
        fault = self._faults.take(target)
        status = 0
        try:
            ask = partial(self._management.answer, request)
            response = fault(ask, self.stopping) if fault else ask()
            status = response.status
        finally:
            key_right = request.provided_key == self.instance.management_key
            self._log.append(Seen(request.method, target, status, key_right))
        return response


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], front: Front, tls: ssl.SSLContext | None) -> None:
        self.front = front
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(address, Connection)

    def start(self) -> None:
        Thread(target=self.serve_forever, args=(_POLL_SECONDS,), name="fake-cpa", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and break every open connection, as a killed server does."""
        self.front.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                _break(connection)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        # The handshake is done here, in the connection's own thread, so that a silent client blocks nobody.
        with self._tls.wrap_socket(request, server_side=True) if self._tls else request as stream:
            with self._lock:
                self._open.add(stream)
            try:
                super().finish_request(stream, client_address)
            finally:
                with self._lock:
                    self._open.discard(stream)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may leave whenever they like; anything else is a mistake of ours and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _break(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # its client was faster
