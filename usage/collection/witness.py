"""Until when a server was read, and what may have gone missing: suspicions, which its own counters confirm or refute."""

from __future__ import annotations

import msgspec

from usage.collection.reckoning import Cause, Suspicion
from usage.ingest.spool import Presence

# What the database says of the last reading may be so much later than what its reader wrote down here.
_ANOTHER_SECONDS = 15.0
# Under steady traffic each comparison hides a little; a loss that shows later than this has another cause.
_UNCONFIRMED_SECONDS = 300.0


class Memory(msgspec.Struct):
    """What the next reader of a server must know. `is_reading`: this one is still at it, or died."""

    is_reading: bool = True
    lost: Cause | None = None
    broken: Suspicion | None = None
    suspicions: list[Suspicion] = []
    unconfirmed: list[Suspicion] = []


_decoder = msgspec.json.Decoder(Memory)


class Witness:
    """Watches the reading of one server. All moments are in seconds since 1970 UTC.

    `read_until`: all that ended before is here or was never seen by us. None: this server was never read. `unconfirmed`
    are suspicions that were compared while more arrived, which may have hidden a small loss.
    """

    def __init__(self, presence: Presence, read_until: float | None, *, statistics_are_off: bool) -> None:
        self.read_until = read_until
        self.suspicions: list[Suspicion] = []
        self.unconfirmed: list[Suspicion] = []
        self._presence = presence
        self._remembered = b""
        # The time in which we lost touch: what the server held then may be gone with it.
        self._broken: Suspicion | None = None
        # What became of an answer or a subscription: until we read again, the server may have handed out into it.
        self._lost: Cause | None = None
        # Nobody read for a while, by intent: a restart in that time would show by the counters only.
        self._has_rested = False
        # When it last said that it records, and since when it does not.
        self._on_at: float | None = None
        self._off_since = read_until if statistics_are_off else None

    def begin(self, now: float) -> None:
        """Find out what became of the one who read this server before us."""
        before = self._presence.begin()
        if not self._presence.is_ours:
            return  # somebody reads right now, and sees to it
        until, memory = (before[0], _decode(before[1])) if before else (None, Memory(is_reading=False))
        self._lost, self._broken = memory.lost, memory.broken
        self.suspicions, self.unconfirmed = memory.suspicions, memory.unconfirmed
        if until is not None and memory.is_reading and now > until:
            self.suspicions.append(Suspicion(Cause.KILLED, until, now))
        elif self.read_until is not None and (until is None or self.read_until - until > _ANOTHER_SECONDS):
            self.lose_touch(now)  # another one read it since; what was on its way to that one, nobody can tell us
        else:
            self._has_rested = True
        if until is not None:
            self.read_until = max(until, self.read_until or until)
        self._remember()

    def end(self) -> None:
        self._remember(is_reading=False)
        self._presence.end()

    def read(self, until: float, kept_seconds: float, now: float) -> None:
        """All that ended before `until` is here, of what the server keeps for `kept_seconds` after its end."""
        if self._broken is not None:
            self.suspicions.append(self._broken)
        if self._lost is not None:
            self._suspect(self._lost, until=now)
        elif self._has_rested and self._broken is None:
            self._suspect(Cause.RESTARTED, until=until, is_idle=True)
        self._broken, self._lost, self._has_rested = None, None, False
        if self.read_until is not None and until - self.read_until > kept_seconds:
            self._suspect(Cause.AWAY, until=until - kept_seconds)
        self.read_until = until
        self._touch()

    def lose_touch(self, now: float, since: float | None = None) -> None:
        """The server could not be reached, or was reached by another connection than before.

        It was there, and had nothing more for us, until `since`; where that is not known, until we last read.
        """
        since = since or self.read_until
        if since is not None and self._broken is None:
            self._broken = Suspicion(Cause.RESTARTED, since, max(since, now))
            self._remember()

    def lose_answer(self) -> None:
        """Records were asked for, and the answer did not come, or not whole."""
        self._lose(Cause.ANSWER_LOST)

    def hear(self, heard_at: float) -> None:
        """A subscription brought all that ended before `heard_at`."""
        self.read_until = max(heard_at, self.read_until or heard_at)
        self._touch()

    def lose_subscription(self) -> None:
        """A subscription broke, and not by our leave."""
        self._lose(Cause.DROPPED)

    def part(self) -> None:
        """We ended a subscription: what the server had not sent yet it forgets (seen in v7.2.140).

        As after a restart that is a loss only where its counters say so.
        """
        self._lose(Cause.RESTARTED)

    def see_statistics(self, enabled: bool, now: float) -> None:
        """The server records, or does not."""
        if not enabled:
            self._off_since = self._off_since or self._on_at or self.read_until
            return
        if self._off_since is not None:
            self.suspicions.append(Suspicion(Cause.STATISTICS_OFF, self._off_since, now))
            self._remember()
        self._off_since, self._on_at = None, now

    def compared(self, now: float, *, was_quiet: bool) -> None:
        """The suspicions were compared with the counters. `was_quiet`: nothing arrived meanwhile that could hide a loss."""
        kept = [] if was_quiet else [one for one in self.unconfirmed if now - one.until < _UNCONFIRMED_SECONDS]
        # Even in the quiet something may have been on its way: each is compared twice.
        self.unconfirmed = kept + [one for one in self.suspicions if not one.is_idle]
        self.suspicions = []
        self._remember()

    def forget_old(self, now: float) -> None:
        """We stand by, and whoever leads compares: only what just happened is for us, should we lead next."""
        self.suspicions = [one for one in self.suspicions if now - one.until < _UNCONFIRMED_SECONDS]

    def _lose(self, cause: Cause) -> None:
        """Of several causes before we read again the first counts, unless it was the mildest."""
        if self._lost in (None, Cause.RESTARTED):
            self._lost = cause
            self._remember()

    def _touch(self) -> None:
        """Should we die before a suspicion is written down, the next one must suspect the same time."""
        self._remember()
        if self.read_until is not None and not self.suspicions and self._lost is None:
            self._presence.touch(self.read_until)

    def _remember(self, *, is_reading: bool = True) -> None:
        memory = Memory(is_reading, self._lost, self._broken, self.suspicions, self.unconfirmed)
        encoded = msgspec.json.encode(memory)
        if encoded != self._remembered:
            self._presence.remember(encoded)
            self._remembered = encoded

    def _suspect(self, cause: Cause, until: float, *, is_idle: bool = False) -> None:
        if self.read_until is not None and until > self.read_until:
            self.suspicions.append(Suspicion(cause, self.read_until, until, is_idle))


def _decode(memory: bytes) -> Memory:
    """After a power cut anything may stand there: then its writer died."""
    try:
        return _decoder.decode(memory)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Memory()
