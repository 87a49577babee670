"""What an account or a channel costs of the price of tokens: 0.3 for one that was bought at 0.3 of the list price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from usage.accounting.pricing import LIST_PRICE


class Multiplier(NamedTuple):
    """Of one account or one channel; `factor` in ten-thousandths, `effective_from` in microseconds since 1970 UTC."""

    factor: int
    channel_id: int | None = None
    account_id: int | None = None
    effective_from: int = 0
    id: int | None = None


class Multipliers:
    """All multipliers. One counts for a request: the account's before its channel's, the last that came into force."""

    def __init__(self, multipliers: Iterable[Multiplier] = ()) -> None:
        self._of_accounts: defaultdict[int, list[Multiplier]] = defaultdict(list)
        self._of_channels: defaultdict[int, list[Multiplier]] = defaultdict(list)
        for one in sorted(multipliers, key=attrgetter("effective_from"), reverse=True):
            if one.account_id is not None:
                self._of_accounts[one.account_id].append(one)
            elif one.channel_id is not None:
                self._of_channels[one.channel_id].append(one)

    def __bool__(self) -> bool:
        return bool(self._of_accounts or self._of_channels)

    def find(self, at: int, channel: int | None, account: int | None) -> Multiplier | None:
        """Return the one of a request at `at` (microseconds since 1970 UTC) by these ids, None where they are unknown."""
        for known, pk in ((self._of_accounts, account), (self._of_channels, channel)):
            for one in known.get(pk, ()) if pk is not None else ():
                if one.effective_from <= at:
                    return one
        return None

    def factor(self, at: int, channel: int | None, account: int | None) -> int:
        one = self.find(at, channel, account)
        return one.factor if one else LIST_PRICE
