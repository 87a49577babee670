"""The list of records, newest first or by value, by keyset: each page costs the same, however deep it is (`ui.md` 11.8)."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import NamedTuple

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from channels_app.stats.conditions import Conditions, Span, of_records
from channels_app.stats.database import database
from channels_app.stats.each_span import ends, of_each, values_of_each
from channels_app.stats.occurrences import stretches
from usage.ingest.grains import RECORDS, TOTAL
from usage.models import Source, UsageRecord
from usage.models.fields import to_micros

TIME = "time"
_VALUES = {TIME: "requested_at", "cost": "cost_nanousd", "tokens": f"({TOTAL})", "latency": "latency_ms"}
_MAY_BE_UNKNOWN = ("cost", "latency")
_LARGEST = 2**63 - 1
SORTS = tuple(f"{sign}{name}" for name in _VALUES for sign in ("-", ""))
DEFAULT_SORT = f"-{TIME}"
LIMITS = (50, 100, 200)
# Of which the best are found at once.
_MANY = 50_000
# What no sum knows is searched for in the records, this many at a time and for so many seconds; then people are asked.
_READ_AT_ONCE, _LONGEST_SEARCH = 10_000, 0.1
# A speed needs a while after the first token (`ui.md` M24).
_SHORTEST_MS = 100
_CURSOR = struct.Struct(">Bqq")
# What a record points to, and a source.
_NAMES, _OF_SOURCES = ("model", "alias", "api_key", "traits", "client"), ("instance", "channel", "account__channel")
_FEW = 10


class CursorError(ValueError):
    """A cursor that this list did not give out; its text says so."""


class Place(NamedTuple):
    """Where a record stands in a list: what it is sorted by, and its id among equals."""

    value: int
    id: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list of one order, from which to go on towards its end or back to its beginning."""

    sort: str
    place: Place
    back: bool = False

    def __str__(self) -> str:
        """As it stands in an address. The order is in it: in another one the place would be another."""
        return base64.urlsafe_b64encode(_CURSOR.pack(SORTS.index(self.sort), *self.place)).decode().rstrip("=")


def read_cursor(text: str, sort: str, *, back: bool = False) -> Cursor:
    """Return the place that `text` tells of. Raises CursorError."""
    try:
        number, value, pk = _CURSOR.unpack(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error, struct.error):
        raise CursorError(_("%(value)s is no cursor of this list; begin without one") % {"value": text[:60]}) from None
    if number >= len(SORTS) or SORTS[number] != sort:
        raise CursorError(_("The cursor belongs to another order than %(sort)s; begin without one") % {"sort": sort})
    return Cursor(sort, Place(value, pk), back)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What records must fulfil besides, that no sum knows: conditions in SQL, and the values of their placeholders."""

    where: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some records in the order of the list, and where it goes on.

    `older` leads towards the end of the list and is None there. `newer` leads back, and is there as long as there are
    rows: what comes later can be asked for by it. In orders other than by time, read: further down, further up.
    `searched_to` (microseconds since 1970 UTC) is where a search for what no sum knows paused before the page was full.
    """

    rows: list[UsageRecord]
    older: Cursor | None
    newer: Cursor | None
    is_first: bool
    searched_to: int | None = None


class _Found(NamedTuple):
    """Places in order, and the one at which the search paused."""

    places: list[Place]
    paused: Place | None = None


def records(
    span: Span,
    conditions: Conditions,
    sort: str = DEFAULT_SORT,
    cursor: Cursor | None = None,
    limit: int = LIMITS[0],
    narrowing: Narrowing = Narrowing(),
) -> Page:
    """Return `limit` records of `span` that fulfil `conditions`, from `cursor` on or, without, from the beginning.

    `sort` is one of SORTS; a record that another process books meanwhile comes where it belongs and moves no other.
    By time, what that costs does not depend on how many records there are; by value, all of `span` that may fulfil
    `conditions` is read. `narrowing` by time reads so many and pauses.
    """
    order = _Order.of(sort)
    back = cursor is not None and cursor.back
    places, paused = _places(
        span, conditions, order.reversed if back else order, cursor.place if cursor else None, limit + 1, narrowing
    )
    there_is_more, places = len(places) > limit, places[:limit]
    if back:
        places.reverse()
    if not places and not paused:
        return Page([], None, None, is_first=back or cursor is None)
    first, last = (places[0], places[-1]) if places else (None, None)
    upper, lower = (paused or first, last) if back else (first, paused or last)
    return Page(
        _rows([place.id for place in places]),
        older=Cursor(sort, lower) if lower and (there_is_more or back or paused) else None,
        newer=Cursor(sort, upper, back=True) if upper else None,
        is_first=not there_is_more and not paused if back else cursor is None,
        searched_to=paused.value if paused else None,
    )


