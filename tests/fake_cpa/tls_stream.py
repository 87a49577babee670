"""A TLS connection that one thread reads while another writes; OpenSSL lets only one in at a time."""

from __future__ import annotations

import io
import select
import ssl
from threading import Lock


class TLSStream(io.RawIOBase):
    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._lock = Lock()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._wait()
        with self._lock:
            return self._connection.recv_into(buffer)

    def send(self, content: memoryview) -> int:
        with self._lock:
            return self._connection.send(content)

    def _wait(self) -> None:
        """Wait for something to read without keeping the writer out."""
        with self._lock:
            if self._connection.pending():
                return
        ready, _, _ = select.select([self._connection], [], [], self._connection.gettimeout())
        if not ready:
            raise TimeoutError("nothing to read")
