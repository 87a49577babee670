"""What failed, put together by what upstream said of it: a status code and a message (`ui.md` 11.9)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from channels_app.stats.conditions import NOTHING, Conditions, Span, listed, of_records, one_of
from channels_app.stats.database import database
from channels_app.stats.each_span import of_each
from channels_app.stats.remembering import once
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from channels_app.stats.tables import cut
from usage.ingest.grains import FAILURES, HOUR, OF_RECORDS, RECORDS
from usage.ingest.rollup import records_since
from usage.models import Source

_DIMENSIONS = ("status_code", "message_id", "source_id", "model_id")
# SQLite takes 500 parts of a query.
_HOURS_AT_ONCE = 250
# A channel and an account.
_Place = tuple[int | None, int | None]
_KIND = re.compile(r"(\d{1,3})-(\d{1,9})", re.ASCII)


class Kind(NamedTuple):
    """A status code (NO_STATUS: none) and the id of a message (NO_MESSAGE: none)."""

    code: int
    message: int

    def __str__(self) -> str:
        """As it stands in an address."""
        return f"{self.code}-{self.message}"

    @classmethod
    def read(cls, text: str) -> Kind | None:
        found = _KIND.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None

    def among(self, conditions: Conditions) -> Conditions:
        """Return what of `conditions` is of this kind."""
        failed = of_failures(conditions)
        is_asked = not failed.codes or any(first <= self.code <= last for first, last in failed.codes)
        own = replace(failed, codes=((self.code, self.code),), messages=frozenset({self.message}))
        return own if is_asked and failed != NOTHING else NOTHING


@dataclass(slots=True)
class Spreading:
    """Whom failures of one kind met: how many of them each channel (None: unknown) and model, and how many accounts.

    `first` and `last` are moments in microseconds since 1970 UTC; of pruned records the beginning of their hour.
    """

    first: int
    last: int
    channels: Counter[int | None] = field(default_factory=Counter)
    models: Counter[int] = field(default_factory=Counter)
    accounts: int = 0


def of_failures(conditions: Conditions) -> Conditions:
    """Return the same of failures alone."""
    return NOTHING if conditions.failed is False else replace(conditions, failed=True)


def whatever_became(conditions: Conditions) -> Conditions:
    """Return the same of what succeeded too: failures are a part of that."""
    return replace(conditions, failed=None, codes=(), messages=None)


def spreading(span: Span, conditions: Conditions, kinds: Collection[Kind]) -> dict[Kind, Spreading]:
    """Return whom the failures of these kinds met in `span`."""
    conditions = replace(of_failures(conditions), messages=frozenset(kind.message for kind in kinds))
    if not all(conditions.ids.values()):
        return {}
    rows = _by_source_and_model(span, conditions)
    places, asked, found = _places({source for _code, _message, source, *_ in rows}), {*kinds}, dict[Kind, Spreading]()
    for kind, of_it in groupby(rows, itemgetter(0, 1)):
        if kind in asked:  # a message comes with other codes, too
            found[Kind(*kind)] = _spreading(of_it, places)
    _find_moments(found, span, conditions)
    return found


def _spreading(rows: Iterable[tuple[int, ...]], places: Mapping[int, _Place]) -> Spreading:
    _codes, _messages, sources, models, counts, firsts, lasts = zip(*rows, strict=True)
    found, accounts = Spreading(min(firsts), max(lasts)), set[int | None]()
    for source, count in zip(sources, counts, strict=True):
        channel, account = places[source]
        found.channels[channel] += count
        accounts.add(account)
    for model, count in zip(models, counts, strict=True):
        found.models[model] += count
    found.accounts = len(accounts - {None})
    return found


def _by_source_and_model(span: Span, conditions: Conditions) -> list[tuple[int, ...]]:
    """Return (*_DIMENSIONS, requests, first, last), in the order of kinds."""
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(_DIMENSIONS)}, CAST(SUM(requests) AS BIGINT), MIN(moment), MAX(moment) "
            f"FROM ({' UNION ALL '.join(_moments(span, conditions))}) AS parts GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
        )
        return list(cursor.fetchall())


def _places(sources: Collection[int]) -> dict[int, _Place]:
    """Return the channel and the account that each source means now."""
    pieces = f"SELECT id AS source_id FROM {Source._meta.db_table} WHERE id IN {listed(sources)}"
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT source_id, {OF_SOURCES['channel_id']}, {OF_SOURCES['account_id']} "
            f"FROM ({pieces}) AS pieces {WITH_SOURCES}"
        )
        return {source: (channel, account) for source, channel, account in cursor.fetchall()}


def _moments(span: Span, conditions: Conditions) -> Iterator[str]:
    """Yield queries of the dimensions, how often there were requests, and when."""
    pruned_until = once(records_since)
    for grain, piece in cut(span, (FAILURES,)):
        if grain is None and piece.until > pruned_until:
            where = [f"requested_at >= {piece.since}", f"requested_at < {piece.until}", *of_records(conditions)]
            values = [f"{OF_RECORDS[name]} AS {name}" for name in _DIMENSIONS]
            columns, table = [*values, "1 AS requests", "requested_at AS moment"], RECORDS
        else:
            where = [f"bucket >= {piece.since}", f"bucket < {piece.until}"]
            where += [f"{name} IN {listed(ids)}" for name, ids in conditions.ids.items()]
            where += [one_of(conditions.codes)] if conditions.codes else []
            columns, table = [*_DIMENSIONS, "requests", "bucket AS moment"], FAILURES.table
        yield f"SELECT {', '.join(columns)} FROM {table} WHERE {' AND '.join(where)}"


def _find_moments(found: dict[Kind, Spreading], span: Span, conditions: Conditions) -> None:
    """Sums know the hours of the first and the last failure; the records of these tell the moments, where they are kept."""
    hours = sorted({moment // HOUR * HOUR for one in found.values() for moment in (one.first, one.last)})
    known = dict[tuple[Kind, int], tuple[int, int]]()
    for at in range(0, len(hours), _HOURS_AT_ONCE):
        known |= _moments_of(hours[at : at + _HOURS_AT_ONCE], span, conditions)
    for kind, one in found.items():
        one.first = known.get((kind, one.first // HOUR * HOUR), (one.first, 0))[0]
        one.last = known.get((kind, one.last // HOUR * HOUR), (0, one.last))[1]


def _moments_of(hours: Sequence[int], span: Span, conditions: Conditions) -> dict[tuple[Kind, int], tuple[int, int]]:
    """Return the first and the last failure of each kind in each of these hours."""
    pieces = of_each(
        [(max(hour, span.since), min(hour + HOUR, span.until)) for hour in hours],
        lambda within: (
            f"SELECT {OF_RECORDS['status_code']} AS code, {OF_RECORDS['message_id']} AS message, requested_at AS moment "
            f"FROM {RECORDS} WHERE {' AND '.join([within, *of_records(conditions)])}"
        ),
    )
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT code, message, moment / {HOUR} * {HOUR}, MIN(moment), MAX(moment) "
            f"FROM ({pieces}) AS pieces GROUP BY 1, 2, 3"
        )
        return {(Kind(code, message), hour): (first, last) for code, message, hour, first, last in cursor.fetchall()}
