"""A small RESP2 client for the main port of CPA: AUTH, LPOP, SUBSCRIBE, PING and nothing else (contract D).

AUTH is the first command: each one before it counts as a failed login. Nothing is sent twice: a pop that is repeated
loses what it popped.
"""

from __future__ import annotations

import select
import socket
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext_noop as _

from usage.models import Instance
from usage.upstream.refusals import UpstreamError, forbidden, key_rejected
from usage.upstream.resp_frames import BrokenReply, Frames, Refusal, Reply, encode

CONNECT_SECONDS = 5.0
# A batch may be megabytes from a busy server.
ANSWER_SECONDS = 60.0
_CHUNK = 1 << 18

State = Instance.State


class NoSuchWay(UpstreamError):
    """This server, or what stands before it, does not give records this way."""

    def __init__(self, reason: str, params: dict[str, str] | None = None) -> None:
        super().__init__(State.UNSUPPORTED, reason, params)


class RespConnection:
    """One authenticated connection; a context manager. Methods raise UpstreamError."""

    def __init__(self, instance: Instance) -> None:
        self._frames = Frames()
        self._socket = _connect(instance)
        try:
            self._expect_ok(self.ask("AUTH", instance.management_key)[0])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RespConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    @property
    def rest(self) -> bytes:
        """What arrived of a reply that broke off."""
        return self._frames.rest

    def pop(self, count: int) -> tuple[list[Reply], bytes]:
        """Take the oldest records, `count` at most; return the reply and its bytes."""
        reply, raw = self.ask("LPOP", "usage", str(count))
        if not isinstance(reply, list):
            raise self._unexpected(reply)
        return reply, raw

    def can_pop(self) -> bool:
        """Whether pops are understood; a count of 0 takes nothing."""
        reply, _raw = self.ask("LPOP", "usage", "0")
        return isinstance(reply, Refusal) and "out of range" in reply

    def subscribe(self) -> list[tuple[Reply, bytes]]:
        """Subscribe to `usage`; return what came with the answer, for the first records may follow at once."""
        self.send("SUBSCRIBE", "usage")
        replies = self._wait_for_reply()
        reply, _raw = replies[0]
        if isinstance(reply, Refusal) and "unknown command" in reply:
            raise NoSuchWay(_("this version of CPA has no subscription"))
        if not (isinstance(reply, list) and reply[:1] == [b"subscribe"]):
            raise self._unexpected(reply)
        return replies[1:]

    def send(self, *words: str) -> None:
        try:
            self._socket.sendall(encode(*words))
        except OSError as error:
            raise _broken(error) from None

    def ask(self, *words: str) -> tuple[Reply, bytes]:
        self.send(*words)
        replies = self._wait_for_reply()
        if len(replies) > 1:
            raise self._unexpected(replies[1][0])
        return replies[0]

    def receive(self, seconds: float) -> list[tuple[Reply, bytes]]:
        """Return the whole replies that arrive within `seconds`, as soon as there is one; an empty list when none does.

        Raises UpstreamError when the server closes, `was_sent` saying that it may have sent what never arrived.
        """
        return self._read() if self._is_ready(seconds) else []

    def _wait_for_reply(self) -> list[tuple[Reply, bytes]]:
        while self._is_ready(ANSWER_SECONDS):
            if replies := self._read():
                return replies
        raise UpstreamError(State.UNREACHABLE, _("no answer in time; is the server overloaded?"), was_sent=True)

    def _is_ready(self, seconds: float) -> bool:
        """Whether there is something to read; TLS may hold what the socket no longer shows."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(seconds * 1_000))

    def _read(self) -> list[tuple[Reply, bytes]]:
        """What is damaged is told by the next call, when the whole replies before it are safe."""
        try:
            data = self._socket.recv(_CHUNK)
        except ssl.SSLWantReadError:
            return []
        except OSError as error:
            raise _broken(error) from None
        if not data:
            raise UpstreamError(State.UNREACHABLE, _("the server closed the connection"), was_sent=True)
        replies: list[tuple[Reply, bytes]] = []
        try:
            for reply in self._frames.feed(data):
                replies.append(reply)
        except BrokenReply:
            if not replies:
                raise _not_resp(self._frames.rest) from None
        return replies

    def _expect_ok(self, reply: Reply) -> None:
        if reply != "OK":
            raise self._unexpected(reply)

    def _unexpected(self, reply: Reply) -> UpstreamError:
        if not isinstance(reply, Refusal):
            return UpstreamError(State.FAULTY, _("the server answered in RESP what CPA does not answer"))
        if "management key" in reply and "not set" not in reply:
            return key_rejected()
        if "disabled" in reply and "remote management" not in reply:
            return NoSuchWay(_("this version of CPA refuses RESP"))
        return forbidden(reply) or UpstreamError(
            State.FAULTY, _("CPA refused the command: %(words)s"), {"words": reply[:200]}
        )


def _connect(instance: Instance) -> socket.socket:
    address = urlsplit(instance.base_url)
    if address.path.strip("/"):
        raise NoSuchWay(_("the URL has a path, so a proxy stands before CPA, and proxies do not carry RESP"))
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        plain = socket.create_connection((address.hostname or "", port), CONNECT_SECONDS)
    except OSError as error:
        raise UpstreamError(
            State.UNREACHABLE,
            _("no connection (%(reason)s); is CPA running, and the URL right?"),
            {"reason": str(error)},
        ) from None
    plain.settimeout(ANSWER_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _over_tls(plain, instance, address.hostname or "") if address.scheme == "https" else plain


@lru_cache(maxsize=2)
def _tls_context(verify: bool) -> ssl.SSLContext:
    """Not the one of HTTP, which offers h2 or http/1.1: who does that is taken for HTTP."""
    return httpx.create_ssl_context(verify=verify)


def _over_tls(plain: socket.socket, instance: Instance, host: str) -> socket.socket:
    try:
        return _tls_context(instance.verify_tls).wrap_socket(plain, server_hostname=host)
    except OSError as error:
        plain.close()
        raise _broken(error) from None


def _not_resp(data: bytes) -> UpstreamError:
    if data.startswith(b"HTTP/"):
        return NoSuchWay(_("a proxy that speaks only HTTP stands before CPA"))
    return UpstreamError(State.FAULTY, _("the server answered in RESP what CPA does not answer"), was_sent=True)


def _broken(error: OSError) -> UpstreamError:
    return UpstreamError(
        State.UNREACHABLE,
        _("the connection broke (%(reason)s)"),
        {"reason": str(error) or type(error).__name__},
        was_sent=True,
    )
