"""The list of records, newest first or by value, by keyset: each page costs the same, however deep it is (`ui.md` 11.8)."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db import connection
from django.db.models import Prefetch
from django.utils.translation import gettext as _

from channels_app.stats.occurrences import stretches
from channels_app.stats.tables import Conditions, Span, of_records
from usage.ingest.rollup import RECORDS
from usage.models import Source, UsageRecord

TIME = "time"
_TOKENS = "(uncached_input + cache_read + cache_write + output + reasoning + unclassified)"
# What is not known comes last in either order.
_UNKNOWN = {"DESC": -1, "ASC": 2**63 - 1}
_VALUES = {TIME: "requested_at", "cost": "cost_nanousd", "tokens": _TOKENS, "latency": "latency_ms"}
SORTS = tuple(f"{sign}{name}" for name in _VALUES for sign in ("-", ""))
DEFAULT_SORT = f"-{TIME}"
LIMITS = (50, 100, 200)
_CURSOR = struct.Struct(">Bqq")


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
        number, value, pk = _CURSOR.unpack(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, struct.error):
        raise CursorError(_("%(value)s is no cursor of this list; begin without one") % {"value": text[:60]}) from None
    if number >= len(SORTS) or SORTS[number] != sort:
        raise CursorError(_("The cursor belongs to another order than %(sort)s; begin without one") % {"sort": sort})
    return Cursor(sort, Place(value, pk), back)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records in the order of the list, and where it goes on.

    `older` leads towards the end of the list and is None there. `newer` leads back, and is there as long as there are
    rows: what comes later can be asked for by it. In orders other than by time, read: further down, further up.
    """

    rows: list[UsageRecord]
    older: Cursor | None
    newer: Cursor | None
    is_first: bool
