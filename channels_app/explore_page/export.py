"""What Explore shows as a file: its table or the values of its chart; of single requests, the points."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase

from channels_app.chart_file import CHART, chart_file
from channels_app.data_file import data_file
from channels_app.explore_page.page import ExplorePage, Row
from channels_app.explore_page.scatter import ScatterPage
from usage.models.fields import from_micros


def export(page: ExplorePage | ScatterPage, section: str, file_format: str) -> HttpResponseBase:
    """Values are whole numbers of the metric's unit: tokens, requests, nano-USD, ms, hundredths of a per cent, tenths of
    tokens a second; on average, millionths of a request and thousandths of a token a minute.
    """
    if section == CHART:
        chart = page.strip if isinstance(page, ScatterPage) else page.chart
        return chart_file(chart, "explore", page.scope, file_format)
    if isinstance(page, ScatterPage):
        header = ["id", page.query.x, page.query.y, "failed"]
        return data_file("explore-points", page.scope, header, list(_points(page)), file_format)
    header = ["group", "part", page.query.metric, "share", "before"]
    return data_file("explore", page.scope, header, list(_rows(page)), file_format)


def _points(page: ScatterPage) -> Iterator[list[object]]:
    """Yield those that are drawn."""
    for point in page.sample.points:
        yield [point.id, from_micros(point.x) if page.query.x == "time" else point.x, point.y, point.failed]


def _rows(page: ExplorePage) -> Iterator[list[object]]:
    for row in page.rows:
        yield [row.name, "", row.total, row.share, row.before]
        yield from (_part(row, part) for part in row.parts)


def _part(row: Row, part: Row) -> list[object]:
    return [row.name, part.name, part.total, part.share, None]
