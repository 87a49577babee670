"""What the Models page shows as a file: its table, or the models as its chart draws them."""

from __future__ import annotations

from django.http.response import HttpResponseBase

from channels_app.chart_file import CHART
from channels_app.data_file import data_file
from channels_app.models_page.page import ModelsPage
from channels_app.usage_table.columns import usd
from channels_app.usage_table.export import export as table_file

_HEADER = ["model", "total_tokens", "tokens_per_second", "blended_usd_per_million_tokens"]


def export(page: ModelsPage, section: str, file_format: str) -> HttpResponseBase:
    """Of the chart, what could not be drawn is there too: empty where a speed or a price is not known."""
    if section != CHART:
        return table_file(page.table, page.scope, "models", file_format)
    rows = [[one.name, one.tokens, one.speed, usd(one.price)] for one in page.bubbles.bubbles]
    return data_file("models-chart", page.scope, _HEADER, rows, file_format)
