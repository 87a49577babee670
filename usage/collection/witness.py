"""Until when a server was read, and what may have gone missing: suspicions, which its own counters confirm or refute."""

from __future__ import annotations

from usage.collection.reckoning import Cause, Suspicion
from usage.ingest.spool import Presence, Word

# What the database says of the last reading may be so much later than what its reader wrote down here.
_ANOTHER_SECONDS = 15.0


class Witness:
    """Watches the reading of one server. All moments are in seconds since 1970 UTC.

    `read_until`: all that ended before is here or was never seen by us. None: this server was never read.
    """

    def __init__(self, presence: Presence, read_until: float | None, *, statistics_are_off: bool) -> None:
        self.read_until = read_until
        self.suspicions: list[Suspicion] = []
        self._presence = presence
        # When we lost touch: what the server held then may be gone with it.
        self._lost_touch_at: float | None = None
        # What became of an answer or a subscription: until we read again, the server may have handed out into it.
        self._lost: Cause | None = None
        # When it last said that it records, and since when it does not.
        self._on_at: float | None = None
        self._off_since = read_until if statistics_are_off else None

    def begin(self, now: float) -> None:
        """Find out what became of the one who read this server before us."""
        before = self._presence.begin()
        if not self._presence.is_ours:
            return  # somebody reads right now, and sees to it
        until, word = before or (None, Word.AT_REST)
        self._lost = Cause.RESTARTED if word == Word.PARTING else None
        if until is not None and word == Word.READING and now > until:
            self.suspicions.append(Suspicion(Cause.KILLED, until, now))
        elif self.read_until is not None and (until is None or self.read_until - until > _ANOTHER_SECONDS):
            self._lost_touch_at = now  # another one read it since; what was on its way to that one, nobody can tell us
        if until is not None:
            self.read_until = max(until, self.read_until or until)

    def end(self) -> None:
        is_parting = self._lost == Cause.RESTARTED and not self.suspicions
        is_at_rest = self._lost is None and not self.suspicions
        self._presence.end(Word.AT_REST if is_at_rest else Word.PARTING if is_parting else Word.READING)

    def read(self, until: float, kept_seconds: float, now: float) -> None:
        """All that ended before `until` is here, of what the server keeps for `kept_seconds` after its end."""
        if self._lost_touch_at is not None:
            self._suspect(Cause.RESTARTED, until=self._lost_touch_at)
            self._lost_touch_at = None
        if self._lost is not None:
            self._suspect(self._lost, until=now)
            self._lost = None
        if self.read_until is not None and until - self.read_until > kept_seconds:
            self._suspect(Cause.AWAY, until=until - kept_seconds)
        self.read_until = until
        self._touch()

    def lose_touch(self, now: float) -> None:
        """The server could not be reached, or was reached by another connection than before."""
        self._lost_touch_at = self._lost_touch_at or now

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
        self._off_since, self._on_at = None, now

    def _lose(self, cause: Cause) -> None:
        """Of several causes before we read again the first counts, unless it was the mildest."""
        if self._lost in (None, Cause.RESTARTED):
            self._lost = cause

    def _touch(self) -> None:
        """Should we die before a suspicion is written down, the next one must suspect the same time."""
        if self.read_until is not None and not self.suspicions and self._lost is None:
            self._presence.touch(self.read_until)

    def _suspect(self, cause: Cause, until: float) -> None:
        if self.read_until is not None and until > self.read_until:
            self.suspicions.append(Suspicion(cause, self.read_until, until))
