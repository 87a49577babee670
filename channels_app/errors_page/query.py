"""What the address of the Errors page asks for, and the addresses of its neighbouring states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict

from channels_app.address import Address
from channels_app.buckets import AUTO
from channels_app.dashboard.query import listed, one_of
from channels_app.filter_bar.bar import Option
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, read_scope
from channels_app.interval import options, read_interval

SORTS = ("-count", "-last")
# Groups of a page, and of one that shows more; a file has all.
LIMITS = (25, 200)
MOST = 10_000


@dataclass(frozen=True, slots=True)
class ErrorsQuery:
    """`open` are kinds of failures, `hide` classes of the chart."""

    scope: Scope
    sort: str
    limit: int
    open: frozenset[str] = frozenset()
    hide: frozenset[str] = frozenset()
    bucket: str = AUTO
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        own = {
            "sort": "" if self.sort == SORTS[0] else self.sort,
            "limit": "" if self.limit == LIMITS[0] else str(self.limit),
            "open": ",".join(sorted(self.open)),
            "hide": ",".join(sorted(self.hide)),
            "bucket": "" if self.bucket == AUTO else self.bucket,
        }
        return self.scope.address.joined((name, value) for name, value in own.items() if value)

    @property
    def anywhen(self) -> Address:
        """The same without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    @property
    def intervals(self) -> list[Option]:
        return options(self.scope, self.address, self.bucket)

    def sorting(self, sort: str) -> Address:
        return replace(self, sort=sort).address

    def toggling(self, key: str) -> ErrorsQuery:
        return replace(self, open=self.open ^ {key})

    def opening(self, keys: Iterable[str]) -> Address:
        return replace(self, open=frozenset(keys)).address

    def hiding(self, key: str) -> ErrorsQuery:
        return replace(self, hide=self.hide ^ {key})


def read_errors_query(query: QueryDict, now: datetime) -> ErrorsQuery:
    scope, warnings = read_scope(query, now), list[str]()
    return ErrorsQuery(
        scope,
        one_of(query, "sort", SORTS, warnings),
        int(one_of(query, "limit", tuple(map(str, LIMITS)), warnings)),
        listed(query, "open"),
        listed(query, "hide"),
        read_interval(query, scope, warnings),
        (*scope.warnings, *warnings),
    )
