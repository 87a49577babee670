"""Takes records as they are published: a listener, and the queue for what came while nobody listened (contract D)."""

from __future__ import annotations

import math
import time

from django.utils import timezone

from usage.collection.listener import Listener
from usage.collection.polling import HttpQueue
from usage.collection.rhythm import Timer
from usage.collection.site import Site
from usage.models import Instance
from usage.upstream.client import ManagementClient
from usage.upstream.refusals import UpstreamError

# A live subscription says so in its row; more often would only cost the disk.
_HEARTBEAT_SECONDS = 5.0


class Subscription:
    """Methods raise UpstreamError, NoSuchWay where this server cannot be subscribed to.

    One that stands by leaves the queue to the one that leads.
    """

    way = Instance.Way.SUBSCRIPTION
    # How long after its counter a record comes: as a rule, and at most after that.
    lag_seconds, longest_lag_seconds = 0.5, 0.5

    def __init__(self, site: Site) -> None:
        self._site = site
        self._queue = HttpQueue(site)
        self._listener: Listener | None = None
        self._has_drained = False
        self._heartbeat = Timer(_HEARTBEAT_SECONDS)

    def close(self) -> None:
        if self._listener:
            self._listener.stop()
            self._part_with(self._listener)

    @property
    def arrived(self) -> int:
        """How many records came so far, by this subscription or the last one."""
        return self._listener.arrived if self._listener else 0

    def names_have_changed(self) -> bool:
        """Whether the server said so since the last time."""
        if self._listener is None or not self._listener.names_changed.is_set():
            return False
        self._listener.names_changed.clear()
        return True

    def take(self, client: ManagementClient, *, stands_by: bool = False) -> None:
        """See that the listener lives; after each new subscription take what was queued before it."""
        if self._listener and not self._listener.is_alive:
            self._mourn(self._listener)
        if self._listener is None:
            self._listener = self._listen()
            self._has_drained = False
        if not self._has_drained and not stands_by:
            self._queue.take(client)
            self._has_drained = True
        self._site.witness.read(self._listener.heard_at, math.inf, time.time())
        if self._heartbeat.is_due:
            self._site.say(synced_at=timezone.now())
            self._heartbeat.restart()

    def outlive(self, seconds: float) -> None:
        """See whether the server ends within `seconds`."""
        if self._listener and self._listener.ends_within(seconds):
            self._mourn(self._listener)

    def hears(self) -> bool:
        """Whether it goes on by itself, which it does when the key was changed after it began."""
        if self._listener is None or not self._listener.is_alive:
            return False
        self._site.witness.hear(self._listener.heard_at)
        return True

    def drain(self, client: ManagementClient) -> None:
        """See that what arrived before this call is in captures that began before it."""
        self.finish_capture()

    def finish_capture(self) -> None:
        if self._listener:
            self._listener.finish_capture()

    def _listen(self) -> Listener:
        begun = time.time()
        try:
            return Listener(self._site)
        except UpstreamError as error:
            if error.was_sent:  # also SUBSCRIBE, perhaps, and records after it
                self._site.witness.lose_touch(begun)
                self._site.witness.lose_subscription()
            raise

    def _part_with(self, listener: Listener) -> None:
        self._listener = None
        self._site.witness.hear(listener.heard_at)
        if listener.has_parted:
            self._site.witness.part()
        else:
            self._site.witness.lose_subscription()
            self._site.witness.lose_touch(listener.ended_at, since=listener.told_until)

    def _mourn(self, listener: Listener) -> None:
        self._part_with(listener)
        if listener.error and listener.error.state != Instance.State.UNREACHABLE:
            raise listener.error
