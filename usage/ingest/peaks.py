"""Keeps the busiest minutes: of all, and of each server, channel, source, model and client key, and of failures, also by
their status (ui.md M20, M21).

A minute belongs to one hour, and what is booked only adds to it. So the peaks of an hour are found with its attempts, when
its records are there (usage/ingest/attempts.py), and the larger one stays. Until then who asks reads them
(channels_app/stats/peaks.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from django.db import connection, transaction

from usage.ingest import rollup
from usage.ingest.grains import (
    DAILY,
    DAY,
    FOREVER,
    HOUR,
    HOURLY,
    HOURLY_BY_MODEL,
    HOURLY_BY_SOURCE,
    OF_RECORDS,
    RECORDS,
    TOTAL,
    Grain,
)
from usage.ingest.insertion import lock_booking
from usage.ingest.moment import Moment
from usage.ingest.streaming import streamed
from usage.models import Source, StaleHour, UsagePeak

MINUTE = HOUR // 60
TABLE = UsagePeak._meta.db_table
Kind = UsagePeak.Kind
# What a peak is of, in terms of sums.
_COLUMNS = {Kind.SOURCE: "source_id", Kind.MODEL: "model_id", Kind.KEY: "api_key_id", Kind.STATUS: "status_code"}
# Of sources and keys there are many.
_DAILY = (Kind.SOURCE, Kind.KEY)
_STALE = StaleHour._meta.db_table


def grain_of(kind: Kind) -> Grain:
    """Return whose intervals (UTC hours, or days of the report time zone) the peaks of this kind are of."""
    return DAILY if kind in _DAILY else HOURLY


class _Target(NamedTuple):
    kind: Kind
    id: int


class _Minute(NamedTuple):
    """What of a target began in a minute (microseconds since 1970 UTC)."""

    target: _Target
    at: int
    requests: int
    tokens: int


# The channel of each source (0: the unknown one; None: not placed yet), and its server.
_Owners = dict[int, tuple[int | None, int]]


class _Row(NamedTuple):
    kind: int
    target_id: int
    bucket: int
    requests: int
    requests_at: int
    tokens: int
    tokens_at: int


class Highest(NamedTuple):
    """The peaks of some hours, and whose the sources were when they were found."""

    rows: list[_Row]
    owners: _Owners


def highest(since: int, until: int) -> Highest:
    """Find what the records of these whole hours tell (microseconds since 1970 UTC). Changes nothing."""
    where = f"requested_at >= {since} AND requested_at < {until}"
    minutes = list(_minutes(Kind.SOURCE, where))
    owners = _owners()  # after the records, each of which has its source then
    failures = list(_minutes(Kind.STATUS, f"{where} AND failed"))
    found = (
        minutes, _together(minutes, owners), _minutes(Kind.MODEL, where), _minutes(Kind.KEY, where),
        failures, _all_failures(failures),
    )  # fmt: skip
    return Highest([row for some in found for row in _highest(some)], owners)


def is_current(found: Highest) -> bool:
    """Return whether no source has gone to another channel since. Of those who hold the booking lock."""
    return found.owners.items() <= _owners().items()


def keep(found: Highest) -> None:
    """Take in what was found. In a transaction, and again and again as more records of the same hours come."""
    _raise_to(found.rows)


def place_new_sources(since: int, until: int) -> None:
    """A source's records are counted in the channel that it has when its first are."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT source_id FROM {RECORDS} WHERE requested_at >= {since} AND requested_at < {until} "
            f"AND source_id IN (SELECT id FROM {Source._meta.db_table} WHERE peaks_channel_id IS NULL)"
        )
        new = [source for (source,) in cursor.fetchall()]
    for source in Source.objects.select_related("account").filter(pk__in=new):
        Source.objects.filter(pk=source.pk, peaks_channel_id=None).update(peaks_channel_id=_channel_of(source))


def _channel_of(source: Source) -> int:
    """Return the id of its channel by now (Source.known_channel); 0: the unknown one."""
    return (source.account.channel_id if source.account else source.channel_id) or 0


def _minutes(kind: Kind, where: str) -> Iterator[_Minute]:
    minute = f"requested_at / {MINUTE} * {MINUTE}"
    read = (
        f"SELECT {OF_RECORDS[_COLUMNS[kind]]}, {minute}, COUNT(*), CAST(SUM({TOTAL}) AS BIGINT) FROM {RECORDS} "
        f"WHERE {where} GROUP BY 1, 2"
    )
    for target, at, requests, tokens in streamed(read):
        yield _Minute(_Target(kind, target), at, requests, tokens)


def _owners() -> _Owners:
    owners = Source.objects.values_list("pk", "peaks_channel_id", "instance_id")
    return {source: (channel, server) for source, channel, server in owners}


def _together(minutes: Iterable[_Minute], owners: _Owners) -> Iterator[_Minute]:
    """Add the minutes of sources up: of their channels, of their servers, and of all."""
    return _sum(
        (_Target(kind, target), minute)
        for minute in minutes
        for channel, server in [owners[minute.target.id]]
        for kind, target in ((Kind.CHANNEL, channel or 0), (Kind.SERVER, server), (Kind.ALL, 0))
    )


def _all_failures(minutes: Iterable[_Minute]) -> Iterator[_Minute]:
    return _sum((_Target(Kind.FAILED, 0), minute) for minute in minutes)


def _sum(minutes: Iterable[tuple[_Target, _Minute]]) -> Iterator[_Minute]:
    """Add up what is of the same target and minute."""
    requests, tokens = Counter[tuple[_Target, int]](), Counter[tuple[_Target, int]]()
    for target, minute in minutes:
        requests[target, minute.at] += minute.requests
        tokens[target, minute.at] += minute.tokens
    for (target, at), count in requests.items():
        yield _Minute(target, at, count, tokens[target, at])


