"""The answers: the only package that adds up usage."""

from channels_app.stats.channels import (
    DEFAULT_SORT,
    SORT_KEYS,
    UNKNOWN,
    AccountRow,
    ChannelReport,
    ChannelRow,
    ModelRow,
    channel_report,
)
from channels_app.stats.questions import DIMENSIONS, Series, breakdown, series, totals
from channels_app.stats.tables import EVERYTHING, Conditions, Span, aggregate, span_of
from channels_app.stats.usage import Share, Usage

__all__ = [
    "DEFAULT_SORT",
    "DIMENSIONS",
    "EVERYTHING",
    "SORT_KEYS",
    "UNKNOWN",
    "AccountRow",
    "ChannelReport",
    "ChannelRow",
    "Conditions",
    "ModelRow",
    "Series",
    "Share",
    "Span",
    "Usage",
    "aggregate",
    "breakdown",
    "channel_report",
    "series",
    "span_of",
    "totals",
]
