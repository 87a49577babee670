"""CSV files that spreadsheets open as they are (`ui.md` 15)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

from channels_app.filter_bar.shift import exact
from channels_app.period import Period
from usage import formats

CSV = "csv"
# A spreadsheet would take a text that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What a csv.writer writes is returned instead of kept."""

    def write(self, text: str) -> str:
        return text


def csv_answer(
    name: str, period: Period, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """Return a file of these rows, which is sent while they are made. `name` says of what it is."""
    answer = StreamingHttpResponse(_lines(header, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{file_name(name, period, CSV)}"'
    return answer


def file_name(name: str, period: Period, ending: str) -> str:
    since, until = (end.replace(":", "").replace("-", "") for end in exact(period))
    days = f"{since}-{until}" if period.has_start else period.name
    return f"usage-{name}_{days}_{formats.utc_offset(period.last_moment).replace(formats.MINUS, '-')}.{ending}"


def _lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a mark by which spreadsheets know UTF-8, then lines."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([_inert(name) for name in header])
    for row in rows:
        yield writer.writerow([_inert(value) for value in row])


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
