"""The values of a chart over time as a file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.charts.time_chart import Link, TimeChart
from channels_app.data_file import data_file
from channels_app.filter_bar.scope import Scope

# What `section` asks for: the main chart of a page, or one of the others.
CHART, LATENCY, SUCCESS = "chart", "latency", "success"


def links_to_files(address: Address, section: str = CHART) -> list[Link]:
    """Return where the values of a chart of the page at `address` are."""
    labels = {"csv": _("Chart data as CSV"), "json": _("Chart data as JSON")}
    chart = address.setting("section", section)
    return [Link(label, str(chart.setting("format", name)), is_file=True) for name, label in labels.items()]


def chart_file(chart: TimeChart, name: str, scope: Scope, file_format: str, section: str = CHART) -> HttpResponseBase:
    """Return a row for each interval that has begun, a column for each series, hidden ones too: whole numbers of the
    chart's unit (tokens, requests, nano-USD, ms, hundredths of a per cent, tenths of tokens a second), empty where nothing
    is known. `name` says of what it is, and `section` which of its charts.
    """
    header = ["from", *(one.name for one in chart.series)]
    return data_file(f"{name}-{section}", scope, header, list(_rows(chart)), file_format)


def _rows(chart: TimeChart) -> Iterator[list[object]]:
    for at, start in enumerate(chart.timeline.edges[: chart.timeline.begun]):
        yield [start, *(one.values[at] for one in chart.series)]
