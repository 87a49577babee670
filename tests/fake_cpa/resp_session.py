"""One RESP connection: its commands, and the subscription it may turn into (contract D)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from threading import Thread
from typing import BinaryIO

from tests.fake_cpa import resp_wire as wire
from tests.fake_cpa.faults import Broken
from tests.fake_cpa.front import Front
from tests.fake_cpa.go_numbers import atoi
from tests.fake_cpa.instance import USAGE
from tests.fake_cpa.messages import Response
from tests.fake_cpa.resp_wire import ProtocolError
from tests.fake_cpa.subscribers import Command, Hub, Message, Subscription

# Messages written in one go; the bytes are the same.
_BATCH = 64

_BANNED = "IP banned due to too many failed attempts"


class RespSession:
    """`write` sends bytes and returns how many the kernel took before the connection broke.

    `address` is the socket's, no proxy can change it.
    """

    def __init__(self, front: Front, stream: BinaryIO, write: Callable[[bytes], int], address: str) -> None:
        self._front = front
        self._instance = front.instance
        self._stream = stream
        self._write = write
        self._address = address
        self._authenticated = False
        self._channel = ""
        self._subscribed: tuple[Hub, Subscription] | None = None
        self._handlers: dict[str, Callable[[list[str]], Response]] = {"LPOP": self._pop, "RPOP": self._pop}
        if self._instance.profile.does("subscribe"):
            self._handlers["SUBSCRIBE"] = self._subscribe

    def run(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._write(refusal)
            return
        try:
            self._serve()
        except ProtocolError as error:
            self._write(wire.error(f"ERR {error}"))
        except Broken as broken:
            self._instance.books.note_undelivered(broken.records)
        finally:
            if self._subscribed:
                hub, subscription = self._subscribed
                hub.leave(subscription)

    def _refusal(self) -> bytes | None:
        """What the server says instead of serving; empty if it closes without a word."""
        profile = self._instance.profile
        if profile.does("resp is refused"):
            return wire.error("ERR RESP AUTH disabled; use mTLS")
        if self._instance.home_mode:
            told = profile.does("home mode is told")
            return wire.error("ERR redis usage output disabled in home mode") if told else b""
        return None

    def _serve(self) -> None:
        while self._instance.management_available:
            words = wire.read_command(self._stream)
            if words is None:
                return
            self._send(self._meet(words))
            if self._subscribed:
                self._stream_messages(*self._subscribed)
                return

    def _meet(self, words: list[str]) -> Response:
        """The answer to a command, unless a fault comes between. The log and the faults never see a key."""
        name = words[0].strip().upper() if words else ""
        self._front.resp_commands.append(name)
        target = " ".join(["RESP", name, *words[1:]] if name != "AUTH" else ["RESP", name])
        return self._front.meet(target, lambda: self._answer(name, words))

    def _answer(self, name: str, words: list[str]) -> Response:
        if not words:
            return _error("ERR empty command")
        if name == "AUTH":
            return self._authenticate(words)
        if not self._authenticated:
            return self._not_authenticated()
        handler = self._handlers.get(name)
        return handler(words) if handler else _error(f"ERR unknown command '{name.lower()}'")

    def _not_authenticated(self) -> Response:
        """Every such command is a failed attempt."""
        refusal = self._instance.gate.check(self._address, "")
        banned = refusal is not None and refusal.text.startswith(_BANNED)
        return _error(f"ERR {refusal.text}" if refusal and banned else "NOAUTH Authentication required.")

    def _authenticate(self, words: list[str]) -> Response:
        counted = len(words) in (2, 3)
        refusal = self._instance.gate.check(self._address, words[-1] if counted else "")
        if not counted and not (refusal and refusal.text.startswith(_BANNED)):
            return _error("ERR wrong number of arguments for 'auth' command")
        if refusal:
            return _error(f"ERR {refusal.text}")
        self._authenticated = True
        return Response(200, wire.simple("OK"))

    def _pop(self, words: list[str]) -> Response:
        if len(words) not in (2, 3):
            return _error(f"ERR wrong number of arguments for '{words[0].strip().lower()}' command")
        count = atoi(words[2].strip()) if len(words) == 3 else 1
        if count is None or count <= 0:
            return _error("ERR value is not an integer or out of range")
        key = words[1].strip()
        if key.lower() != USAGE and self._instance.profile.does("pop checks the key"):
            return _error(f"ERR unsupported channel '{key}'")
        records = self._instance.pop(count)
        if len(words) == 3:
            return Response(200, wire.array_of_bulks(records), popped=records)
        return Response(200, wire.bulk(records[0]) if records else wire.NIL, popped=records)

    def _subscribe(self, words: list[str]) -> Response:
        if len(words) != 2:
            return _error("ERR wrong number of arguments for 'subscribe' command")
        channel = words[1].strip()
        hub = self._instance.hubs.get(channel.lower())
        if hub is None:
            return _error(f"ERR unsupported channel '{channel}'")
        self._channel = channel if self._instance.profile.does("channel is echoed as sent") else USAGE
        self._subscribed = hub, hub.subscribe()
        return Response(200, wire.confirmation("subscribe", self._channel, 1))

    def _send(self, response: Response) -> None:
        for piece in response.read_pieces():
            if self._write(piece) < len(piece):
                raise Broken(response.popped)  # the client left in the middle
        self._instance.books.note_written(response.popped)

    def _stream_messages(self, hub: Hub, subscription: Subscription) -> None:
        """Write messages and answers in turn; another thread reads what the subscriber sends."""
        Thread(target=self._read_commands, args=(hub, subscription), name="fake-cpa-resp", daemon=True).start()
        while (item := hub.next(subscription, 1 if self._front.expects_fault else _BATCH)) is not None:
            if isinstance(item, Command):
                if not self._answer_subscriber(item):
                    return
            elif self._front.expects_fault:
                self._send_spoilt(hub, subscription, item)
            else:
                self._send_messages(hub, subscription, item)

    def _send_messages(self, hub: Hub, subscription: Subscription, messages: list[Message]) -> None:
        encoded = [wire.message(self._channel, message.payload) for message in messages]
        taken = self._write(b"".join(encoded))
        whole = sum(end <= taken for end in accumulate(map(len, encoded)))
        hub.settle(subscription, messages, whole)
        if whole < len(messages):
            raise Broken([])

    def _send_spoilt(self, hub: Hub, subscription: Subscription, messages: list[Message]) -> None:
        """The same one by one: a fault is meant for one of them."""
        written = 0
        try:
            for message in messages:
                target = "RESP message" if message.is_record else "RESP control"
                self._send(self._front.meet(target, partial(self._as_response, message)))
                written += 1
        finally:
            hub.settle(subscription, messages, written)

    def _as_response(self, message: Message) -> Response:
        return Response(200, wire.message(self._channel, message.payload))

    def _answer_subscriber(self, command: Command) -> bool:
        """Answer what was sent inside the subscription; False ends it."""
        if command.error:
            raise ProtocolError(command.error)
        name = command.words[0].strip().upper() if command.words else ""
        self._front.resp_commands.append(name)
        self._send(self._front.meet(f"RESP {name}", lambda: self._subscriber_answer(name, command.words)))
        return name not in ("UNSUBSCRIBE", "QUIT")

    def _subscriber_answer(self, name: str, words: list[str]) -> Response:
        if not words:
            return _error("ERR empty command")
        if name == "PING":
            return Response(200, wire.pong(words[1] if len(words) > 1 else None))
        if name == "UNSUBSCRIBE":
            return Response(200, wire.confirmation("unsubscribe", self._channel, 0))
        if name == "QUIT":
            return Response(200, wire.simple("OK"))
        return _error(f"ERR unknown command '{name.lower()}'")

    def _read_commands(self, hub: Hub, subscription: Subscription) -> None:
        try:
            while (words := wire.read_command(self._stream)) is not None:
                hub.receive(subscription, Command(words))
            hub.leave(subscription)
        except ProtocolError as error:
            hub.receive(subscription, Command([], str(error)))
        except (OSError, ValueError):
            hub.leave(subscription)  # the connection broke, or the writer has closed it


def _error(text: str) -> Response:
    return Response(200, wire.error(text))
