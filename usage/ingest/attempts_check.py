"""Proves that stored attempts are those that the records tell, and that their hours are their sums."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from usage.ingest.attempts import (
    FAR,
    HOURS,
    OF_ATTEMPTS,
    RECORDS_AT_ONCE,
    TABLE,
    AttemptRow,
    client_requests,
    stale_stretches,
    stretches,
)
from usage.ingest.grains import HOUR, HOURLY_BY_MODEL
from usage.ingest.moment import Moment
from usage.ingest.rollup import records_since

# The table, and the start of an hour (microseconds since 1970 UTC).
Difference = tuple[str, int]


def differences(limit: int = 10) -> list[Difference]:
    """Return the hours whose attempts or sums of these differ, `limit` of each at most; none is the invariant.

    Hours that wait to be derived, those a day around them, and those of pruned records tell nothing.
    """
    found: list[Difference] = []
    for since, until in _settled():
        found += [(TABLE, hour) for hour in _differing_between(since, until)]
        if len(found) >= limit:
            break
    return [*found[:limit], *((HOURS, hour) for hour in _differing_sums(limit))]


def _settled() -> Iterator[tuple[int, int]]:
    """Yield stretches of hours, of so many records as are read at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bucket, CAST(SUM(requests) AS BIGINT) FROM {HOURLY_BY_MODEL.table} "
            f"WHERE bucket >= {records_since()} GROUP BY bucket ORDER BY bucket"
        )
        hours = cursor.fetchall()
    for stretch in stretches(hours, RECORDS_AT_ONCE):
        yield stretch[0], stretch[-1] + HOUR


def _differing_between(since: int, until: int) -> set[int]:
    moment = Moment.now()
    if stale_stretches(since - FAR, until + FAR):
        return set()
    told = {row for group in client_requests(since, until) for row in group if since <= row.requested_at < until}
    stored = _stored(since, until)
    # What was booked meanwhile is not derived yet.
    return {row.requested_at // HOUR * HOUR for row in told ^ stored} if moment == Moment.now() else set()


def _stored(since: int, until: int) -> set[AttemptRow]:
    """Of client requests that were not pruned in part: their rows tell more than what is left of their records."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(AttemptRow._fields)} FROM {TABLE} "
            f"WHERE requested_at >= {since} AND requested_at < {until} AND began_at >= {records_since()}"
        )
        return {AttemptRow(*row)._replace(failed=bool(row[AttemptRow._fields.index("failed")])) for row in cursor}


def _differing_sums(limit: int) -> list[int]:
    """In one statement, which sees one moment."""
    sums = ", ".join(OF_ATTEMPTS)
    attempts = (
        f"SELECT requested_at / {HOUR} * {HOUR} AS hour, MIN(began_at) AS first_began_at, "
        f"{', '.join(f'CAST({value} AS BIGINT) AS {name}' for name, value in OF_ATTEMPTS.items())} "
        f"FROM {TABLE} GROUP BY 1"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT hour FROM (SELECT hour, first_began_at, {sums} FROM {HOURS} UNION ALL {attempts}) AS both_sides "
            f"GROUP BY hour, first_began_at, {sums} HAVING COUNT(*) = 1 ORDER BY hour LIMIT %s",
            [limit],
        )
        return [hour for (hour,) in cursor.fetchall()]
