"""What the address of a page with one table asks for: its order, which rows are open, and which columns it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Self

from django.http import QueryDict

from channels_app.address import Address
from channels_app.columns import PARAMETER, read_columns, written
from channels_app.dashboard.query import listed
from channels_app.filter_bar.scope import Scope, read_scope
from channels_app.usage_table.table import DEFAULT_SORT, LIMITS, read_limit, read_sort


@dataclass(frozen=True)
class ListQuery:
    """`table` is one of columns.TABLES. `open` are keys of rows, `columns` by what they differ from the usual ones."""

    table: ClassVar[str]

    scope: Scope
    sort: str = DEFAULT_SORT
    open: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    limit: int = LIMITS[0]
    warnings: tuple[str, ...] = ()

    @cached_property
    def address(self) -> Address:
        """This very state; each row has some of its neighbours."""
        address = self.scope.address.setting("sort", "" if self.sort == DEFAULT_SORT else self.sort)
        address = address.setting("limit", "" if self.limit == LIMITS[0] else str(self.limit))
        return address.setting("open", ",".join(sorted(self.open))).setting(
            PARAMETER, *written(self.table, self.columns)
        )

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    def toggling(self, key: str) -> str:
        return str(self.address.setting("open", ",".join(sorted(self.open ^ {key}))))

    def opening(self, keys: Sequence[str]) -> Address:
        return self.address.setting("open", ",".join(sorted(keys)))

    @classmethod
    def read(cls, query: QueryDict, now: datetime, usual: Sequence[str], optional: Sequence[str]) -> Self:
        scope = read_scope(query, now)
        warnings = [*scope.warnings]
        sort = read_sort(query.get("sort", ""), (*usual, *optional), warnings)
        columns = read_columns(query, cls.table, usual, optional)
        limit = read_limit(query, warnings)
        return cls(scope, sort, listed(query, "open"), columns, limit, tuple(warnings))
