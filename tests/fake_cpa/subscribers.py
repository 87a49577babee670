"""One channel's subscribers: who listens, what each still has to get, and who is dropped (contract D)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Condition

from tests.fake_cpa.bookkeeping import Bookkeeping

# Messages that wait for one subscriber; one more and it is dropped.
BUFFERED_MESSAGES = 256

# The threads of the fake share one interpreter, those of the server do not: before a subscriber is dropped its writer
# gets this long to show that only the interpreter was busy, not the socket.
_GRACE_SECONDS = 0.1


@dataclass(slots=True, eq=False)
class Message:
    """`waiting` counts the subscribers that have neither got nor missed it."""

    payload: bytes
    is_record: bool
    waiting: int = 0
    written: bool = False


@dataclass(slots=True, eq=False)
class Command:
    """What a subscriber sends: its words, or the `error` that ends the connection."""

    words: list[str]
    error: str = ""


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscriber. A test may read `got` (records written to its socket), `missed` and `dropped`."""

    got: int = 0
    missed: list[bytes] = field(default_factory=list)
    dropped: bool = False
    buffered: deque[Message] = field(default_factory=deque)
    # Taken out to be written in one go, the first not counted: Go's server takes them out one by one.
    in_hand: int = 0
    commands: deque[Command] = field(default_factory=deque)
    # No message comes any more, what is buffered is still sent.
    closed: bool = False
    # The connection is gone, nothing can be sent.
    gone: bool = False


class Hub:
    """`greeting` is the first message of every subscription; `keep` bounds the list that tests read."""

    def __init__(self, books: Bookkeeping, greeting: bytes | None, keep: int | None) -> None:
        self.subscriptions: deque[Subscription] = deque(maxlen=keep)
        self._books = books
        self._greeting = greeting
        self._listening: list[Subscription] = []
        self._leaving: list[Subscription] = []
        self._stalled = False
        self._changed = Condition()

    def __len__(self) -> int:
        """How many subscribers get new messages now."""
        return len(self._listening)

    def subscribe(self) -> Subscription:
        subscription = Subscription()
        if self._greeting is not None:
            subscription.buffered.append(Message(self._greeting, is_record=False, waiting=1))
        with self._changed:
            self._listening.append(subscription)
            self.subscriptions.append(subscription)
        return subscription

    def publish(self, payload: bytes, *, is_record: bool) -> bool:
        """Give it to every subscriber; False if there is none. Who has no room for it is dropped and misses it."""
        with self._changed:
            if not self._stalled:
                self._changed.wait_for(self._all_have_room, _GRACE_SECONDS)
            if not self._listening:
                return False
            message = Message(payload, is_record, waiting=len(self._listening))
            if is_record:
                self._books.note_handed_out([payload])
            for subscription in self._listening[:]:
                self._offer(subscription, message)
            self._changed.notify_all()
        return True

    def receive(self, subscription: Subscription, command: Command) -> None:
        """Take what the subscriber sent; it is answered before the messages that still wait."""
        with self._changed:
            subscription.commands.append(command)
            self._changed.notify_all()

    def next(self, subscription: Subscription, most: int) -> list[Message] | Command | None:
        """Wait for what is to be answered next or for messages to send, at most so many; None ends the connection."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_something(subscription))
            if subscription.gone:
                return None
            if subscription.commands:
                return subscription.commands.popleft()
            messages = [subscription.buffered.popleft() for _ in range(min(most, len(subscription.buffered)))]
            subscription.in_hand = max(0, len(messages) - 1)
            return messages or None

    def settle(self, subscription: Subscription, messages: list[Message], written: int) -> None:
        """Book the messages of `next`: the subscriber's socket took the first so many whole, the others are missed."""
        with self._changed:
            subscription.in_hand = 0
            self._changed.notify_all()
            for position, message in enumerate(messages):
                self._settle(subscription, message, position < written)

    def leave(self, subscription: Subscription) -> None:
        """The connection is gone; what is still buffered is missed."""
        with self._changed:
            self._part(subscription)
            if subscription in self._leaving:
                self._leaving.remove(subscription)
            self._forsake(subscription)
            self._changed.notify_all()

    def close(self) -> None:
        """End every subscription; what is buffered is still sent."""
        with self._changed:
            for subscription in self._listening[:]:
                self._part(subscription)
            self._changed.notify_all()

    def abort(self) -> None:
        """End every subscription as a killed server does."""
        with self._changed:
            for subscription in self._listening + self._leaving:
                self._forsake(subscription)
            self._listening.clear()
            self._leaving.clear()
            self._changed.notify_all()

    def stall(self) -> None:
        """Send nothing more, not even answers to commands, and keep every connection open."""
        with self._changed:
            self._stalled = True

    def resume(self) -> None:
        with self._changed:
            self._stalled = False
            self._changed.notify_all()

    def _all_have_room(self) -> bool:
        return all(map(_has_room, self._listening))

    def _has_something(self, subscription: Subscription) -> bool:
        if subscription.gone:
            return True
        if self._stalled:
            return False
        return bool(subscription.commands or subscription.buffered or subscription.closed)

    def _offer(self, subscription: Subscription, message: Message) -> None:
        if _has_room(subscription):
            subscription.buffered.append(message)
            return
        subscription.dropped = True
        self._part(subscription)
        self._settle(subscription, message, False)

    def _part(self, subscription: Subscription) -> None:
        """No new message for this one."""
        subscription.closed = True
        if subscription in self._listening:
            self._listening.remove(subscription)
            self._leaving.append(subscription)

    def _forsake(self, subscription: Subscription) -> None:
        subscription.closed = subscription.gone = True
        while subscription.buffered:
            self._settle(subscription, subscription.buffered.popleft(), False)

    def _settle(self, subscription: Subscription, message: Message, written: bool) -> None:
        message.waiting -= 1
        if not message.is_record:
            return
        if written:
            subscription.got += 1
            if not message.written:
                self._books.note_written([message.payload])
            message.written = True
        else:
            subscription.missed.append(message.payload)
        if not message.waiting and not message.written:
            self._books.note_undelivered([message.payload])


def _has_room(subscription: Subscription) -> bool:
    return len(subscription.buffered) + subscription.in_hand < BUFFERED_MESSAGES
