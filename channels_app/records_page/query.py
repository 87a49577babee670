"""What the address of the Records page asks for: a scope, an order, a place in it, and what only records can answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.buckets import AUTO
from channels_app.columns import PARAMETER as COLUMNS
from channels_app.columns import read_columns, written
from channels_app.filter_bar.bar import Option
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, read_scope
from channels_app.interval import options, read_interval
from channels_app.records import DEFAULT_SORT, LIMITS, SORTS, Cursor, CursorError, read_cursor
from channels_app.records_page.columns import OPTIONAL, USUAL
from channels_app.records_page.search import Search, read_search
from channels_app.stats import Conditions
from channels_app.stats.failures import Kind

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class RecordsQuery:
    """`columns` are by what they differ from the usual ones."""

    scope: Scope
    sort: str
    limit: int
    columns: tuple[str, ...]
    search: Search
    cursor: Cursor | None
    failure: Kind | None = None
    bucket: str = AUTO
    warnings: tuple[str, ...] = ()

    @property
    def conditions(self) -> Conditions:
        """Those of the filters, and of one kind of failure where one is asked for."""
        asked = self.scope.conditions
        return self.failure.among(asked) if self.failure else asked

    @property
    def address(self) -> Address:
        """This very list, from its beginning."""
        return (
            self.scope.address.joined(self.search.parameters)
            .setting("sort", "" if self.sort == DEFAULT_SORT else self.sort)
            .setting("limit", "" if self.limit == LIMITS[0] else str(self.limit))
            .setting(COLUMNS, *written("records", self.columns))
            .setting("failure", str(self.failure or ""))
            .setting("bucket", "" if self.bucket == AUTO else self.bucket)
        )

    @property
    def anywhen(self) -> Address:
        """The same list without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    @property
    def intervals(self) -> list[Option]:
        return options(self.scope, self.address, self.bucket)

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    def sorting(self, column: str) -> Address:
        """The list after a click on a column's header: the largest first, then the smallest."""
        sort = column if self.sort == f"-{column}" else f"-{column}"
        return self.address.setting("sort", "" if sort == DEFAULT_SORT else sort)

    def at(self, cursor: Cursor) -> Address:
        return self.address.setting(AFTER if cursor.back else BEFORE, str(cursor))


def read_records_query(query: QueryDict, now: datetime) -> RecordsQuery:
    scope, warnings = read_scope(query, now), list[str]()
    sort = _one_of(query, "sort", SORTS, DEFAULT_SORT, warnings)
    limit = int(_one_of(query, "limit", tuple(map(str, LIMITS)), str(LIMITS[0]), warnings))
    columns = read_columns(query, "records", USUAL, OPTIONAL)
    search = read_search(query)
    warnings += search.warnings
    cursor = _read_cursor(query, sort, warnings)
    failure = _read_failure(query, warnings)
    bucket = read_interval(query, scope, warnings)
    return RecordsQuery(scope, sort, limit, columns, search, cursor, failure, bucket, (*scope.warnings, *warnings))


def _one_of(query: QueryDict, name: str, known: tuple[str, ...], default: str, warnings: list[str]) -> str:
    value = query.get(name) or default
    if value in known:
        return value
    warnings.append(
        _("%(name)s=%(value)s is none of %(known)s") % {"name": name, "value": value, "known": ", ".join(known)}
    )
    return default


def _read_failure(query: QueryDict, warnings: list[str]) -> Kind | None:
    text = query.get("failure", "")
    kind = Kind.read(text)
    if text and kind is None:
        warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": "failure", "value": text[:60]})
    return kind


def _read_cursor(query: QueryDict, sort: str, warnings: list[str]) -> Cursor | None:
    """Of two, the one that leads on."""
    for name in (BEFORE, AFTER):
        if text := query.get(name):
            try:
                return read_cursor(text, sort, back=name == AFTER)
            except CursorError as error:
                warnings.append(str(error))
    return None
