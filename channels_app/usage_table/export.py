"""A table of usage as a file: CSV that spreadsheets open as it is, and JSON (`ui.md` 15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from channels_app.csv_file import CSV, csv_answer, file_name
from channels_app.filter_bar.scope import Scope
from channels_app.usage_table.row import Row
from channels_app.usage_table.table import Table

JSON = "json"
FORMATS = (CSV, JSON)


def export(table: Table, scope: Scope, name: str, file_format: str) -> HttpResponseBase:
    """Return all rows of a table and, below each that is open, its parts. `name` says whose table it is."""
    with timezone.override(scope.period.zone):
        header = [*_identity(table), *(column.field for column in table.columns if column.field)]
        rows = [_values(table, row, parent) for row, parent in _every(table.ordered)]
    if file_format == CSV:
        return csv_answer(name, scope.period, header, rows)
    answer = JsonResponse({"meta": _meta(scope), "rows": [dict(zip(header, row, strict=True)) for row in rows]})
    answer["Content-Disposition"] = f'attachment; filename="{file_name(name, scope.period, JSON)}"'
    return answer


def _every(rows: list[Row]) -> Iterator[tuple[Row, Row | None]]:
    for row in rows:
        yield row, None
        for child in row.children:
            yield child, row


def _identity(table: Table) -> list[str]:
    """What tells a row apart; of a part, whose it is."""
    has_parts = any(row.children for row in table.rows)
    return ["id", "name", *(["part_of"] if has_parts else [])]


def _values(table: Table, row: Row, parent: Row | None) -> list[object]:
    identity: list[object] = [row.value, row.name, parent.value if parent else ""]
    figures = [column.export(row) for column in table.columns if column.field]
    return [*identity[: len(_identity(table))], *(_told(figure) for figure in figures)]


def _told(figure: object) -> object:
    if isinstance(figure, datetime):
        return figure.astimezone(timezone.get_current_timezone()).isoformat(timespec="seconds")
    return round(figure, 6) if isinstance(figure, float) else figure


def _meta(scope: Scope) -> dict[str, Any]:
    period = scope.period
    return {
        "generated_at": timezone.now().isoformat(timespec="seconds"),
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "tz": period.zone.key,
        "filters": [list(one) for one in scope.filters.parameters],
        "cost_basis": scope.basis,
        "currency": "USD",
    }
