"""Compares the server's own counters with what is booked: what it counted and we do not have is missing (contract G, I).

For each account, `counter - booked` may only grow by what is lost: each record is published before its attempt is
counted, and all that was counted when the counters were read is booked when they are compared. What was booked since
makes the difference smaller, so that growth above `ceiling`, the most that it can have been before, is a loss for sure.
That is exact where all is quiet when the counters are read; else what arrives in the meantime hides as many that are
lost. So where something did go wrong they are read a second time, when the rush is over, and then what arrived after
that is taken as not counted, if that tells of more than what a few records on their way explain.

CPA counts a few calls that it does not record (the counting of tokens, clients that leave in the middle), which look
like losses. An account's usual share of them is known from times without trouble, and is taken off.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum

from usage.accounting.resolver import AUTH_FILES
from usage.collection.reckoning import Reckoning, moment
from usage.models import Account, Instance, Reconciliation, UsageDailyBySource, UsageRecord
from usage.upstream.counters import Counters

# A record that comes in now began at most so long ago.
_LONGEST_REQUEST = timedelta(hours=1)
# CPA records some attempts that it does not count: of clients that leave before the first byte, of images.
_UNCOUNTED, _UNCOUNTED_SHARE = 5, 0.1
# On a busy machine some take longer than the rule (intake.py): of what came after the counters, so much may be counted.
_ON_ITS_WAY_SHARE = 0.25


@dataclass(slots=True)
class Comparison:
    """One account in one reckoning: attempts that CPA counted since the last one, and those of them that are lost."""

    row: Reconciliation
    counted: int
    lost: int

    @property
    def unusual(self) -> int:
        """What is lost beyond the usual share of calls that CPA counts and does not record."""
        usual = self.row.unrecorded * self.counted // self.row.counted if self.row.counted else 0
        return max(0, self.lost - usual)


@dataclass(slots=True)
class Result:
    """`since` is when the last comparison was; None where there was none. `restarted`: all counters began anew."""

    since: datetime | None = None
    restarted: bool = False
    comparisons: list[Comparison] = field(default_factory=list)


def compare(instance: Instance, reckoning: Reckoning, counters: Counters, *, touch_was_lost: bool) -> Result:
    """Compare the `counters` of `reckoning`. In a transaction; what a loss was is for the caller to judge."""
    counted_at, settled_at = moment(reckoning.counted_at), moment(reckoning.settled_at)
    attempts = _by_account(instance, counters)
    rows = Reconciliation.objects.select_for_update().in_bulk(attempts)
    result = Result(max((row.checked_at for row in rows.values()), default=None))
    if result.since and result.since >= counted_at:
        return result  # this was compared before
    books = _Books(instance, counted_at, settled_at)
    for row in rows.values():
        _forget_old_days(row, books)
    result.restarted = _has_restarted(attempts, rows, books, touch_was_lost=touch_was_lost)
    is_sharp = reckoning.is_second and _tells_of_a_loss(attempts, rows, books)
    for pk, counter in attempts.items():
        known = rows.get(pk)
        if known is None:
            _begin(pk, counter, books)
        else:
            comparison = (
                _compare_anew(known, counter, books)
                if result.restarted or counter < known.counter
                else _compare(known, counter, books, is_sharp=is_sharp)
            )
            result.comparisons.append(comparison)
    return result


def _has_restarted(
    attempts: dict[int, int], rows: dict[int, Reconciliation], books: _Books, *, touch_was_lost: bool
) -> bool:
    """Whether all counters began anew.

    One alone does so too when its key is configured anew; and those of a busy server are soon past what they were, but
    then grew by less than was booked.
    """
    anew = [attempts[pk] < row.counter for pk, row in rows.items() if row.counter]
    if not touch_was_lost:
        return bool(anew) and all(anew)
    growth = sum(attempts[pk] - row.counter for pk, row in rows.items())
    booked = sum(books.booked[pk] - books.late[pk] - row.sum_booked for pk, row in rows.items())
    return any(anew) or booked - growth > max(_UNCOUNTED, booked * _UNCOUNTED_SHARE)


def _tells_of_a_loss(attempts: dict[int, int], rows: dict[int, Reconciliation], books: _Books) -> bool:
    """Whether more is missing than what was counted and still on its way when the counters were read."""
    likely = sum(
        max(0, attempts[pk] - books.booked[pk] + books.uncounted[pk] - row.ceiling) for pk, row in rows.items()
    )
    return likely > _ON_ITS_WAY_SHARE * books.uncounted.total()


def _begin(account: int, counter: int, books: _Books) -> None:
    booked, now = books.booked[account], books.counted_at
    Reconciliation.objects.create(
        account_id=account,
        since=now,  # type: ignore[misc]
        checked_at=now,
        day=books.day,
        counter=counter,
        sum_booked=booked,
        ceiling=counter - booked + books.late[account],
    )


def _compare(row: Reconciliation, counter: int, books: _Books, *, is_sharp: bool) -> Comparison:
    account = row.account_id
    difference = counter - books.booked[account]
    likely = difference + (books.uncounted[account] if is_sharp else 0)
    lost = max(0, likely - row.ceiling)
    row.ceiling = min(row.ceiling + lost, difference + books.late[account])
    return _note(row, counter, books, counted=counter - row.counter, lost=lost)


def _compare_anew(row: Reconciliation, counter: int, books: _Books) -> Comparison:
    """Of what was booked since, nobody knows how much was counted before that: all of it may have been after."""
    account = row.account_id
    row.ceiling = counter - books.booked[account] + books.late[account]
    lost = max(0, counter - (books.booked[account] - row.sum_booked))
    return _note(row, counter, books, counted=counter, lost=lost)


def _note(row: Reconciliation, counter: int, books: _Books, *, counted: int, lost: int) -> Comparison:
    booked = books.booked[row.account_id]
    row.counted += counted
    row.booked += booked - row.sum_booked
    row.checked_at, row.counter, row.sum_booked = books.counted_at, counter, booked
    row.save()
    return Comparison(row, counted, lost)


def _forget_old_days(row: Reconciliation, books: _Books) -> None:
    """Sums go over the last days only: to add up all of the past each minute would take ever longer."""
    if row.day < books.day:
        before = books.between(row.account_id, row.day)
        row.sum_booked -= before
        row.ceiling += before
        row.day = books.day


class _Books:
    """What is booked by account, from yesterday's begin (UTC) on.

    Of that, `late` arrived when the counters were being read or after it, and `uncounted` only after it.
    """

    def __init__(self, instance: Instance, counted_at: datetime, settled_at: datetime) -> None:
        self.counted_at = counted_at
        self.day = counted_at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        daily = UsageDailyBySource.objects.filter(source__instance=instance, bucket__gte=self.day)
        late = UsageRecord.objects.filter(
            source__instance=instance, requested_at__gte=counted_at - _LONGEST_REQUEST, received_at__gte=counted_at
        )
        self.booked = _by_account_id(daily, Sum("requests"))
        self.late = _by_account_id(late, Count("pk"))
        self.uncounted = _by_account_id(late.filter(received_at__gte=settled_at), Count("pk"))

    def between(self, account: int, since: datetime) -> int:
        """Return what is booked from `since` to `day`."""
        daily = UsageDailyBySource.objects.filter(source__account=account, bucket__gte=since, bucket__lt=self.day)
        return daily.aggregate(sum=Sum("requests"))["sum"] or 0


def _by_account_id(rows: QuerySet[Any], figure: Any) -> Counter[int]:
    grouped = rows.filter(source__account__isnull=False).values_list("source__account")
    return Counter(dict(grouped.annotate(figure=figure).order_by()))


def _by_account(instance: Instance, counters: Counters) -> dict[int, int]:
    """Return the counter of each account that has one of its own; keys that share it tell of none of their accounts."""
    accounts = Account.objects.filter(instance=instance).exclude(state=Account.State.REMOVED)
    by_file, by_key = {}, defaultdict(list)
    for account in accounts.order_by("pk"):
        if account.listed_in == AUTH_FILES:
            by_file[account.file_name] = account.pk
        elif account.key_digest:
            by_key[bytes(account.key_digest), account.base_url].append(account.pk)
    attempts = {by_file[name]: number for name, number in counters.files.items() if name in by_file}
    for one in counters.keys:
        sharing = by_key.get((one.key_digest, one.base_url), [])
        if len(sharing) == 1:
            attempts[sharing[0]] = attempts.get(sharing[0], 0) + one.attempts
    return attempts
