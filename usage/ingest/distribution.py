"""Keeps how long answers took, in bins that add up where percentiles do not (ui.md M22 and M23).

Booking does not wait for it: records are taken in later, many at once, and who asks reads those after `last_id` themselves
(channels_app/stats/percentiles.py), so that every answer is of all records.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from usage.ingest import courtesy, rollup, space
from usage.ingest.courtesy import Courtesy
from usage.ingest.grains import DAILY, DAY, FOREVER, HOUR, OF_RECORDS, RECORDS, WEEK, Grain
from usage.ingest.streaming import streamed
from usage.models import DistributionState, UsageDistribution

# Ten bins an octave: who says the middle of one is 3.6 % wrong at most (tests/test_percentiles.py).
_BINS_PER_OCTAVE = 10
_LAST_BIN = 255  # from 13 hours on
# So few are read from the records in no time.
_WORTH_FOLDING = 20_000
# Of more at once each costs less, but the collector of a small machine has not the memory, and who books waits.
_STEP = 10_000

# Each step writes the rows of a day anew, and longer.
_GIVEN_BACK_AFTER = 100_000

TABLE = UsageDistribution._meta.db_table
DIMENSIONS = ("source_id", "model_id", "api_key_id")
# The place of each is its `kind`. Days and weeks are those of the report time zone, hours are of UTC.
GRAINS = tuple(
    Grain(TABLE, width, dimensions)
    for width, dimensions in (
        (DAY, ("model_id",)),
        (DAY, ("api_key_id",)),
        (DAY, ("source_id",)),
        (DAY, ("source_id", "model_id")),
        (DAY, DIMENSIONS),
        (HOUR, ("model_id",)),
        (HOUR, ("source_id",)),
        # Who asks for each of a thousand accounts, or keys, reads a third of what their days are.
        (WEEK, ("source_id",)),
        (WEEK, ("api_key_id",)),
        # Of all together: what is asked most.
        (DAY, ()),
        # Which models of a key are slow: its accounts are a thousand.
        (DAY, ("model_id", "api_key_id")),
    )
)
_WIDTHS = (HOUR, DAY, WEEK)
KINDS = {grain: kind for kind, grain in enumerate(GRAINS)}

# What a percentile is of (ui.md M22): of the latency; the first token must have come before the end (M23).
COUNTED = "NOT failed AND generate AND latency_ms > 0"

# Bucket, source, model, API key.
Key = tuple[int, int, int, int]
# The bins of latencies, and of times to the first token.
Bins = tuple[bytearray, bytearray]
Found = TypeVar("Found")


# Which time is the first beyond each bin, in milliseconds; the last has no end.
_ENDS = tuple(math.ceil(2 ** ((number + 1) / _BINS_PER_OCTAVE)) for number in range(_LAST_BIN))


def bin_of(milliseconds: int) -> int:
    """Return the bin of a time of 1 ms at least."""
    return bisect_right(_ENDS, milliseconds)


# Do the same of many, in a third of the time.
bins_of = partial(map, partial(bisect_right, _ENDS))


# The time that stands for each bin, in milliseconds.
MIDDLES = tuple(round(2 ** ((number + 0.5) / _BINS_PER_OCTAVE)) for number in range(_LAST_BIN + 1))


def encode(bins: bytes | bytearray) -> bytes:
    """Return how often each bin comes: two bytes each, the bin and how often, again and again where that is more than 255.

    Two of these in a row are one of both: so the database adds them up.
    """
    return encode_counts(Counter(bins))


def encode_counts(counts: Mapping[int, int]) -> bytes:
    """Do the same where it is known how often each bin comes."""
    entries = array("H")
    for number, times in sorted(counts.items()):
        while times > 255:
            entries.append(number << 8 | 255)
            times -= 255
        entries.append(number << 8 | times)
    return _little_endian(entries).tobytes()


def decode(parts: Iterable[bytes]) -> Counter[int]:
    """Return how often each bin comes in all `parts` together."""
    entries, counts = b"".join(parts), [0] * (_LAST_BIN + 1)
    for number, times in zip(entries[1::2], entries[::2], strict=True):
        counts[number] += times
    return Counter({number: count for number, count in enumerate(counts) if count})


def _little_endian(entries: array[int]) -> array[int]:
    if sys.byteorder == "big":
        entries.byteswap()
    return entries


def fold(least: int | None = None, between: Courtesy = courtesy.none) -> int:
    """Take in the records that were booked since, if there are `least` at least (None: enough to be worth it); return how
    many records that may be. `between` is called between two transactions.
    """
    folded, least = 0, _WORTH_FOLDING if least is None else least
    while step := _fold_step(least if not folded else 1):
        folded += step
        if folded % _GIVEN_BACK_AFTER < step:
            space.give_back(TABLE)
        between()
    return folded


def _fold_step(least: int) -> int:
    with transaction.atomic():
        state = _locked_state()
        oldest, newest = _first_and_last("id", f"{RECORDS} WHERE id > {state.last_id}")
        if oldest is None or newest is None or newest - oldest + 1 < max(least, 1):
            return 0
        first, state.last_id = oldest - 1, min(newest, oldest - 1 + _STEP)
        state.change += 1
        _add(_WIDTHS, f"id > {first} AND id <= {state.last_id}")
        state.save()
        return int(state.last_id - first)


def first_and_last_bucket() -> tuple[int | None, int | None]:
    """Return the first and the last of all kinds, in microseconds since 1970 UTC; None where there is none."""
    firsts, lasts = zip(
        *(_first_and_last("bucket", f"{TABLE} WHERE kind = {kind}") for kind in KINDS.values()), strict=True
    )
    return min(filter(None, firsts), default=None), max(filter(None, lasts), default=None)


def _first_and_last(column: str, table: str) -> tuple[int | None, int | None]:
    """An index tells each at once; of both in one SELECT, SQLite would read all that there are."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT (SELECT MIN({column}) FROM {table}), (SELECT MAX({column}) FROM {table})")
        first, last = cursor.fetchone()
    return first, last


