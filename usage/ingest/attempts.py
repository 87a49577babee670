"""Groups the records that served one call of a client, where those are several (`ui.md` 1, "client-request group").

They are derived from the records hour by hour, outside of booking, which only marks the hours that it adds to as stale.
What is asked meanwhile of a stale hour is grouped from its records by the same code, so that every answer is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.utils import CursorWrapper

from usage.ingest import courtesy, peaks
from usage.ingest.courtesy import Courtesy
from usage.ingest.grains import DAY, HOUR, HOURLY_BY_MODEL, OF_RECORDS, RECORDS
from usage.ingest.insertion import lock_booking
from usage.ingest.moment import Moment
from usage.ingest.rollup import records_since
from usage.ingest.streaming import streamed
from usage.models import Attempt, AttemptHour, RequestTraits, Source, StaleHour

_MINUTE = HOUR // 60
# An attempt belongs to those before it when it starts this long after they ended, or earlier.
PAUSE = 10 * _MINUTE
# For that, none counts as longer; a figure that is larger is a damaged one, or of an answer that nobody tried again.
LONGEST = 50 * _MINUTE
# What starts later than this after a record cannot follow it.
REACH = LONGEST + PAUSE
# A stale hour that is further away than this has no attempt of a call that is asked for.
FAR = DAY

# So many attempts of a client request are told in its path.
LONGEST_PATH = 16

TABLE, HOURS = Attempt._meta.db_table, AttemptHour._meta.db_table
# What stored attempts add up to, and the client requests whose first is among them.
OF_ATTEMPTS = {
    "asked": "COUNT(*)",
    "asked_ok": "SUM(CASE WHEN failed THEN 0 ELSE 1 END)",
    "requests": "SUM(CASE WHEN number = 1 THEN 1 ELSE 0 END)",
    "succeeded": "SUM(CASE WHEN number = 1 AND succeeded > 0 THEN 1 ELSE 0 END)",
    "rescued": "SUM(CASE WHEN number = 1 AND succeeded > 0 AND succeeded < attempts THEN 1 ELSE 0 END)",
    "attempts": "SUM(CASE WHEN number = 1 THEN attempts ELSE 0 END)",
}
_STALE, _TRAITS, _SOURCES = (model._meta.db_table for model in (StaleHour, RequestTraits, Source))
# All turns of a websocket share its request id (contract E); its endpoint is that of the handshake, which is a GET.
_NOT_HTTP = f"SELECT id FROM {_TRAITS} WHERE endpoint = '' OR substr(endpoint, 1, 4) = 'GET '"
# Of more a transaction takes longer, for which bookings, and pages that write, wait.
RECORDS_AT_ONCE = 30_000
_PARAMETERS_AT_ONCE = 10_000
# For half a million request ids, which fill a sixteenth of them.
_BITS = 1 << 23


class AttemptRow(NamedTuple):
    """One row of the table of attempts, in the order of its columns."""

    record_id: int
    client_request: int
    began_at: int
    requested_at: int
    source_id: int
    model_id: int
    api_key_id: int
    failed: bool
    status_code: int | None
    number: int
    attempts: int
    succeeded: int
    path: str


ClientRequest = list[AttemptRow]

# Server, request id, client key, alias and endpoint.
_Call = tuple[int, str, int, int, str]


class _Record(NamedTuple):
    id: int
    requested_at: int
    end: int
    source_id: int
    model_id: int
    api_key_id: int
    failed: bool
    status_code: int | None
    call: _Call


def client_requests(
    since: int, until: int, using: str = DEFAULT_DB_ALIAS, *, request_id: str = ""
) -> list[ClientRequest]:
    """Return the client requests with several attempts of which one starts in `[since, until)`: each whole, in order.

    Microseconds since 1970 UTC; `request_id`: only those with this one. Of what was pruned nothing is derived: groups that
    reach into it stay as they are.
    """
    first, last = since - REACH, until + REACH
    records = _read(first, last, {request_id} if request_id else None, using)
    while True:
        records.sort(key=attrgetter("requested_at", "id"))
        groups = [
            group
            for group in _grouped(records)
            if len(group) > 1 and any(since <= record.requested_at < until for record in group)
        ]
        # Others may come before what was read, or after it.
        unsure = {group[0].call[1] for group in groups if _reaches(group, first, last)}
        beyond = [(first - REACH, first), (last, last + REACH)] if unsure else []
        more = [record for ends in beyond for record in _read(*ends, unsure, using)]
        if not more:
            return [_rows(group) for group in groups]
        records += more
        first, last = first - REACH, last + REACH


def _reaches(group: Sequence[_Record], first: int, last: int) -> bool:
    return group[0].requested_at - REACH < first or max(record.end for record in group) + PAUSE >= last


def _grouped(records: Iterable[_Record]) -> Iterator[list[_Record]]:
    """Group `records`, which come in order of time; each group is complete when all have been seen.

    A record starts a new group where all before it of its call ended long ago: so a record that comes later can join
    two groups, and never parts one.
    """
    groups, ends = dict[_Call, list[_Record]](), dict[_Call, int]()
    for record in records:
        call = record.call
        if call in groups and record.requested_at > ends[call] + PAUSE:
            yield groups.pop(call)
            del ends[call]
        groups.setdefault(call, []).append(record)
        ends[call] = max(ends.get(call, 0), record.end)
    yield from groups.values()


def _rows(group: Sequence[_Record]) -> ClientRequest:
    first, succeeded = group[0], sum(not record.failed for record in group)
    path = ",".join(str(record.source_id) for record in group[:LONGEST_PATH])
    return [
        AttemptRow(
            record.id, first.id, first.requested_at, record.requested_at, record.source_id, record.model_id,
            record.api_key_id, record.failed, record.status_code, number, len(group), succeeded, path,
        )
        for number, record in enumerate(group, 1)
    ]  # fmt: skip


def _read(since: int, until: int, request_ids: Collection[str] | None, using: str) -> list[_Record]:
    """Read the records with one of `request_ids`, None: with any that is there at least twice."""
    kept_since = records_since(using)
    within = f"requested_at >= {max(since, kept_since)} AND requested_at < {until}"
    # Of a call that was partly pruned, its rows tell more than what is left of its records.
    partly_pruned = f"SELECT record_id FROM {TABLE} WHERE {within} AND began_at < {kept_since}"
    within += f" AND request_id <> '' AND traits_id NOT IN ({_NOT_HTTP})"
    if request_ids is None:
        wanted = f"id IN ({', '.join(map(str, _repeated(within, using))) or 'NULL'})"
    else:
        wanted = f"request_id IN ({', '.join(['%s'] * len(request_ids))})"
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT found.id, requested_at, COALESCE(latency_ms, 0), source_id, model_id, api_key_id, failed, "
            f"status_code, sources.instance_id, request_id, alias_id, traits.endpoint FROM (SELECT id, requested_at, "
            f"latency_ms, source_id, model_id, {OF_RECORDS['api_key_id']} AS api_key_id, failed, status_code, "
            f"request_id, alias_id, traits_id FROM {RECORDS} WHERE {within} AND {wanted} "
            f"AND id NOT IN ({partly_pruned})) AS found "
            f"JOIN {_SOURCES} AS sources ON sources.id = source_id JOIN {_TRAITS} AS traits ON traits.id = traits_id",
            list(request_ids or ()),
        )
        return [
            _Record(
                pk, at, at + min(latency_ms * 1_000, LONGEST), source, model, api_key, bool(failed), status,
                (instance, request_id, api_key, alias, endpoint),
            )
            for pk, at, latency_ms, source, model, api_key, failed, status, instance, request_id, alias, endpoint
            in cursor.fetchall()
        ]  # fmt: skip


def _repeated(where: str, using: str) -> list[int]:
    """Return the records whose request id is there at least twice, in little memory however many there are.

    One reading finds what may be, by a bit for each hash; another sorts out the few that only share it. To group so many
    texts takes SQLite twice as long, and a dictionary of those of a busy hour 100 MB.
    """
    read = f"SELECT request_id, id FROM {RECORDS} WHERE {where}"
    seen, suspects = bytearray(_BITS // 8), set[int]()
    for request_id, _pk in streamed(read, using):
        bit = hash(request_id) % _BITS
        if seen[bit >> 3] & (1 << (bit & 7)):
            suspects.add(bit)
        seen[bit >> 3] |= 1 << (bit & 7)
    if not suspects:
        return []
    found: dict[str, list[int]] = {}
    for request_id, pk in streamed(read, using):
        if hash(request_id) % _BITS in suspects:
            found.setdefault(request_id, []).append(pk)
    return sorted(pk for pks in found.values() if len(pks) > 1 for pk in pks)


def stale_stretches(since: int, until: int, using: str = DEFAULT_DB_ALIAS) -> list[tuple[int, int]]:
    """Return the stretches of `[since, until)`, in whole hours, whose attempts are still to be derived."""
    return [(hours[0], hours[-1] + HOUR) for hours in stretches(_stale_hours(since, until, using), RECORDS_AT_ONCE)]


def derive(
    until: int | None = None, is_stopping: Callable[[], bool] = lambda: False, between: Courtesy = courtesy.none
) -> int:
    """Derive the attempts of the stale hours that began before `until` (None: of all); return how many hours.

    Some hours are a transaction: what stops it leaves the rest stale. `between` is called between two of these. Each hour
    has its turn once, and those to which records come meanwhile stay stale.
    """
    derived, since = 0, None
    while not is_stopping() and (hours := _next_stale(since, until)):
        since = hours[-1] + HOUR
        if _derive_stretch(hours[0], since):
            derived += len(hours)
        between()
    return derived


def _next_stale(since: int | None, until: int | None) -> list[int]:
    return next(stretches(islice(_stale_hours(since, until), 100), RECORDS_AT_ONCE), [])


def _derive_stretch(since: int, until: int) -> bool:
    """Return whether nothing came between. Reading takes seconds where an hour is busy, and nobody waits for it."""
    moment = Moment.now()
    peaks.place_new_sources(since, until)
    rows = [row for group in client_requests(since, until) for row in group]
    highest = peaks.highest(since, until)
    with transaction.atomic():
        lock_booking()
        is_current = moment.is_current(since, until) and peaks.is_current(highest)
        if is_current:
            _replace(since, until, rows)
            peaks.keep(highest)
            _unmark(since, until)
        return is_current


def _stale_hours(
    since: int | None = None, until: int | None = None, using: str = DEFAULT_DB_ALIAS
) -> list[tuple[int, int]]:
    """Return the stale hours in order, and how many records each has."""
    limits = [f"hour >= {since}"] * (since is not None) + [f"hour < {until}"] * (until is not None)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT hour, CAST(COALESCE(SUM(requests), 0) AS BIGINT) FROM {_STALE} "
            f"LEFT JOIN {HOURLY_BY_MODEL.table} ON bucket = hour "
            f"{'WHERE' if limits else ''} {' AND '.join(limits)} GROUP BY hour ORDER BY hour"
        )
        return list(cursor.fetchall())


def stretches(hours: Iterable[tuple[int, int]], most: int) -> Iterator[list[int]]:
    """Put hours (with how many records they have) that follow each other together, as long as these have `most` records."""
    stretch: list[int] = []
    records = 0
    for hour, count in hours:
        if stretch and (hour != stretch[-1] + HOUR or records + count > most):
            yield stretch
            stretch, records = [], 0
        stretch.append(hour)
        records += count
    if stretch:
        yield stretch


def _replace(since: int, until: int, rows: list[AttemptRow]) -> None:
    """Groups only grow, but for those that were wrong: what is there of the hours goes, and what has become part of it."""
    hours = {row.requested_at // HOUR for row in rows}
    with connection.cursor() as cursor:
        within = f"SELECT client_request FROM {TABLE} WHERE requested_at >= {since} AND requested_at < {until}"
        hours |= _delete(cursor, f"client_request IN ({within})")
        beside = [row.record_id for row in rows if not since <= row.requested_at < until]
        for at in range(0, len(beside), _PARAMETERS_AT_ONCE):
            ids = beside[at : at + _PARAMETERS_AT_ONCE]
            hours |= _delete(cursor, f"record_id IN ({', '.join(map(str, ids))})")
        values = ", ".join(["%s"] * len(AttemptRow._fields))
        cursor.executemany(f"INSERT INTO {TABLE} ({', '.join(AttemptRow._fields)}) VALUES ({values})", rows)
        _add_up(cursor, hours)


def _delete(cursor: CursorWrapper, where: str) -> set[int]:
    """Return of which hours (since 1970 UTC) those were."""
    where = f"began_at >= {records_since()} AND {where}"
    cursor.execute(f"SELECT DISTINCT requested_at / {HOUR} FROM {TABLE} WHERE {where}")
    hours = {hour for (hour,) in cursor.fetchall()}
    cursor.execute(f"DELETE FROM {TABLE} WHERE {where}")
    return hours


def _add_up(cursor: CursorWrapper, hours: Iterable[int]) -> None:
    for hour in sorted(hours):
        start = hour * HOUR
        cursor.execute(f"DELETE FROM {HOURS} WHERE hour = {start}")
        cursor.execute(
            f"INSERT INTO {HOURS} (hour, first_began_at, {', '.join(OF_ATTEMPTS)}) "
            f"SELECT {start}, MIN(began_at), {', '.join(OF_ATTEMPTS.values())} FROM {TABLE} "
            f"WHERE requested_at >= {start} AND requested_at < {start + HOUR} HAVING COUNT(*) > 0"
        )


def _unmark(since: int, until: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_STALE} WHERE hour >= {since} AND hour < {until}")
