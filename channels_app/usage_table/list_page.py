"""What pages with one table of usage have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from channels_app.columns import Choice, arranged, is_rearranged, shown
from channels_app.filter_bar.page import DataPage, Query
from channels_app.stats import Conditions, Timing, Usage, breakdown, span_of, timing, timing_by
from channels_app.stats.questions import Group
from channels_app.stats.seen import seen_by
from channels_app.usage_table.columns import COLUMNS, Column, share
from channels_app.usage_table.list_query import ListQuery
from channels_app.usage_table.row import Row, rows_of
from channels_app.usage_table.table import columns_of
from channels_app.usage_table.trend import trends
from usage.models import Instance, UsageRecord

_TIMED = {"p50", "p95", "ttft"}


class TableQuery(Query, Protocol):
    @property
    def sort(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...


class TablePage(DataPage, ABC):
    """A table of usage, `table_name` among columns.TABLES. `usual` are the keys of its columns, the last of which stays
    last unless its viewer moves it; `optional` of those that are shown when asked for, or sorted by.
    """

    query: TableQuery
    table_name: str
    usual: Sequence[str]
    optional: Sequence[str]
    now: datetime

    @property
    @abstractmethod
    def usage(self) -> Usage:
        """The sum of all rows."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether there is no row."""

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if not self.is_empty:
            return ""
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @cached_property
    def shown(self) -> frozenset[str]:
        """The keys of all columns that are shown; what the table is sorted by is among them."""
        return shown(self.usual, self.query.columns) | {self.query.sort.removeprefix("-")}

    @cached_property
    def _every_column(self) -> list[str]:
        return arranged(self.table_name, (*self.usual[:-1], *self.optional, self.usual[-1]))

    @property
    def table_columns(self) -> list[Column]:
        return columns_of([key for key in self._every_column if key in self.shown], self.query.sort, self.usage)

    @property
    def columns(self) -> list[Choice]:
        """All that there are, in their order."""
        share_of, chosen = share(self.query.sort.removeprefix("-")), shown(self.usual, self.query.columns)
        return [
            Choice(key, COLUMNS.get(key, share_of).label, key in chosen, is_usual=key in self.usual)
            for key in self._every_column
        ]

    @property
    def column_order(self) -> str:
        return ",".join(self._every_column)

    @property
    def has_own_columns(self) -> bool:
        """Whether its viewer has others than the usual ones, or another order."""
        return bool(self.query.columns) or is_rearranged(self.table_name)

    @property
    def timing(self) -> Timing | None:
        """Of all rows together, where a column shows it."""
        return timing(self.scope.span, self.scope.conditions) if self.shown & _TIMED else None

    def tell(
        self, rows: Sequence[Row], by: Sequence[str], conditions: Conditions | None = None, line_by: str = ""
    ) -> None:
        """Give `rows` what no sum of their usage tells, and some column shows. Their groups are those of `by`, the last of
        which is enough to tell them apart where `line_by` names it.
        """
        asked, scope = self.scope.conditions if conditions is None else conditions, self.scope
        if not rows:
            return
        if "delta" in self.shown and (before := scope.compared):
            usages = breakdown(span_of(before), asked, by, scope.basis)
            for row in rows:
                row.previous = usages.get(row.group, Usage())
        if self.shown & _TIMED:
            timings = timing_by(scope.span, asked, by)
            for row in rows:
                row.timing = timings.get(row.group)
        if self.shown & {"first", "last"}:
            seen = seen_by(by[-1], self.now)
            for row in rows:
                row.seen = seen.get(row.group[-1])
        if line_by := line_by or (by[0] if len(by) == 1 else ""):
            sparks = trends(scope, self.now, line_by, self.query.sort.removeprefix("-"))
            for row in rows:
                row.spark = sparks.get(row.group[-1:])


class ListPage(TablePage):
    """A table of all values of the dimension `by`."""

    query: ListQuery
    by: str

    def __init__(self, query: ListQuery, now: datetime) -> None:
        self.query, self.now, self.table_name = query, now, query.table

    @cached_property
    def groups(self) -> dict[Group, Usage]:
        scope = self.scope
        return breakdown(scope.span, scope.conditions, [self.by], scope.basis)

    @cached_property
    def usage(self) -> Usage:
        whole = Usage()
        for usage in self.groups.values():
            whole.add(usage)
        return whole

    @property
    def is_empty(self) -> bool:
        return not self.groups

    @cached_property
    def named(self) -> list[Row]:
        """The rows by their names and sums alone."""
        return rows_of(self.by, self.groups, self.usage, self.query.scope.address)

    def rows(self) -> list[Row]:
        self.tell(self.named, [self.by])
        for row in self.named:
            row.toggle, row.is_open = self.query.toggling(row.key), row.key in self.query.open
        return self.named

    @property
    def opened(self) -> frozenset[int]:
        """The ids of what is open."""
        numbers = (key.removeprefix(f"{self.by}-") for key in self.query.open)
        return frozenset(
            int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 10
        )

    @property
    def expand_all(self) -> str:
        """The address with all rows open, or with none where all are."""
        keys = [f"{self.by}-{pk}" for (pk,) in self.groups]
        return str(self.query.opening([] if self.all_open else keys))

    @property
    def all_open(self) -> bool:
        return {f"{self.by}-{pk}" for (pk,) in self.groups} <= self.query.open
