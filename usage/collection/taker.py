"""Takes what one server has into its spool, turn by turn: when, as whom, and what it means when that fails.

It never needs the database: names, counters and what may have gone missing go through the spool too, in their order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from usage.collection.board import Board
from usage.collection.intake import Intake
from usage.collection.rhythm import Timer, pause_seconds
from usage.collection.site import Site
from usage.collection.witness import Witness
from usage.ingest.spool import Kind, Presence, Spool, has_room
from usage.models import Instance
from usage.secrets import UnreadableSecret, digest
from usage.upstream.client import ManagementClient
from usage.upstream.names import fetch_names
from usage.upstream.probe import fetch_retention, is_recording, probe
from usage.upstream.refusals import UpstreamError

logger = logging.getLogger(__name__)

_NAMES_SECONDS = 300.0
# An unknown source may have been added to the server since; it is asked for names again, but not at each record.
_NAMES_AGAIN_SECONDS = 30.0
# Changes come in bursts: one file is saved several times, and each time the server says so.
_NAMES_SETTLE_SECONDS = 2.0
_FLAG_SECONDS = 15.0
# How long a server may be gone before we notice that it hung up.
_WATCH_SECONDS = 0.5

State, Source = Instance.State, Instance.Source

_STATISTICS_OFF = _(
    "usage statistics are off in CPA, so nothing is recorded; "
    "set usage-statistics-enabled: true in its config.yaml, or switch it on in its management page"
)


class Taker:
    """Reads one server. `error` says what the last turn failed of first, empty when it went well.

    One that stands by only subscribes, beside the one that leads.
    """

    def __init__(
        self,
        instance: Instance,
        board: Board,
        on_news: Callable[[], None] = lambda: None,
        *,
        may_subscribe: bool = True,
    ) -> None:
        self.instance = instance
        self.error = ""
        spool = Spool(instance.pk)
        witness = Witness(
            Presence(spool),
            instance.synced_at.timestamp() if instance.synced_at else None,
            statistics_are_off=instance.state == State.STATISTICS_OFF,
        )
        self._site = Site(instance, spool, board, witness, on_news)
        self._intake = Intake(self._site, may_subscribe=may_subscribe)
        self._client: ManagementClient | None = None
        self._names, self._flag = Timer(_NAMES_SECONDS), Timer(_FLAG_SECONDS)
        self._stopping = threading.Event()
        self._was_cut_short = False

    def run(self) -> None:
        """Take turns until `stop`. Nothing ends it before: this is the edge where also our own mistakes are caught."""
        self.begin()
        failures = 0
        while not self._stopping.is_set():
            self._survive(self.turn)
            failures = failures + 1 if self.error else 0
            self._rest(pause_seconds(self.instance, failures))
        self._survive(self.leave)
        self.end()

    def _rest(self, seconds: float) -> None:
        """Wait for the next turn, but no longer than the server holds the line: who asks at once learns when it ended.

        A proxy that ends each connection has us ask twice as often, not all the time.
        """
        client = None if self._was_cut_short else self._client
        watched = client if client and not client.is_hung_up else None
        self._was_cut_short = False
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, _WATCH_SECONDS)):
            if watched and watched.is_hung_up:
                self._was_cut_short = True
                return

    def _survive(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            logger.exception("%s: a mistake of ours; trying again", self.instance.name)
            self.error = "a mistake of ours"
            self._disconnect()

    def stop(self) -> None:
        self._stopping.set()

    def lead(self, leads: bool) -> None:
        """Lead or stand by, from the next turn on."""
        self._intake.stands_by = not leads

    def follow(self, row: Instance) -> None:
        """Learn what others found: a key that was refused on the pages is not sent from here too."""
        if row.rejected_key and not self.instance.rejected_key and _refuses(row, self.instance):
            for name in ("state", "reason", "reason_params", "rejected_key"):
                setattr(self.instance, name, getattr(row, name))

    def begin(self) -> None:
        self._site.witness.begin(time.time())

    def end(self) -> None:
        self._disconnect()
        self._site.witness.end()

    def turn(self) -> None:
        """Take what there is. What goes wrong becomes the state of the instance."""
        self.error = ""
        self._attempt(self._take)

    def leave(self) -> None:
        """Take what waits, of a server that answered the last time; or learn that it is gone, and since when at the latest."""
        if self._client and not self.error:
            self._attempt(partial(self._intake.take_rest, self._client))

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (UpstreamError, UnreadableSecret) as error:
            self._fail(error)
        except OSError as error:
            reason = _("the spool cannot be written (%(reason)s); nothing is taken from CPA until it can")
            self._fail(UpstreamError(State.DISK_FULL, reason, {"reason": error.strerror or type(error).__name__}))

    def look(self) -> None:
        """Find out what the server is, and take nothing."""
        self._alone(self._probe)

    def take_names(self) -> None:
        """Take what the server lists, and no record."""
        self._alone(self._take_names)

    def _alone(self, step: Callable[[ManagementClient], None]) -> None:
        self.error = ""
        try:
            step(self._connect())
        except (UpstreamError, UnreadableSecret) as error:
            self._note(error)
        finally:
            self._disconnect()

    def _take(self) -> None:
        if not has_room():
            raise UpstreamError(State.DISK_FULL, _("the disk is full; nothing is taken from CPA until there is room"))
        client = self._connect()
        self._heed_signs()
        if self.instance.state != State.OK or self._flag.is_due:
            self._look(client)
        # A new subscription comes first where names are known: what is published meanwhile would wait in the queue.
        if self.instance.mode == Instance.Mode.SUBSCRIBE and self.instance.names_at:
            self._intake.take(client)
        if self._names.is_due and not self._intake.stands_by:
            self._take_names_if_possible(client)
        self._intake.take(client)
        if self._intake.reckoning_is_due():
            self._look(client)  # what nobody recorded would be put down to another cause
            if self._intake.reckoning_is_due():
                self._intake.reckon(client)

    def _heed_signs(self) -> None:
        """Ask earlier for what seems to have changed."""
        if self._intake.names_have_changed():  # said whenever the configuration is saved, whatever changed in it
            self._names.hurry(_NAMES_SETTLE_SECONDS)
            self._flag.hurry()
        if self._site.board.takes_wish(self.instance.pk):
            self._names.hurry(_NAMES_AGAIN_SECONDS)

    # What the server is

    def _look(self, client: ManagementClient) -> None:
        """Probe where something may have changed; else ask only whether it still records."""
        is_known = self.instance.state == State.OK and client.version == self.instance.version
        if is_known and is_recording(client):
            self._site.say(clock_offset_seconds=_clock_offset(client))
        else:
            self._probe(client)
        self._site.witness.see_statistics(self.instance.statistics_enabled is not False, time.time())
        self._flag.restart()

    def _probe(self, client: ManagementClient) -> None:
        findings = probe(client)
        facts: dict[str, Any] = {
            "version": findings.version,
            "source": findings.source,
            "statistics_enabled": findings.statistics_enabled,
            "retention_seconds": None if findings.source == Source.LEGACY else fetch_retention(client),
            "clock_offset_seconds": _clock_offset(client),
            "rejected_key": None,
        }
        if findings.statistics_enabled:
            self._site.board.enter(self.instance, State.OK, **facts)
        else:
            self._site.board.enter(self.instance, State.STATISTICS_OFF, reason=_STATISTICS_OFF, **facts)

    # Names

    def _take_names_if_possible(self, client: ManagementClient) -> None:
        """Names can wait where records cannot: a queue is drained with the names known so far.

        A snapshot stays, and its details need the names: they tell no provider, and so not whose token rules they follow.
        """
        try:
            self._take_names(client)
        except UpstreamError as error:
            if self.instance.source == Source.LEGACY or error.state not in (State.FAULTY, State.UNREACHABLE):
                raise
            self._note(error)

    def _take_names(self, client: ManagementClient) -> None:
        self._site.spool.keep(Kind.NAMES, msgspec.json.encode(fetch_names(client)))
        self._names.restart()
        self._site.on_news()

    # The connection, and what its failures mean

    def _connect(self) -> ManagementClient:
        """Raise UpstreamError where asking again now is useless or does harm (contract A and K)."""
        instance = self.instance
        if _refuses(instance, instance):
            raise UpstreamError(State.KEY_REJECTED, instance.reason, instance.reason_params)
        if instance.retry_at and instance.retry_at > timezone.now():
            raise UpstreamError(
                State(instance.state), instance.reason, instance.reason_params, retry_at=instance.retry_at
            )
        if self._client is None:
            self._client = ManagementClient(instance)
        return self._client

    def _disconnect(self) -> None:
        self._intake.close()
        if self._client:
            self._client.close()
            self._client = None

    def _fail(self, error: UpstreamError | UnreadableSecret) -> None:
        self._note(error)
        if self.instance.state == State.KEY_REJECTED and self._intake.hears():
            return
        failed_at = time.time()
        self._disconnect()
        self._site.witness.lose_touch(failed_at)

    def _note(self, error: UpstreamError | UnreadableSecret) -> None:
        if isinstance(error, UnreadableSecret):
            error = UpstreamError(State.FAULTY, str(error))
        self.error = self.error or str(error)
        if (error.state, error.reason) != (self.instance.state, self.instance.reason):
            logger.warning("%s: %s", self.instance.name, error)
        facts: dict[str, Any] = {}
        if error.state is State.KEY_REJECTED:
            facts["rejected_key"] = digest(self.instance.management_key)
        self._site.board.enter(
            self.instance,
            error.state,
            reason=error.reason,
            reason_params=error.params,
            retry_at=error.retry_at,
            **facts,
        )


def _refuses(row: Instance, instance: Instance) -> bool:
    """Whether the key that `row` knows to be refused is the present one of `instance`."""
    return bool(row.rejected_key) and bytes(row.rejected_key or b"") == digest(instance.management_key)


def _clock_offset(client: ManagementClient) -> int | None:
    return None if client.clock_offset is None else round(client.clock_offset.total_seconds())
