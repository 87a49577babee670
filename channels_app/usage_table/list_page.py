"""What pages with one table of usage have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from django.utils.functional import Promise

from channels_app.filter_bar.page import DataPage
from channels_app.stats import Usage, breakdown
from channels_app.stats.questions import Group
from channels_app.usage_table.columns import COLUMNS, Column
from channels_app.usage_table.list_query import ListQuery
from channels_app.usage_table.row import Row, rows_of
from channels_app.usage_table.table import columns_of
from channels_app.usage_table.trend import trends
from usage.models import Instance, UsageRecord


class ListPage(DataPage):
    """A table of all values of the dimension `by`. `usual` are the keys of its columns, `optional` of those that are shown
    when asked for, or sorted by.
    """

    query: ListQuery
    by: str
    usual: Sequence[str]
    optional: Sequence[str]

    def __init__(self, query: ListQuery, now: datetime) -> None:
        self.query, self.now = query, now

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

    @cached_property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server`, `no_records` or `no_match`; empty where there is."""
        if self.groups:
            return ""
        if UsageRecord.objects.exists():
            return "no_match"
        return "no_records" if Instance.objects.exists() else "no_server"

    @property
    def shown(self) -> frozenset[str]:
        """The keys of all columns that are shown; what the table is sorted by is among them."""
        return frozenset((*self.usual, *self.query.columns, self.query.sorted_by))

    @property
    def table_columns(self) -> list[Column]:
        shown = self.shown
        keys = [key for key in (*self.usual[:-1], *self.optional, self.usual[-1]) if key in shown]
        return columns_of(keys, self.query.sort, self.usage)

    @property
    def columns(self) -> list[tuple[str, Promise | str, bool]]:
        """What can be added: key, label, and whether it is."""
        return [(key, COLUMNS[key].label, key in self.query.columns) for key in self.optional]

    def rows(self) -> list[Row]:
        """Rows with what all tables show of them."""
        rows = rows_of(self.by, self.groups, self.usage, self.query.scope.address)
        sparks = trends(self.scope, self.now, self.by, self.query.sorted_by)
        for row in rows:
            row.spark = sparks.get(row.group)
            row.toggle, row.is_open = self.query.toggling(row.key), row.key in self.query.open
        return rows

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
