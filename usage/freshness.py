"""How current the figures of the servers are (`ui.md` 14): one verdict for the chip, the banners and the Collector page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from usage.collection.rhythm import poll_seconds
from usage.models import CollectorProcess, Instance
from usage.upstream.probe import DEFAULT_RETENTION_SECONDS

State = Instance.State
# States that end when somebody acts, or a ban runs out.
BLOCKED = frozenset({
    State.KEY_REJECTED, State.BANNED, State.REMOTE_OFF, State.MANAGEMENT_OFF, State.STATISTICS_OFF, State.UNSUPPORTED,
    State.DISK_FULL,
})  # fmt: skip
OFFLINE = frozenset({State.UNREACHABLE, State.FAULTY})


class Verdict(TextChoices):
    LIVE = "live", _("Collecting")
    DELAYED = "delayed", _("Delayed")
    OFFLINE = "offline", _("Offline")
    BLOCKED = "blocked", _("Blocked")
    NEW = "new", _("Not asked yet")
    DISABLED = "disabled", _("Switched off")


_LEVELS = {Verdict.LIVE: "ok", Verdict.DELAYED: "warn", Verdict.NEW: "info", Verdict.DISABLED: "info"}


@dataclass(frozen=True, slots=True)
class Freshness:
    """`since` is when it became so; `seen_at` when the server was last read (None: never)."""

    verdict: Verdict
    since: datetime | None
    seen_at: datetime | None

    @property
    def level(self) -> str:
        """`ok`, `info`, `warn` or `fail`."""
        return _LEVELS.get(self.verdict, "fail")


@dataclass(frozen=True, slots=True)
class Pulse:
    """The last sign of life of a leading collector; None where there never was one."""

    last: datetime | None
    still: bool

    @property
    def stopped_at(self) -> datetime | None:
        """Since when nothing is collected; None while a collector lives, and before the first one."""
        return self.last if self.still else None


def freshness(instance: Instance, pulse: Pulse, now: datetime) -> Freshness:
    """Return the verdict on `instance`; what a person must mend comes before what waits for the collector."""
    seen = instance.synced_at or (instance.state_since if instance.state == State.OK else None)
    if not instance.enabled:
        return Freshness(Verdict.DISABLED, None, seen)
    if instance.state in BLOCKED:
        return Freshness(Verdict.BLOCKED, instance.state_since, seen)
    if instance.state in OFFLINE:
        return Freshness(Verdict.OFFLINE, instance.state_since, seen)
    if pulse.stopped_at:
        return Freshness(Verdict.OFFLINE, pulse.stopped_at, seen)
    if instance.state == State.NEW:
        return Freshness(Verdict.NEW, None, seen)
    lag = now - (seen or now)
    if lag <= punctual(instance):
        return Freshness(Verdict.LIVE, instance.state_since, seen)
    return Freshness(Verdict.DELAYED if lag <= late(instance) else Verdict.OFFLINE, seen, seen)


def interval(instance: Instance) -> timedelta:
    """How often `instance` is polled; a subscription shows life as often."""
    return timedelta(seconds=poll_seconds(instance))


def retention(instance: Instance) -> timedelta:
    """How long CPA keeps a record for us."""
    return timedelta(seconds=instance.retention_seconds or DEFAULT_RETENTION_SECONDS)


def punctual(instance: Instance) -> timedelta:
    """How long after a poll the next one is not yet late."""
    return max(2 * interval(instance), timedelta(seconds=30))


def late(instance: Instance) -> timedelta:
    """How long after a poll the next one is late, but no reason for alarm yet."""
    return max(timedelta(minutes=5), retention(instance), punctual(instance))


def pulse(instances: Sequence[Instance], processes: Sequence[CollectorProcess], now: datetime) -> Pulse:
    """Return whether a collector leads; where none ever kept a row, a poll by command is a sign of life too."""
    if processes:
        leading = [process.seen_at for process in processes if process.role == CollectorProcess.Role.LEADING]
        last = max(leading or [process.started_at for process in processes])
        patience = max(timedelta(seconds=3 * settings.POLL_SECONDS), timedelta(seconds=60))
    else:
        last = max((instance.synced_at for instance in instances if instance.synced_at), default=None)
        patience = max(map(late, instances), default=timedelta())
    return Pulse(last, still=last is not None and now - last > patience)
