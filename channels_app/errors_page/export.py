"""The tables of the Errors page as files."""

from __future__ import annotations

from collections.abc import Iterator

from django.http.response import HttpResponseBase

from channels_app.chart_file import CHART, chart_file
from channels_app.data_file import data_file
from channels_app.errors_page.classes import class_of
from channels_app.errors_page.page import ErrorsPage

_GROUPS = (
    "status_code", "class", "message", "failed", "share", "channels", "accounts", "models", "first_seen", "last_seen",
)  # fmt: skip
_ACCOUNTS = ("account", "channel", "requests", "failed", "error_rate")


def export(page: ErrorsPage, section: str, file_format: str) -> HttpResponseBase:
    """Return the groups that the page shows, or what `section` asks for: "accounts", or the chart."""
    if section == CHART:
        return chart_file(page.chart, "errors", page.scope, file_format)
    if section == "accounts":
        return data_file("errors-accounts", page.scope, _ACCOUNTS, list(_accounts(page)), file_format)
    return data_file("errors", page.scope, _GROUPS, list(_groups(page)), file_format)


def _groups(page: ErrorsPage) -> Iterator[list[object]]:
    for row in page.rows:
        channels = "; ".join(channel.name for channel in row.channels)
        yield [
            row.code or None, class_of(row.code), row.message, row.count, row.share, channels, row.account_count,
            row.model_count, row.first, row.last,
        ]  # fmt: skip


def _accounts(page: ErrorsPage) -> Iterator[list[object]]:
    for row in page.accounts:
        attempts = row.attempts
        yield [row.name, row.channel.name, attempts.requests, attempts.failed, attempts.error_rate]
