"""Takes the records of one server by the way that it and its operator allow, and the counters that prove them whole."""

from __future__ import annotations

import time

from django.utils.translation import gettext_noop as _

from usage.collection.polling import HttpQueue, Polling, RespQueue, Snapshot
from usage.collection.reckoning import Cause, Reckoning, encode
from usage.collection.rhythm import Timer
from usage.collection.site import Site
from usage.collection.subscription import Subscription
from usage.ingest.spool import Kind
from usage.models import Instance
from usage.upstream.client import ManagementClient
from usage.upstream.counters import Counters, fetch_counters
from usage.upstream.refusals import UpstreamError
from usage.upstream.resp import NoSuchWay

_RECKONING_SECONDS = 60.0
_RECKON_AGAIN_SECONDS = 5.0
# CPA needs a third of it to end.
_FAREWELL_SECONDS = 1.0
# A subscription that this server lacks may come with its next version, or when a proxy is gone.
_SUBSCRIBE_AGAIN_SECONDS = 300.0

Mode, Source, State, Way = Instance.Mode, Instance.Source, Instance.State, Instance.Way
_POLLING: dict[str, type[Polling]] = {Source.QUEUE: HttpQueue, Source.RESP: RespQueue, Source.LEGACY: Snapshot}


class Intake:
    """The records of one server. Methods raise UpstreamError.

    One that stands by only subscribes: the queue is for the one that leads. `may_subscribe` is false where we are here
    for a moment only.
    """

    def __init__(self, site: Site, *, may_subscribe: bool = True) -> None:
        self.stands_by = False
        self._site = site
        self._may_subscribe = may_subscribe
        self._way: Polling | Subscription | None = None
        self._reckoning, self._next_reckoning = Timer(_RECKONING_SECONDS), Timer(_RECKON_AGAIN_SECONDS)
        # What came while the counters were being read blurs a reckoning: the first one, and the one after something went
        # wrong, are soon followed by another.
        self._has_reckoned = self._is_blurred = self._is_second = False
        self._subscribing = Timer(_SUBSCRIBE_AGAIN_SECONDS)

    def close(self) -> None:
        if self._way:
            self._way.close()
            self._way = None

    def hears(self) -> bool:
        """Whether a subscription goes on by itself."""
        return isinstance(self._way, Subscription) and self._way.hears()

    def names_have_changed(self) -> bool:
        return isinstance(self._way, Subscription) and self._way.names_have_changed()

    def take(self, client: ManagementClient) -> None:
        """Take all that there is, and keep on listening where that is the way."""
        self._choose_way()
        try:
            self._take(client)
        except NoSuchWay as error:
            if not isinstance(self._way, Subscription):
                raise
            self._fall_back(error)
            self._take(client)

    def take_rest(self, client: ManagementClient) -> None:
        """Read once more before we leave, and a moment later again.

        Where a machine is shut down the server ends just then too: if we saw it end, all the time until the next start
        is none in which it may have held something for us.
        """
        if isinstance(self._way, Subscription):
            self._way.outlive(_FAREWELL_SECONDS)
        elif isinstance(self._way, Polling) and not self.stands_by:
            self._way.take(client)
            if not isinstance(self._way, Snapshot):
                time.sleep(_FAREWELL_SECONDS)
                self._way.take(client)

    def reckoning_is_due(self) -> bool:
        """Whether it is time to compare, or something went wrong since.

        What may have been a restart waits a moment: a proxy that ends each connection makes each poll look like one.
        But not for long, since counters that began anew grow past what they were.
        """
        suspicions = self._site.witness.suspicions
        is_certain = any(suspicion.cause != Cause.RESTARTED for suspicion in suspicions)
        is_open = bool(suspicions) or self._is_blurred
        is_time = self._reckoning.is_due or is_certain or (is_open and self._next_reckoning.is_due)
        is_comparable = self._site.instance.state == State.OK and not isinstance(self._way, Snapshot)
        return is_time and is_comparable and not self.stands_by

    def reckon(self, client: ManagementClient) -> None:
        """Write down what may be missing, with the server's own counters; all that they count has come by then."""
        arrived = self._way.arrived if self._way else 0
        # The server reads its counters at some moment of this call; what comes in its course may be in them or not.
        counted_at = time.time()
        if isinstance(self._way, Subscription):
            self._way.finish_capture()
        counters = self._counters(client)
        settled_at = time.time()
        if counters and self._way:
            time.sleep(self._way.lag_seconds)
            self._way.drain(client)
            settled_at = time.time()
            time.sleep(self._way.longest_lag_seconds)
            self._way.drain(client)
        witness = self._site.witness
        reckoning = Reckoning(
            witness.suspicions, counters, counted_at, settled_at, self._is_second, witness.unconfirmed
        )
        self._site.spool.keep(Kind.RECKONING, encode(reckoning))
        self._is_blurred = bool(witness.suspicions) or not self._has_reckoned
        self._is_second = any(not suspicion.is_idle for suspicion in witness.suspicions)
        self._has_reckoned = True
        witness.compared(settled_at, was_quiet=bool(counters and self._way and self._way.arrived == arrived))
        self._reckoning.restart()
        self._next_reckoning.restart()
        self._site.on_news()

    def _take(self, client: ManagementClient) -> None:
        if isinstance(self._way, Subscription):
            self._way.take(client, stands_by=self.stands_by)
        elif self._way and not self.stands_by:
            self._way.take(client)
        if isinstance(self._way, Snapshot):
            self._tell_when_gone()
        if self.stands_by:
            self._site.witness.forget_old(time.time())
        is_makeshift = self._site.instance.mode == Mode.SUBSCRIBE and not self._may_subscribe
        if self._way and self._way.way != self._site.instance.way and not is_makeshift:
            self._site.say(way=self._way.way)

    def _tell_when_gone(self) -> None:
        """A snapshot tells itself of a restart (gaps.py); that its server was gone before it, polls that failed told us."""
        now, witness = time.time(), self._site.witness
        read_at = witness.read_until or now
        gone = [one for one in witness.suspicions if one.cause == Cause.RESTARTED and one.until < read_at]
        if gone:
            self._site.spool.keep(Kind.RECKONING, encode(Reckoning(gone, None, now, now)))
        witness.suspicions = []

    def _choose_way(self) -> None:
        """A subscription takes the records from every other reader, so it is for those who ask for it (contract I)."""
        mode, source = self._site.instance.mode, self._site.instance.source
        if mode == Mode.LEGACY and source != Source.LEGACY:
            raise UpstreamError(State.UNSUPPORTED, _("this version of CPA has no usage snapshot; choose another mode"))
        is_wanted = self._may_subscribe and mode == Mode.SUBSCRIBE and source == Source.QUEUE
        wanted = Subscription if is_wanted and self._subscribing.is_due else _POLLING[source]
        if type(self._way) is not wanted:
            self.close()
            self._way = wanted(self._site)

    def _fall_back(self, error: NoSuchWay) -> None:
        self._subscribing.restart()
        self._site.board.enter(self._site.instance, State.OK, reason=error.reason, reason_params=error.params)
        self._choose_way()

    def _counters(self, client: ManagementClient) -> Counters | None:
        """Records go on without the proof: a list that fails now is no failure of the collection."""
        try:
            return fetch_counters(client)
        except UpstreamError as error:
            if error.state not in (State.FAULTY, State.UNREACHABLE):
                raise
            return None
