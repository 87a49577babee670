"""`FakeCPA`: a CPA server of any release on a real port."""

from __future__ import annotations

import ssl
from collections import deque
from types import TracebackType
from typing import Any, Self

from tests.fake_cpa.faults import Faults
from tests.fake_cpa.front import Front, Seen
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.server import Server


class FakeCPA(Instance):
    """An `Instance` (its other arguments are passed on) that listens while it is entered as a context.

    `send_buffer` is what the kernel may keep of unread answers, in bytes: a small one makes slow clients felt soon.
    """

    def __init__(
        self,
        profile: str = "7.2.140",
        management_key: str = "mgmt-FAKE-0001",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        send_buffer: int | None = None,
        keep: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(profile, management_key, keep=keep, **settings)
        self.faults = Faults()
        self.host = host
        self.port = port
        self._tls = tls
        self._send_buffer = send_buffer
        self._seen: deque[Seen] = deque(maxlen=keep)
        self._resp_commands: deque[str] = deque(maxlen=keep)
        self._server: Server | None = None

    @property
    def requests(self) -> list[Seen]:
        """Every HTTP request so far."""
        return list(self._seen)

    @property
    def resp_commands(self) -> list[str]:
        """The name of every RESP command so far, in upper case."""
        return list(self._resp_commands)

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def start(self) -> None:
        front = Front(self, self.faults, self._seen, self._resp_commands)
        self._server = Server((self.host, self.port), front, self._tls, self._send_buffer)
        self.port = self._server.server_address[1]
        self._server.start()

    def stop(self) -> None:
        if self._server:
            self._server.stop()
            self._server = None
            for hub in self.hubs.values():
                hub.abort()

    def restart(self) -> None:
        """Die and come back on the same port with an empty memory."""
        self.stop()
        self.forget_run()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