def place_of(row: UsageRecord, sort: str) -> Place:
    """Return where `row` stands in the list of this order."""
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")
    values = {"cost": row.cost_nanousd, "tokens": row.total_tokens, "latency": row.latency_ms}
    value = to_micros(row.requested_at) if name == TIME else values[name]
    return Place(_unknown(is_descending) if value is None else value, row.pk)


def _unknown(descending: bool) -> int:
    """What is not known comes last in either order."""
    return -1 if descending else _LARGEST


@dataclass(frozen=True, slots=True)
class _Order:
    """What places are compared by, and whether larger ones come first."""

    name: str
    value: str
    descending: bool

    @classmethod
    def of(cls, sort: str) -> _Order:
        name, descending = sort.removeprefix("-"), sort.startswith("-")
        value = _VALUES[name]
        if name in _MAY_BE_UNKNOWN:
            value = f"COALESCE({value}, {_unknown(descending)})"
        return cls(name, value, descending)

    @property
    def reversed(self) -> _Order:
        return replace(self, descending=not self.descending)

    @property
    def words(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        return f"1 {direction}, 2 {direction}"

    def before(self, span: Span) -> Place:
        """Of time: where to begin to have all of `span`, and nothing that comes before it."""
        return Place(span.until - 1, _LARGEST) if self.descending else Place(span.since, 0)

    def beyond(self, place: Place) -> str:
        return f"({self.value}, id) {'<' if self.descending else '>'} ({place.value:d}, {place.id:d})"


def _places(
    span: Span, conditions: Conditions, order: _Order, start: Place | None, limit: int, narrowing: Narrowing
) -> _Found:
    """Return the first `limit` places in this order after `start`."""
    where = [*of_records(conditions), *narrowing.where, *([order.beyond(start)] if start else [])]
    if order.name != TIME:
        return _Found(_best_places(span, conditions, where, order, limit, narrowing.values))
    if start:
        span = (
            Span(span.since, min(span.until, start.value + 1))
            if order.descending
            else Span(max(span.since, start.value), span.until)
        )
    is_search, found = bool(narrowing.where), list[Place]()
    wanted, ends_at = _READ_AT_ONCE if is_search else limit, monotonic() + _LONGEST_SEARCH
    pieces = stretches(span, conditions, wanted, descending=order.descending, piecemeal=is_search)
    for number, spans in enumerate(pieces):
        if is_search and number and monotonic() > ends_at:  # one is read in any case, so that it goes on
            return _Found(found, order.before(spans[0]))
        found += _ask(spans, where, order, limit - len(found), narrowing.values)
        if len(found) == limit:
            break
    return _Found(found)


def _best_places(
    span: Span, conditions: Conditions, where: Sequence[str], order: _Order, limit: int, values: Sequence[str]
) -> list[Place]:
    """Time says nothing of values: all of `span` is looked at, but for the hours that have no such record."""
    found: list[Place] = []
    for spans in stretches(span, conditions, _MANY, descending=True):
        found = sorted([*found, *_ask(spans, where, order, limit, values)], reverse=order.descending)[:limit]
    return found


def _ask(spans: Sequence[Span], where: Sequence[str], order: _Order, limit: int, values: Sequence[str]) -> list[Place]:
    """Each span comes in this order, and not more of it than is wanted."""
    pieces = of_each(
        ends(spans),
        lambda within: (
            f"SELECT {order.value} AS value, id FROM {RECORDS} WHERE {' AND '.join([within, *where])} "
            f"ORDER BY {order.words} LIMIT {limit}"
        ),
    )
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT value, id FROM ({pieces}) AS pieces ORDER BY {order.words} LIMIT {limit}",
            values_of_each(ends(spans), values),
        )
        return [Place(*row) for row in cursor.fetchall()]


def _rows(ids: Sequence[int]) -> list[UsageRecord]:
    """Records with all that they point to, in the order of `ids`. What many share is read once; of few, all with them."""
    rows = UsageRecord.objects.filter(pk__in=ids)
    rows = (
        with_names(rows)
        if len(ids) > _FEW
        else rows.select_related(*(f"source__{name}" for name in _OF_SOURCES), *_NAMES)
    )
    found = {row.pk: row for row in rows}
    return [found[pk] for pk in ids if pk in found]


def with_names(rows: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
    return rows.prefetch_related(Prefetch("source", Source.objects.select_related(*_OF_SOURCES)), *_NAMES)


def tokens_per_second(row: UsageRecord) -> float | None:
    """Return how fast the answer came from its first token on; None where that cannot be told."""
    after = (row.latency_ms or 0) - (row.ttft_ms or 0)
    timed = row.generate and not row.failed and row.ttft_ms and after >= _SHORTEST_MS and row.output_tokens
    return row.output_tokens / after * 1000 if timed else None
