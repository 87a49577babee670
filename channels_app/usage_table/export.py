"""A table of usage as a file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase

from channels_app.data_file import data_file
from channels_app.filter_bar.scope import Scope
from channels_app.usage_table.row import Row
from channels_app.usage_table.table import Table


def export(table: Table, scope: Scope, name: str, file_format: str) -> HttpResponseBase:
    """Return all rows of a table and, below each that is open, its parts. `name` says whose table it is."""
    header = [*_identity(table), *(column.field for column in table.columns if column.field)]
    rows = [_values(table, row, parent) for row, parent in _every(table.ordered)]
    return data_file(name, scope, header, rows, file_format)


def _every(rows: list[Row], parent: Row | None = None) -> Iterator[tuple[Row, Row | None]]:
    for row in rows:
        yield row, parent
        yield from _every(row.children, row)


def _identity(table: Table) -> list[str]:
    """What tells a row apart; of a part, whose it is."""
    has_parts = any(row.children for row in table.rows)
    return ["id", "name", *(["part_of"] if has_parts else [])]


def _values(table: Table, row: Row, parent: Row | None) -> list[object]:
    identity: list[object] = [row.value, row.name, parent.value if parent else ""]
    figures = [column.export(row) for column in table.columns if column.field]
    return [*identity[: len(_identity(table))], *figures]
