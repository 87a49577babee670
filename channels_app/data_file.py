"""What a page shows as a file: CSV that spreadsheets open as it is, and JSON that says of what it is (`ui.md` 15)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from channels_app.csv_file import CSV, csv_answer, file_name
from channels_app.filter_bar.scope import Scope

JSON = "json"
FORMATS = (CSV, JSON)


def data_file(
    name: str, scope: Scope, header: Sequence[str], rows: Sequence[Sequence[object]], file_format: str
) -> HttpResponseBase:
    """Return a file of these rows, times in the zone of `scope`. `name` says of what it is."""
    told = [[_told(value, scope) for value in row] for row in rows]
    if file_format == CSV:
        return csv_answer(name, scope.period, header, told)
    answer = JsonResponse({"meta": _meta(scope), "rows": [dict(zip(header, row, strict=True)) for row in told]})
    answer["Content-Disposition"] = f'attachment; filename="{file_name(name, scope.period, JSON)}"'
    return answer


def json_stream(
    name: str, scope: Scope, header: Sequence[str], rows: Iterator[Sequence[object]], most: int
) -> StreamingHttpResponse:
    """Return the first `most` of these rows as JSON that is sent while they are made; `truncated` says if there are more."""
    answer = StreamingHttpResponse(_pieces(_meta(scope), header, rows, most), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{file_name(name, scope.period, JSON)}"'
    return answer


def _pieces(meta: dict[str, Any], header: Sequence[str], rows: Iterator[Sequence[object]], most: int) -> Iterator[str]:
    """Yield a row at a time, each whole."""
    yield f'{{"meta": {json.dumps(meta, cls=DjangoJSONEncoder)}, "rows": ['
    for number, row in enumerate(islice(rows, most)):
        yield f"{',' if number else ''}\n{json.dumps(dict(zip(header, row, strict=True)), cls=DjangoJSONEncoder)}"
    yield f'\n], "truncated": {json.dumps(next(rows, None) is not None)}}}'


def _told(value: object, scope: Scope) -> object:
    if isinstance(value, datetime):
        return value.astimezone(scope.period.zone).isoformat(timespec="seconds")
    return round(value, 6) if isinstance(value, float) else value


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
