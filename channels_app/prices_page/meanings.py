"""What the columns of the tables of prices mean."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from channels_app.usage_table.columns import COLUMNS
from usage.meaning import meanings

PRICES = meanings(
    ("pattern", _("Model or pattern"), _("An exact name goes before a pattern, a longer pattern before a shorter one")),
    ("input", _("Input"), _("USD per 1 M tokens of input that came from no cache")),
    ("cached", _("Cached"), _("USD per 1 M tokens of input read from the cache")),
    ("written", _("Cache write"), _("USD per 1 M tokens of input written to the cache")),
    ("output", _("Output"), _("USD per 1 M tokens of output without reasoning")),
    ("reasoning", _("Reasoning"), _("USD per 1 M tokens of reasoning")),
    ("each", _("Per request"), _("USD for each request, beside its tokens")),
    ("condition", _("Condition"), _("Which requests it is for: by service tier or size of the input")),
    ("multiplier", _("Multiplier"), _("Factor on the prices of tokens")),
    ("source", _("Source"), _("Where it is from, and when it was last changed")),
    ("from", _("Effective from"), _("Requests that began before have the price before")),
    (
        "matches",
        _("Matches, 30 days"),
        _("Models of the last 30 days for which it may have counted, and what all their requests cost"),
    ),
)

UNPRICED = meanings(
    ("requests", _("Requests, 30 days"), COLUMNS["requests"].note),
    ("tokens", _("Tokens, 30 days"), COLUMNS["tokens"].note),
)

MULTIPLIERS = meanings(
    ("multiplier", _("Multiplier"), _("Factor on the prices of tokens, on top of the multiplier of the price")),
    ("from", _("Effective from"), _("Requests that began before have the multiplier before")),
    ("state", _("State"), _("Whether it counts for requests that begin now")),
)
