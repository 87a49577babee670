"""The values of a chart over time as a file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase

from channels_app.charts.time_chart import TimeChart
from channels_app.data_file import data_file
from channels_app.filter_bar.scope import Scope

# What `section` asks for.
CHART = "chart"


def chart_file(chart: TimeChart, name: str, scope: Scope, file_format: str) -> HttpResponseBase:
    """Return a row for each interval that has begun, a column for each series, hidden ones too: whole numbers of the
    chart's unit (tokens, requests, nano-USD, ms, hundredths of a per cent, tenths of tokens a second), empty where nothing
    is known. `name` says of what it is.
    """
    header = ["from", *(one.name for one in chart.series)]
    return data_file(f"{name}-chart", scope, header, list(_rows(chart)), file_format)


def _rows(chart: TimeChart) -> Iterator[list[object]]:
    for at, start in enumerate(chart.timeline.edges[: chart.timeline.begun]):
        yield [start, *(one.values[at] for one in chart.series)]
