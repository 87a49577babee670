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
from channels_app.stats.conditions import EVERYTHING, Conditions, Span, span_of
from channels_app.stats.current import Basis, taken_as_ordinary
from channels_app.stats.names import name_groups
from channels_app.stats.percentiles import Spread, Timing, merged, timing, timing_by, timing_series
from channels_app.stats.questions import DIMENSIONS, Series, breakdown, series, top, totals
from channels_app.stats.tables import aggregate
from channels_app.stats.usage import Share, Usage

__all__ = [
    "DEFAULT_SORT",
    "DIMENSIONS",
    "EVERYTHING",
    "SORT_KEYS",
    "UNKNOWN",
    "AccountRow",
    "Basis",
    "ChannelReport",
    "ChannelRow",
    "Conditions",
    "ModelRow",
    "Series",
    "Share",
    "Span",
    "Spread",
    "Timing",
    "Usage",
    "aggregate",
    "breakdown",
    "channel_report",
    "merged",
    "name_groups",
    "series",
    "span_of",
    "taken_as_ordinary",
    "timing",
    "timing_by",
    "timing_series",
    "top",
    "totals",
]
