"""The same window of all accounts of a channel together: what is left of the pool, and how long that lasts.

Each account is as much of the pool as any other. Until the first of their windows is reset the pool only shrinks; *at this
pace*, that of all together so far, it is exhausted at

    newest reading + what is left of all ÷ (sum of used ÷ (reading − beginning))

if that is before the first reset. What an exhausted account was asked for the others will be: its pace counts on. Nothing is
concluded where a window does not tell its reset or length, or where less than 5 % of the pool is used (see windows.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from channels_app.quota.windows import LEAST_USED, Holder, Window
from usage.models import Channel

# Of fewer, the window itself says it.
_LEAST_ACCOUNTS = 2


@dataclass(frozen=True)
class Pool:
    """`windows` are all of one name; times are UTC, percentages of the whole of one account."""

    channel: Channel | None
    windows: Sequence[Window]
    now: datetime

    @property
    def window(self) -> Window:
        """One that has its name and length."""
        return self.windows[0]

    @cached_property
    def known(self) -> list[Window]:
        """Those not reset since their reading."""
        return [window for window in self.windows if not window.is_over]

    @cached_property
    def remaining_percent(self) -> Decimal | None:
        """On average; None: not known of any."""
        left = [window.remaining_percent or Decimal(0) for window in self.known]
        return sum(left, Decimal(0)) / len(left) if left else None

    @property
    def remaining(self) -> float | None:
        """The same as a ratio."""
        return None if self.remaining_percent is None else float(self.remaining_percent / 100)

    @property
    def exhausted(self) -> int:
        """How many accounts have nothing left."""
        return sum(window.is_exhausted for window in self.known)

    @property
    def is_exhausted(self) -> bool:
        return self.remaining_percent == 0

    @property
    def first_reset(self) -> datetime | None:
        return min((window.resets_at for window in self.known if window.resets_at), default=None)

    @cached_property
    def _at_this_pace(self) -> datetime | None:
        """When nothing is left, were nothing reset."""
        left = self.remaining_percent
        if not left or 100 - left < LEAST_USED:
            return None
        pace = Fraction(0)
        for window in self.known:
            if window.elapsed is None:
                return None
            pace += Fraction(window.used_percent) / (window.elapsed // timedelta(microseconds=1))
        lasts = timedelta(microseconds=int(Fraction(left) * len(self.known) / pace))
        ends = max(window.seen_at for window in self.known) + lasts
        return ends if ends > self.now else None

    @property
    def exhausted_at(self) -> datetime | None:
        """When it will be exhausted at this pace, if before the first reset."""
        ends, reset = self._at_this_pace, self.first_reset
        return ends if ends and reset and ends < reset else None

    @property
    def lasts(self) -> bool:
        """Whether it lasts until the first reset at this pace."""
        return self._at_this_pace is not None and self.exhausted_at is None

    @property
    def level(self) -> str:
        """As of a window."""
        if self.remaining_percent is None:
            return ""
        if self.is_exhausted:
            return "fail"
        return "warn" if self.exhausted_at or self.remaining_percent <= 10 else "ok"


def pools(holders: Iterable[Holder], now: datetime) -> list[Pool]:
    """Return the windows that several accounts of a channel have, by channel and length."""
    found: dict[tuple[str, timedelta, str], tuple[Channel | None, list[Window]]] = {}
    for holder in holders:
        for window in holder.windows:
            key = (holder.channel.name if holder.channel else "", window.length or timedelta.max, window.name)
            found.setdefault(key, (holder.channel, []))[1].append(window)
    return [
        Pool(channel, windows, now)
        for _key, (channel, windows) in sorted(found.items(), key=lambda item: item[0])
        if len(windows) >= _LEAST_ACCOUNTS
    ]