def _highest(minutes: Iterable[_Minute]) -> list[_Row]:
    """Return the highest ones of each target and its interval, in the order of their keys."""
    requests: dict[tuple[_Target, int], tuple[int, int]] = {}
    tokens: dict[tuple[_Target, int], tuple[int, int]] = {}
    nothing = (-1, 0)
    for target, at, count, used in minutes:
        key = (target, grain_of(target.kind).start_of(at))
        # The larger one, or the earlier.
        requests[key] = max(requests.get(key, nothing), (count, -at))
        tokens[key] = max(tokens.get(key, nothing), (used, -at))
    return [
        _Row(target.kind, target.id, start, count, -at, tokens[target, start][0], -tokens[target, start][1])
        for (target, start), (count, at) in sorted(requests.items())
    ]


def _raise_to(rows: list[_Row]) -> None:
    changes = []
    for name in ("requests", "tokens"):
        is_more = (
            f"excluded.{name} > {TABLE}.{name} "
            f"OR (excluded.{name} = {TABLE}.{name} AND excluded.{name}_at < {TABLE}.{name}_at)"
        )
        changes += [
            f"{column} = CASE WHEN {is_more} THEN excluded.{column} ELSE {TABLE}.{column} END"
            for column in (name, f"{name}_at")
        ]
    _upsert(rows, ", ".join(changes))


def _upsert(rows: Iterable[tuple[int | None, ...]], changes: str) -> None:
    places = ", ".join(["%s"] * len(_Row._fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {TABLE} ({', '.join(_Row._fields)}) VALUES ({places}) "
            f"ON CONFLICT (kind, target_id, bucket) DO UPDATE SET {changes}",
            list(rows),
        )


def follow_names() -> int:
    """Move sources that have another channel than before into its peaks; return how many hours of channels were made anew.

    Hours whose records were pruned keep bounds.
    """
    _move_sources()
    return sum(len(channels) for hour, channels in _bounded_hours().items() if _renew(hour, channels))


def _move_sources() -> None:
    """At once and cheap: no minute of a channel has more than it had, and all that came to it in this hour."""
    with transaction.atomic():
        lock_booking()
        for source in Source.objects.select_related("account").filter(peaks_channel_id__isnull=False):
            before, now = source.peaks_channel_id or 0, _channel_of(source)
            if before != now:
                hours = _hours_of(source.pk)
                _loosen(before, ((hour, 0, 0) for hour, _requests, _tokens in hours))
                _loosen(now, hours)
                Source.objects.filter(pk=source.pk).update(peaks_channel_id=now)


def _hours_of(source: int) -> list[tuple[int, int, int]]:
    """Return the hours in which it has requests, how many, and their tokens."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, requests, {TOTAL} FROM {HOURLY_BY_SOURCE.table} WHERE source_id = %s ORDER BY bucket",
            [source],
        )
        return list(cursor.fetchall())


def _loosen(channel: int, more: Iterable[tuple[int, int, int]]) -> None:
    """Raise the channel's peaks of these hours by so many requests and tokens: they are bounds then."""
    rows = [(int(Kind.CHANNEL), channel, hour, requests, None, tokens, None) for hour, requests, tokens in more]
    added = (f"{name} = {TABLE}.{name} + excluded.{name}, {name}_at = NULL" for name in ("requests", "tokens"))
    _upsert(rows, ", ".join(added))


def _bounded_hours() -> Mapping[int, list[int]]:
    """Return the hours (of which records are kept) that have bounds, with their channels."""
    hours: defaultdict[int, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, target_id FROM {TABLE} WHERE kind = %s AND bucket >= %s "
            f"AND (requests_at IS NULL OR tokens_at IS NULL)",
            [int(Kind.CHANNEL), rollup.records_since()],
        )
        for hour, channel in cursor.fetchall():
            hours[hour].append(channel)
    return hours


def _renew(hour: int, channels: Collection[int]) -> bool:
    """Return whether nothing came between: who comes next finds the bounds of the hour again."""
    moment, owners = Moment.now(), _owners()
    sources = [source for source, (channel, _server) in owners.items() if channel in channels]
    within = f"requested_at >= {hour} AND requested_at < {hour + HOUR}"
    where = f"{within} AND source_id IN ({', '.join(map(str, sources)) or 'NULL'})"
    rows = [row for row in _highest(_together(_minutes(Kind.SOURCE, where), owners)) if row.kind == Kind.CHANNEL]
    with transaction.atomic(), connection.cursor() as cursor:
        lock_booking()
        if not (moment.is_current(hour, hour + HOUR) and is_current(Highest(rows, owners))):
            return False
        cursor.execute(
            f"DELETE FROM {TABLE} WHERE kind = %s AND bucket = %s AND target_id IN ({', '.join(map(str, channels))})",
            [int(Kind.CHANNEL), hour],
        )
        _raise_to(rows)
        return True


def forget(since: int = 0, until: int = FOREVER) -> None:
    """Have the peaks of all days that have a part in [since, until) found anew, of which records are kept."""
    first, end = max(DAILY.start_of(since), rollup.records_since()), DAILY.end_of(min(until, FOREVER - DAY))
    with transaction.atomic(), connection.cursor() as cursor:
        lock_booking()
        cursor.execute(f"DELETE FROM {TABLE} WHERE bucket >= %s AND bucket < %s", [first, end])
        cursor.execute(
            f"INSERT INTO {_STALE} SELECT DISTINCT bucket FROM {HOURLY_BY_MODEL.table} "
            f"WHERE bucket > %s AND bucket < %s ORDER BY 1 ON CONFLICT DO NOTHING",
            [first - HOUR, end],
        )
