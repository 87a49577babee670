"""A table of usage: which columns it has, in which order its rows are, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import NamedTuple

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.dashboard.query import one_of
from channels_app.stats import ModelRow, Timing, Usage
from channels_app.usage_table.columns import COLUMNS, Column, share
from channels_app.usage_table.row import Row, models_of, others_of, total_of

DEFAULT_SORT = "-tokens"
# Rows of a page, and of one that shows more: of what is beyond, the sum. Files have all.
LIMITS = (50, 500)
_MOST_COLUMNS = 13


class Head(NamedTuple):
    """A column's header as `channels/_header.html` wants it."""

    column: Column
    label: Promise | str
    address: str
    is_sorted: bool
    descending: bool


@dataclass
class Table:
    """`title` says what its rows are; `address` is the page's own. `named_by` is the template of the first cell of a row."""

    id: str
    title: Promise | str
    columns: Sequence[Column]
    rows: Sequence[Row]
    usage: Usage
    sort: str
    address: Address
    named_by: str = "usage_table/_name.html"
    # Of all rows together: percentiles do not add up.
    timing: Timing | None = None
    # What its cost is the sum of, where the rows themselves are no models.
    models: Sequence[ModelRow] = ()
    # What it is sorted by where its address does not say.
    usual_sort: str = DEFAULT_SORT
    limit: int = LIMITS[1]

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def is_wide(self) -> bool:
        """Whether it is wider than most windows, and so scrolls."""
        return len(self.columns) > _MOST_COLUMNS

    @property
    def heads(self) -> Iterator[Head]:
        name = Column("name", self.title, lambda row: None, lambda row: "")
        for column in (name, *self.columns):
            yield Head(
                column, column.label, str(self._sorting(column.key)) if column.is_sortable else "",
                column.key == self.sorted_by, self.descending,
            )  # fmt: skip

    def _sorting(self, key: str) -> Address:
        """After a click on a header: numbers start with the largest, names with A."""
        first, second = (key, f"-{key}") if key == "name" else (f"-{key}", key)
        sort = second if self.sort == first else first
        return self.address.setting("sort", "" if sort == self.usual_sort else sort)

    @property
    def ordered(self) -> list[Row]:
        return in_order(self.rows, self.sort)

    @property
    def shown(self) -> list[Row]:
        rows = self.ordered
        if len(rows) <= self.limit + 1:
            return rows
        more = str(self.address.setting("limit", str(LIMITS[1]))) if self.limit == LIMITS[0] else ""
        return [*rows[: self.limit], others_of(rows[self.limit :], self.usage, more)]

    @property
    def total(self) -> Row:
        return total_of(self.usage, self.models or models_of(self.rows), self.timing)

    def cells(self, row: Row) -> SafeString:
        """Put together here: a template takes several times as long."""
        return mark_safe("".join(f"{start}{write(row)}</td>" for start, write in self._cells))  # noqa: S308

    @cached_property
    def _cells(self) -> list[tuple[str, Callable[[Row], object]]]:
        """How the cell of each column begins, and what writes it: a label is translated once, not in each of a hundred rows."""
        return [
            (f'<td class="{column.key}" data-label="{escape(str(column.label))}">', column.write)
            for column in self.columns
        ]


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
    """Order rows, ties by name; what has no value, and what is unknown, goes last in every order."""
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    ordered = sorted(rows, key=lambda row: row.name.casefold(), reverse=sort == "-name")
    if key != "name":
        figure = (COLUMNS.get(key) or share(key)).figure
        figures = {row.key: figure(row) for row in ordered}
        known = [row for row in ordered if figures[row.key] is not None]
        known.sort(key=lambda row: figures[row.key], reverse=descending)  # type: ignore[arg-type, return-value]
        ordered = [*known, *(row for row in ordered if figures[row.key] is None)]
    for row in ordered:
        row.children = in_order(row.children, sort)
    return sorted(ordered, key=lambda row: row.is_last)


def read_limit(query: QueryDict, warnings: list[str]) -> int:
    """Return how many rows are asked for: one of LIMITS."""
    return int(one_of(query, "limit", tuple(map(str, LIMITS)), warnings))


def read_sort(asked: str, columns: Sequence[str], warnings: list[str], usual: str = DEFAULT_SORT) -> str:
    """Return what a table with these columns is sorted by; `usual` is one of them."""
    key = asked.removeprefix("-")
    if not asked or key == "name" or (key in columns and COLUMNS[key].is_sortable):
        return asked or usual
    facts = {"name": asked, "usual": COLUMNS[usual.removeprefix("-")].label}
    warnings.append(_("There is no column “%(name)s” to sort by. Sorted by: %(usual)s.") % facts)
    return usual


def columns_of(keys: Sequence[str], sort: str, usage: Usage) -> list[Column]:
    """Return columns by their keys, without those that are zero throughout and seldom used."""
    seldom = {"written": usage.cache_write, "unclassified": usage.unclassified}
    return [share(sort.removeprefix("-")) if key == "share" else COLUMNS[key] for key in keys if seldom.get(key, 1)]


TITLES = {
    "channel": gettext_lazy("Channel"),
    "account": gettext_lazy("Account"),
    "model": gettext_lazy("Model"),
    "key": gettext_lazy("API key"),
    "code": gettext_lazy("Code"),
}
