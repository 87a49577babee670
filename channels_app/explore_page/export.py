"""What Explore shows as a file: its table, or (`section` "chart") the values of its chart."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase

from channels_app.data_file import data_file
from channels_app.explore_page.page import ExplorePage, Row


def export(page: ExplorePage, section: str, file_format: str) -> HttpResponseBase:
    """Values are whole numbers of the metric's unit: tokens, requests, nano-USD, ms, hundredths of a per cent, tenths of
    tokens a second.
    """
    if section == "chart":
        header = ["from", *(one.name for one in page.groups.shown)]
        return data_file("explore-chart", page.scope, header, list(_intervals(page)), file_format)
    header = ["group", "part", page.query.metric, "share", "before"]
    return data_file("explore", page.scope, header, list(_rows(page)), file_format)


def _intervals(page: ExplorePage) -> Iterator[list[object]]:
    timeline = page.answers.timeline
    for at, start in enumerate(timeline.edges[: timeline.begun]):
        yield [start, *(one.line.values[at] for one in page.groups.shown)]


def _rows(page: ExplorePage) -> Iterator[list[object]]:
    for row in page.rows:
        yield [row.name, "", row.total, row.share, row.before]
        yield from (_part(row, part) for part in row.parts)


def _part(row: Row, part: Row) -> list[object]:
    return [row.name, part.name, part.total, part.share, None]