def _locked_state() -> DistributionState:
    """Return the state, which no one else changes until the end of the transaction.

    Where the days begin at another time than before, those of which there are records are made anew.
    """
    DistributionState.objects.get_or_create(pk=1, defaults={"day_offset": DAILY.offset})
    state = DistributionState.objects.select_for_update().get(pk=1)
    if state.day_offset != DAILY.offset:
        _forget(state)
    return state


def rebuild(since: int = 0, until: int = FOREVER) -> None:
    """Make the distributions of all days and weeks that have a part in [since, until) (microseconds since 1970 UTC) anew."""
    for width in _WIDTHS:
        for start, end in _stretches(width):
            if start < until and since < end:
                _rebuild_stretch(width, start, end)
    fold(1)


def _rebuild_stretch(width: int, start: int, end: int) -> None:
    with transaction.atomic():
        state = _locked_state()
        _delete(width, start, end)
        _add((width,), f"requested_at >= {start} AND requested_at < {end} AND id <= {state.last_id}")
        state.change += 1
        state.save()


def _forget(state: DistributionState) -> None:
    for width in _WIDTHS:
        # Of a week that was pruned in part, what is left goes into weeks that begin at another time.
        _delete(width, max(0, rollup.records_since() - width + 1) if width == WEEK else rollup.records_since(), FOREVER)
    state.last_id, state.compacted_until, state.day_offset = 0, 0, DAILY.offset
    state.change += 1
    state.save()


def _delete(width: int, first: int, end: int) -> None:
    with connection.cursor() as cursor:
        for _grain, kind in _kinds(width):
            cursor.execute(f"DELETE FROM {TABLE} WHERE kind = %s AND bucket >= %s AND bucket < %s", [kind, first, end])


def at_rest(read: Callable[[int], Found], database: str = DEFAULT_DB_ALIAS) -> Found:
    """Return what `read` finds, told until which record the distributions go, while none of them changes.

    Without a lock: writers of SQLite would have to wait for it.
    """
    while True:
        change, last_id = _state(database)
        found = read(last_id)
        if _state(database)[0] == change:
            return found


def _state(database: str) -> tuple[int, int]:
    """Return the number of changes so far, and the last record that the distributions hold."""
    with connections[database].cursor() as cursor:
        cursor.execute(f"SELECT change, last_id FROM {DistributionState._meta.db_table} WHERE id = 1")
        change, last_id = cursor.fetchone() or (0, 0)
    return change, last_id


