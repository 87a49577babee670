"""When a channel, account, model or client key was first and last used, ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from channels_app.stats.conditions import EVERYTHING, Conditions, listed
from channels_app.stats.database import database
from channels_app.stats.questions import DIMENSIONS
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from usage.ingest.grains import (
    DAILY_BY_KEY,
    DAILY_BY_MODEL,
    DAILY_BY_SOURCE,
    DAY,
    HOUR,
    HOURLY,
    HOURLY_BY_MODEL,
    HOURLY_BY_SOURCE,
    OF_RECORDS,
    RECORDS,
    Grain,
)
from usage.models import UsageDailyBySource
from usage.models.fields import from_micros, to_micros

_DAYS = {"source_id": DAILY_BY_SOURCE, "model_id": DAILY_BY_MODEL, "api_key_id": DAILY_BY_KEY}
_HOURS = {"source_id": HOURLY_BY_SOURCE, "model_id": HOURLY_BY_MODEL}
# The further back, the less it matters when exactly.
_TO_THE_HOUR, _EXACT = DAY, 2 * HOUR


class Seen(NamedTuple):
    """`first` is the beginning of a day; `last` is exact within two hours, within a day an hour's beginning, else a day's."""

    first: datetime
    last: datetime


def first_day() -> datetime | None:
    """Return the beginning of the first day of which there is a sum, and so of all that is known; None where nothing is."""
    return once(_first_day)


def _first_day(alias: str) -> datetime | None:
    first = UsageDailyBySource.objects.using(alias).order_by("bucket").first()
    return first.bucket if first else None


def seen_by(dimension: str, now: datetime, conditions: Conditions = EVERYTHING) -> dict[int | None, Seen]:
    """Return by id of a channel, account, source, model or key (None: unknown) when it was used.

    `conditions` may be those of one kind that the dimension is of: sources, models or keys.
    """
    column = DIMENSIONS[dimension]
    kept = "source_id" if column in OF_SOURCES else column
    where = [f"{name} IN {listed(ids)}" for name, ids in conditions.ids.items()]
    moment = to_micros(now)
    newest = [
        f"requested_at >= {moment - _EXACT}",
        *(f"{OF_RECORDS[kept]} IN {listed(ids)}" for ids in _ids(conditions)),
    ]
    since = moment - _TO_THE_HOUR
    hours = (
        _of_keys(since, where) if kept == "api_key_id" else _of_sums(_HOURS[kept], kept, [f"bucket >= {since}", *where])
    )
    pieces = [
        _of_sums(_DAYS[kept], kept, where),
        hours,
        f"SELECT {OF_RECORDS[kept]} AS {kept}, MIN(requested_at) AS first, MAX(requested_at) AS last "
        f"FROM {RECORDS} WHERE {' AND '.join(newest)} GROUP BY 1",
    ]
    joined = WITH_SOURCES if column in OF_SOURCES else ""
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT {OF_SOURCES.get(column, f'pieces.{column}')}, MIN(first), MAX(last) "
            f"FROM ({' UNION ALL '.join(pieces)}) AS pieces {joined} GROUP BY 1"
        )
        return {row[0]: Seen(from_micros(row[1]), from_micros(row[2])) for row in cursor.fetchall()}


def _ids(conditions: Conditions) -> Iterable[frozenset[int]]:
    return conditions.ids.values()


def _of_sums(grain: Grain, column: str, where: Iterable[str]) -> str:
    condition = " AND ".join(where) or "1 = 1"
    return f"SELECT {column}, MIN(bucket) AS first, MAX(bucket) AS last FROM {grain.table} WHERE {condition} GROUP BY {column}"


def _of_keys(since: int, where: Iterable[str]) -> str:
    """The hours of keys are those of all dimensions, many: each key is looked up by itself, if it was used lately."""
    latest = f"SELECT MAX(bucket) FROM {HOURLY.table} AS hours WHERE hours.api_key_id = days.api_key_id AND bucket >= {since}"
    used = " AND ".join((f"bucket >= {since - DAY}", *where))
    days = f"SELECT api_key_id, MIN(bucket) AS first FROM {DAILY_BY_KEY.table} WHERE {used} GROUP BY api_key_id"
    return f"SELECT days.api_key_id, days.first, ({latest}) AS last FROM ({days}) AS days"
