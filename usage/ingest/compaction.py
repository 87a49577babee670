"""Shortens the distributions of what is over: each batch that was taken in has left entries of its own in them."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction

from usage.ingest import courtesy, space
from usage.ingest.courtesy import Courtesy
from usage.ingest.distribution import KINDS, TABLE, decode, encode_counts, first_and_last_bucket
from usage.ingest.grains import DAY, HOUR, Grain
from usage.ingest.streaming import streamed
from usage.models import DistributionState

# A transaction of some 50 ms: bookings and pages that write wait no longer.
_AT_ONCE = 5_000
_GIVEN_BACK_AFTER = 100_000
_KEY = ("kind", "bucket", "source_id", "model_id", "api_key_id")
_SAME = " AND ".join(f"{name} = %s" for name in (*_KEY, "latency", "ttft"))

# The new bins, then the key and the bins that are replaced.
_Change = tuple[bytes | int, ...]


def compact(now: int, between: Courtesy = courtesy.none) -> int:
    """Rewrite what ended since the last time, and an hour before `now` (microseconds since 1970 UTC) at the latest; return
    how many rows are shorter. What they tell stays, and entries that others add meanwhile do.
    """
    shortened = 0
    for since, until in _days(now - now % HOUR - HOUR):
        for grain, kind in KINDS.items():
            changes = list(_changes(grain, kind, since, until))
            for at in range(0, len(changes), _AT_ONCE):
                shortened += (written := _write(changes[at : at + _AT_ONCE]))
                if shortened % _GIVEN_BACK_AFTER < written:
                    space.give_back(TABLE)
                between()
        DistributionState.objects.filter(pk=1).update(compacted_until=until)
    return shortened


def _days(until: int) -> Iterator[tuple[int, int]]:
    state = DistributionState.objects.filter(pk=1).first()
    oldest, _newest = first_and_last_bucket()
    if state is None or oldest is None:
        return
    since = max(state.compacted_until, oldest)
    while since < until:
        end = min(since + DAY, until)
        yield since, end
        since = end


def _changes(grain: Grain, kind: int, since: int, until: int) -> Iterator[_Change]:
    """Yield what can be shorter of the buckets that ended in `[since, until)`."""
    rows = streamed(
        f"SELECT latency, ttft, {', '.join(_KEY)} FROM {TABLE} WHERE kind = {kind} "
        f"AND bucket >= {since - grain.width} AND bucket < {until - grain.width}"
    )
    for latency, ttft, *key in rows:
        before = bytes(latency), bytes(ttft)
        after = tuple(encode_counts(decode([bins])) for bins in before)
        if sum(map(len, after)) < sum(map(len, before)):
            yield (*after, *key, *before)


def _write(changes: list[_Change]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {TABLE} SET latency = %s, ttft = %s WHERE {_SAME}", changes)
        return int(cursor.rowcount)
