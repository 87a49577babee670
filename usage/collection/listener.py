"""Holds the subscription of one server: what is published is on disk a moment later (contract D).

The server drops who reads too slowly, so this thread does nothing but read and write.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from django.utils.translation import gettext_noop as _

from usage.collection.site import Site
from usage.ingest.spool import Kind, has_room
from usage.models import Instance
from usage.upstream.refusals import UpstreamError
from usage.upstream.resp import RespConnection
from usage.upstream.resp_frames import Reply

logger = logging.getLogger(__name__)

# Messages of this time come into one capture: each costs the disk two flushes.
_GATHER_SECONDS = 0.02
_GATHER_BYTES = 1 << 20
# On a slow disk, or a busy machine.
_LONGEST_CAPTURE_SECONDS = 2.0
_PING_SECONDS = 30.0
_PONG_SECONDS = 10.0
_GOODBYE_SECONDS = 2.0
_TICK_SECONDS = 0.5
_LONGEST_CONTROL = 200

_Replies = list[tuple[Reply, bytes]]


class Listener:
    """One subscription, from `start` until it breaks or `stop`.

    All that the server said until `heard_at` (seconds since 1970 UTC) is on disk, and `arrived` records were in it. When
    it is over, `ended_at` says since when, `error` why, None where we ended it ourselves, `has_parted` whether the server
    heard our goodbye, and `told_until` until when it was there and had told us all that it would, where that is known.
    Raises UpstreamError where the server cannot be subscribed to.
    """

    def __init__(self, site: Site) -> None:
        self.error: UpstreamError | None = None
        self.has_parted = False
        self.arrived = 0
        self.told_until: float | None = None
        self.names_changed = threading.Event()
        self._spool = site.spool
        self._on_news = site.on_news
        # Silence is never as long as the time after which a reader was away too long.
        self._ping_seconds = min(_PING_SECONDS, site.kept_seconds / 3)
        self._stopping = threading.Event()
        self._writing = threading.Lock()
        self._connection = RespConnection(site.instance)
        try:
            first = self._connection.subscribe()
        except BaseException:
            self._connection.close()
            raise
        self.heard_at = self.ended_at = self._spoken_at = time.time()
        self._pinged_at: float | None = None
        self._thread = threading.Thread(target=self._run, args=(first,), name=f"listen-{site.instance.pk}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the subscription without losing what the server has sent."""
        self._stopping.set()
        self._thread.join()

    def ends_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self.is_alive

    def finish_capture(self) -> None:
        """Wait until the capture that is being written, which bears the time of its beginning, is whole."""
        if self._writing.acquire(timeout=_LONGEST_CAPTURE_SECONDS):
            self._writing.release()

    def _run(self, first: _Replies) -> None:
        try:
            self._keep(first)
            while not self._stopping.is_set() and has_room():
                self._keep_alive()
                self._keep(self._connection.receive(_TICK_SECONDS))
            self._say_goodbye()
        except UpstreamError as error:
            self.error = error
            self._keep_rest()
            self.heard_at = self._spoken_at  # what came of the last capture is on disk, although it broke off
            # Who closes a connection that worked is there until then, and what it said before arrived before.
            self.told_until = time.time() if self._pinged_at is None else None
        except OSError as error:
            logger.warning("%s: the spool cannot be written: %s", self._thread.name, error)
        finally:
            self.ended_at = time.time()
            self._connection.close()
            self._on_news()

    def _keep_alive(self) -> None:
        """A connection may be gone without a word; one that answers no PING is (contract D)."""
        now = time.time()
        if now - self._spoken_at < self._ping_seconds:
            self._pinged_at = None
        elif self._pinged_at is None:
            self._connection.send("PING")
            self._pinged_at = now
        elif now - self._pinged_at > _PONG_SECONDS:
            raise UpstreamError(
                Instance.State.UNREACHABLE, _("the subscription fell silent; its connection is gone"), was_sent=True
            )

    def _keep(self, replies: _Replies) -> None:
        """Write the messages among `replies`, and those that follow at once, into a capture."""
        if messages := self._messages(replies):
            with self._writing, self._spool.receive(Kind.MESSAGES, waits=True) as receiver:
                receiver.write(self._gather(messages))
            self._on_news()
        self.heard_at = self._spoken_at

    def _gather(self, messages: bytes) -> Iterator[bytes]:
        end, size = time.monotonic() + _GATHER_SECONDS, 0
        while True:
            yield messages
            size += len(messages)
            left = end - time.monotonic()
            if left <= 0 or size >= _GATHER_BYTES:
                return
            messages = self._messages(self._connection.receive(left))

    def _messages(self, replies: _Replies) -> bytes:
        """Return the bytes of those replies that are records; note what else the server says."""
        if replies:
            self._spoken_at = time.time()
        records = [raw for reply, raw in replies if self._is_record(reply)]
        self.arrived += len(records)
        return b"".join(records)

    def _is_record(self, reply: Reply) -> bool:
        kind = reply[0] if isinstance(reply, list) and reply else None
        self.has_parted |= kind == b"unsubscribe"
        if not isinstance(reply, list) or kind != b"message" or not isinstance(reply[-1], bytes):
            return False
        news = _control(reply[-1])
        if news.get("refresh"):
            self.names_changed.set()
        return not news

    def _say_goodbye(self) -> None:
        """Read what the server sent before it heard us; what comes later goes to the queue."""
        self._connection.send("UNSUBSCRIBE")
        end = time.monotonic() + _GOODBYE_SECONDS
        try:
            while (left := end - time.monotonic()) > 0:
                self._keep(self._connection.receive(left))
        except UpstreamError:
            pass  # it closed, as it should

    def _keep_rest(self) -> None:
        """What arrived of a message that broke off is quarantined when it is booked."""
        if self._connection.rest:
            self._spool.keep(Kind.MESSAGES, self._connection.rest, waits=True)


def _control(payload: bytes) -> dict[str, Any]:
    """Return what the server says beside records, empty for a record: an object that tells no time (contract D)."""
    if len(payload) > _LONGEST_CONTROL:
        return {}
    try:
        said = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    is_control = isinstance(said, dict) and "timestamp" not in said and said.keys() & {"refresh", "support_refresh"}
    return said if is_control else {}