def _binned(widths: Sequence[int], where: str) -> dict[int, dict[Key, Bins]]:
    """Return the bins of the counted records `where` for each of `widths`, by bucket and all dimensions."""
    columns = ", ".join(("requested_at", *(OF_RECORDS[name] for name in DIMENSIONS)))
    found: dict[int, defaultdict[Key, Bins]] = {width: defaultdict(_no_bins) for width in widths}
    tables = [(_grain(width), found[width]) for width in widths]
    read = f"SELECT latency_ms, ttft_ms, {columns} FROM {RECORDS} WHERE {where} AND {COUNTED}"
    for latency, ttft, at, *dimensions in streamed(read):
        for grain, table in tables:
            latencies, ttfts = table[(grain.start_of(at), *dimensions)]
            latencies.append(bin_of(latency))
            if ttft is not None and 0 < ttft <= latency:
                ttfts.append(bin_of(ttft))
    return dict(found)


def _no_bins() -> Bins:
    return bytearray(), bytearray()


def _grain(width: int) -> Grain:
    """Return one that has the buckets of all of this width."""
    return next(grain for grain in GRAINS if grain.width == width)


def _kinds(width: int) -> list[tuple[Grain, int]]:
    return [(grain, kind) for grain, kind in KINDS.items() if grain.width == width]


def _coarsened(binned: dict[Key, Bins], grain: Grain) -> dict[Key, Bins]:
    """Return the bins by the dimensions of `grain` alone; the others are 0."""
    told = [name in grain.dimensions for name in DIMENSIONS]
    if all(told):
        return binned
    found: defaultdict[Key, Bins] = defaultdict(_no_bins)
    for (bucket, *dimensions), (latencies, ttfts) in binned.items():
        key = (bucket, *(one if is_told else 0 for one, is_told in zip(dimensions, told, strict=True)))
        together = found[key]  # type: ignore[index]
        together[0].extend(latencies)
        together[1].extend(ttfts)
    return found


def _add(widths: Sequence[int], where: str) -> None:
    for width, binned in _binned(widths, where).items():
        for grain, kind in _kinds(width):
            _add_rows(kind, _coarsened(binned, grain))


def _add_rows(kind: int, binned: dict[Key, Bins]) -> None:
    rows = [(kind, *key, encode(latencies), encode(ttfts)) for key, (latencies, ttfts) in sorted(binned.items())]
    joined = "{0} = " + ("{1}.{0} || excluded.{0}" if connection.vendor == "postgresql" else _JOINED_BY_SQLITE)
    changes = ", ".join(joined.format(name, TABLE) for name in ("latency", "ttft"))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {TABLE} (kind, bucket, source_id, model_id, api_key_id, latency, ttft) "
            f"VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (kind, bucket, source_id, model_id, api_key_id) "
            f"DO UPDATE SET {changes}",
            rows,
        )


_JOINED_BY_SQLITE = "CAST({1}.{0} || excluded.{0} AS BLOB)"


def differences(limit: int = 10) -> list[tuple[int, Key]]:
    """Return kind and key of distributions that differ from the records, `limit` at most; none is the invariant."""
    found: list[tuple[int, Key]] = []
    for width in _WIDTHS:
        for start, end in _stretches(width):
            found += at_rest(partial(_differences_between, width, start, end))
            if len(found) >= limit:
                return found[:limit]
    return found


def _stretches(width: int) -> list[tuple[int, int]]:
    """Return days, or weeks, from the first record that is kept to the last row: whole buckets of this width."""
    grain = _grain(width)
    both = (*_first_and_last("requested_at", RECORDS), *first_and_last_bucket())
    moments = [moment for moment in both if moment is not None]
    if not moments:
        return []
    first, length = max(grain.start_of(min(moments)), grain.end_of(rollup.records_since())), max(width, DAY)
    return [(start, start + length) for start in range(first, max(moments) + 1, length)]


def _differences_between(width: int, first: int, end: int, last_id: int) -> list[tuple[int, Key]]:
    binned = _binned((width,), f"requested_at >= {first} AND requested_at < {end} AND id <= {last_id}")[width]
    found: list[tuple[int, Key]] = []
    for grain, kind in _kinds(width):
        counted = dict(_coarsened(binned, grain))
        for key, parts in _stored(kind, first, end):
            bins = counted.pop(key, None)
            if bins is None or [decode([part]) for part in parts] != [Counter(some) for some in bins]:
                found.append((kind, key))
        found += [(kind, key) for key in counted]
    return sorted(found)


def _stored(kind: int, first: int, end: int) -> Iterator[tuple[Key, tuple[bytes, bytes]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, source_id, model_id, api_key_id, latency, ttft FROM {TABLE} "
            f"WHERE kind = %s AND bucket >= %s AND bucket < %s",
            [kind, first, end],
        )
        for bucket, source, model, api_key, latency, ttft in cursor:
            yield (bucket, source, model, api_key), (latency, ttft)
