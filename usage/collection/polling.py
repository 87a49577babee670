"""Takes records by asking for them now and then: from the usage queue, by HTTP or RESP, or from the snapshot."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod

from django.utils import timezone

from usage.collection.rhythm import poll_seconds
from usage.collection.site import Site
from usage.ingest.elements import count_elements
from usage.ingest.spool import Kind
from usage.models import Instance
from usage.upstream.client import ManagementClient, require_json
from usage.upstream.refusals import UpstreamError
from usage.upstream.resp import RespConnection

# A lost answer loses what it popped (contract K): not too many at once.
POP_COUNT = 500
_POLLS_SHOWN = 90

Way = Instance.Way


class Polling(ABC):
    """One way of asking; `take` is one poll. `arrived` counts the records so far. Methods raise UpstreamError."""

    way: Instance.Way
    # How long after its counter a record comes into the queue: as a rule, and at most after that.
    lag_seconds, longest_lag_seconds = 0.1, 0.1

    def __init__(self, site: Site) -> None:
        self.arrived = 0
        self._site = site
        self._connections = 0

    def close(self) -> None:  # noqa: B027 - most have nothing to leave
        """Leave the server."""

    def take(self, client: ManagementClient) -> None:
        """Take all that there is, and note that it was."""
        started = time.time()
        taken = self.drain(client)
        if self._connections and client.connections > self._connections:
            self._site.witness.lose_touch(started)
        self._connections = client.connections
        self._note_poll(started, taken)
        self._site.witness.read(started, self.kept_seconds, time.time())

    def drain(self, client: ManagementClient) -> int:
        """Pop until nothing is left; return how many records that were."""
        taken = last = self._pop_noting_losses(client)
        while last >= POP_COUNT:
            last = self._pop_noting_losses(client)
            taken += last
        return taken

    @property
    def kept_seconds(self) -> float:
        return self._site.kept_seconds

    @abstractmethod
    def pop(self, client: ManagementClient) -> int:
        """Take one answer into the spool; return how many records it held.

        The capture is there before the server is asked: a disk that refuses us leaves the records where they are.
        """

    def _pop_noting_losses(self, client: ManagementClient) -> int:
        try:
            taken = self.pop(client)
        except UpstreamError as error:
            if error.was_sent:
                self._site.witness.lose_answer()
            self._site.on_news()
            raise
        self.arrived += taken
        if taken:  # who is idle wakes nobody
            self._site.on_news()
        return taken

    def _note_poll(self, started: float, taken: int) -> None:
        """Tell of a poll as the strip of the Collector page shows it."""
        instance, before = self._site.instance, self._site.witness.read_until
        is_late = before is not None and started - before > 2 * poll_seconds(instance)
        mark = "l" if is_late else "o" if taken else "e"
        self._site.say(
            synced_at=timezone.now(),
            polls=(instance.polls + mark)[-_POLLS_SHOWN:],
            full_polls=instance.full_polls + 1 if taken >= POP_COUNT else 0,
        )


class HttpQueue(Polling):
    way = Way.HTTP_QUEUE

    def pop(self, client: ManagementClient) -> int:
        with self._site.spool.receive(Kind.QUEUE) as receiver:
            with client.stream(f"/usage-queue?count={POP_COUNT}") as response:
                require_json(response)
                receiver.write(response.iter_bytes())
            receiver.make_durable()
            answer = receiver.capture.read()
            if answer.strip() == b"[]":
                receiver.forget()  # who is idle leaves nothing to book
            return count_elements(answer)


class RespQueue(Polling):
    way = Way.RESP_QUEUE

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._connection: RespConnection | None = None

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def pop(self, client: ManagementClient) -> int:
        if self._connection is None:
            self._connection = RespConnection(self._site.instance)
        with self._site.spool.receive(Kind.POPPED) as receiver:
            records, raw = self._connection.pop(POP_COUNT)
            if records:
                receiver.write([raw])
            return len(records)


class Snapshot(Polling):
    """Reading it drains nothing, and it forgets nothing before the server's end (contract B)."""

    way = Way.SNAPSHOT

    @property
    def kept_seconds(self) -> float:
        return math.inf

    def drain(self, client: ManagementClient) -> int:
        try:
            return self.pop(client)
        finally:
            self._site.on_news()

    def pop(self, client: ManagementClient) -> int:
        with self._site.spool.receive(Kind.SNAPSHOT) as receiver, client.stream("/usage") as response:
            require_json(response)
            receiver.write(response.iter_bytes())
        return 1
