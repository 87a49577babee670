"""What each metric of Explore says, in a line (`ui.md` 6): what tables have a column of is told by that."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.usage_table.columns import COLUMNS

_COLUMN_OF = {
    **{
        name: name
        for name in (
            "tokens", "requests", "failed", "cost", "input", "cached", "written", "output", "reasoning", "unclassified",
            "success", "hit", "blended", "size", "speed", "p50", "p95",
        )
    },
    "per_request": "each",
    "ttft50": "ttft",
}  # fmt: skip

MEANINGS: dict[str, Promise | str] = {
    **{metric: COLUMNS[column].note for metric, column in _COLUMN_OF.items()},
    "succeeded": _("Requests − failed"),
    "without_usage": _("Succeeded requests of which upstream told no tokens"),
    "client_success": _("Client requests of which some attempt succeeded ÷ all client requests"),
    "error_rate": _("Failed ÷ requests"),
    "coverage": _("Tokens that have a price ÷ all tokens"),
    "saved": _("What cached input would have cost more at the price of input, less what was paid more for writing it"),
    "ttft95": _("95 of 100 answers took at most this long until the first token"),
    "rpm": _("Requests ÷ minutes of the period that were recorded"),
    "tpm": _("Tokens ÷ minutes of the period that were recorded"),
    "peak_rpm": _("The most requests that began in one minute"),
    "peak_tpm": _("The most tokens of requests that began in one minute"),
    "channels": _("Channels with a request at least"),
    "accounts": _("Accounts with a request at least"),
    "models": _("Models with a request at least"),
    "keys": _("API keys with a request at least"),
}
