"""What the API keys page shows as a file: its table, or its matrix."""

from __future__ import annotations

from django.http.response import HttpResponseBase

from channels_app.chart_file import CHART
from channels_app.data_file import data_file
from channels_app.keys_page.page import KeysPage
from channels_app.usage_table.columns import usd
from channels_app.usage_table.export import export as table_file

# By the metric of the matrix, as tables call it.
_FIELDS = {"tokens": "total_tokens", "cost": "est_cost_usd", "requests": "requests", "failed": "failed"}


def export(page: KeysPage, section: str, file_format: str) -> HttpResponseBase:
    """Of the matrix, a row for each key with each of its models, the largest first: those too that are drawn as others."""
    if section != CHART:
        return table_file(page.table, page.scope, "keys", file_format)
    metric, matrix = page.query.metric, page.matrix
    header = ["key_id", "key", "model", _FIELDS[metric]]
    rows = [
        [*matrix.down.names[key], matrix.across.names[model][1], usd(value) if metric == "cost" else value]
        for (key, model), value in sorted(matrix.values.items(), key=lambda cell: -cell[1])
    ]
    return data_file("keys-chart", page.scope, header, rows, file_format)
