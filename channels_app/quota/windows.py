"""The quota windows of accounts: what is left, until when, and for how long at this pace.

Upstream tells only of what it answers. So a reading is as old as the account's last request, and use of the account beside CPA
shows with the next one. Nobody is asked for more.

*At this pace* is the average of the window so far: a window that ends at its reset began its length before, with nothing used,
and by the time of the reading had used what that says. Going on like this it is exhausted at

    beginning + (reading − beginning) × 100 % ÷ used

An average hides a rush at the end of a quiet window, and a rush at its beginning outlives itself in it. Of less than 5 % used
nothing is concluded, since Codex tells whole percents; nor where length or reset are not told, nor from a reading after which
the account should have been exhausted by now: there was no such use, or we did not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import QuerySet

from channels_app.stats.database import database
from usage.models import Account, Channel, QuotaWindow, Source

_ALL = Decimal(100)
LEAST_USED = Decimal(5)


@dataclass(frozen=True)
class Window:
    """The newest reading of a window, as seen at `now`; times are UTC, percentages of the window's whole."""

    name: str
    length: timedelta | None
    used_percent: Decimal
    resets_at: datetime | None
    seen_at: datetime
    now: datetime

    @classmethod
    def of(cls, row: QuotaWindow, now: datetime) -> Window:
        length = timedelta(minutes=row.minutes) if row.minutes else None
        return cls(row.name, length, row.used_percent, row.resets_at, row.seen_at, now)

    @property
    def ends_at(self) -> datetime | None:
        """When nothing of what was used counts any more: its reset, or at the latest its length after the reading."""
        return self.resets_at or (self.seen_at + self.length if self.length else None)

    @property
    def is_over(self) -> bool:
        """Whether its reset has passed since: nobody has told what is used of the next one."""
        return self.ends_at is not None and self.ends_at <= self.now

    @property
    def remaining(self) -> float | None:
        """The same as a ratio."""
        return None if self.remaining_percent is None else float(self.remaining_percent / _ALL)

    @property
    def remaining_percent(self) -> Decimal | None:
        """None: not known."""
        return None if self.is_over else max(_ALL - self.used_percent, Decimal(0))

    @property
    def is_exhausted(self) -> bool:
        return self.remaining_percent == 0

    @property
    def elapsed(self) -> timedelta | None:
        """How much of it had passed by the reading; None: not told, or the reading is of the window before."""
        if self.resets_at is None or self.length is None:
            return None
        elapsed = self.seen_at - (self.resets_at - self.length)
        return elapsed if elapsed > timedelta() else None

    @cached_property
    def _at_this_pace(self) -> datetime | None:
        if self.is_over or self.is_exhausted or self.used_percent < LEAST_USED or self.elapsed is None:
            return None
        hundredths = int(self.used_percent * 100)
        ends = self.seen_at - self.elapsed + self.elapsed * 10_000 // hundredths
        return ends if ends > self.now else None

    @property
    def exhausted_at(self) -> datetime | None:
        """When it will be exhausted at this pace, if before its reset."""
        ends = self._at_this_pace
        return ends if ends and self.resets_at and ends < self.resets_at else None

    @property
    def lasts(self) -> bool:
        """Whether it lasts until its reset at this pace."""
        return self._at_this_pace is not None and self.exhausted_at is None

    @property
    def level(self) -> str:
        """`fail`: exhausted; `warn`: will be before its reset, or a tenth is left; `ok`; nothing: not known."""
        if self.remaining_percent is None:
            return ""
        if self.is_exhausted:
            return "fail"
        return "warn" if self.exhausted_at or self.remaining_percent <= _ALL / 10 else "ok"

    @property
    def tightness(self) -> tuple[bool, Decimal, Decimal]:
        """Sorts what has least left first, and what is not known last."""
        remaining = self.remaining_percent
        return remaining is None, _ALL if remaining is None else remaining, -self.used_percent


@dataclass(frozen=True)
class Holder:
    """Whose windows they are: an account or, where none is known, the source of its records. `windows` begin with the
    shortest.
    """

    account: Account | None
    source: Source
    windows: Sequence[Window]

    @property
    def name(self) -> str:
        return str(self.account or self.source)

    @property
    def channel(self) -> Channel | None:
        return self.source.known_channel

    @property
    def tightest(self) -> Window:
        return min(self.windows, key=lambda window: window.tightness)


def quota_holders(now: datetime) -> list[Holder]:
    """Return all who have windows, who has least left first. One query."""
    rows = _rows().select_related("source__account__channel", "source__channel", "source__instance")
    holders = _by_holder(rows, now)
    return sorted(holders, key=lambda holder: (holder.tightest.tightness, holder.name.lower(), holder.source.pk))


def holders_of_channel(channel: Channel | None, now: datetime) -> list[Holder]:
    """Return who of a channel (None: the unknown one) has windows, who has least left first. One query."""
    return [holder for holder in quota_holders(now) if holder.channel == channel]


def holder_of_account(account: Account, now: datetime) -> Holder | None:
    """Return an account with its windows; None without any. One query."""
    rows = _rows().filter(source__account=account).select_related("source__account")
    return next(iter(_by_holder(rows, now)), None)


def _rows() -> QuerySet[QuotaWindow]:
    return QuotaWindow.objects.using(database().alias)


def _by_holder(rows: Iterable[QuotaWindow], now: datetime) -> list[Holder]:
    """An account whose records showed it in several ways has the newest reading of each window."""
    newest: dict[tuple[str, int], dict[str, QuotaWindow]] = {}
    for row in sorted(rows, key=lambda row: (row.seen_at, row.used_percent, row.pk)):
        account = row.source.account_id
        holder = ("account", account) if account else ("source", row.source_id)
        newest.setdefault(holder, {})[row.name] = row
    return [_holder(list(named.values()), now) for named in newest.values()]


def _holder(rows: list[QuotaWindow], now: datetime) -> Holder:
    newest = max(rows, key=lambda row: row.seen_at)
    windows = sorted(
        (Window.of(row, now) for row in rows), key=lambda window: (window.length or timedelta.max, window.name)
    )
    return Holder(newest.source.account, newest.source, windows)
