"""The columns of both tables of the Errors page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from usage.meaning import Meaning

GROUPS = (
    Meaning("message", _("Message"), _("What upstream said, without its numbers, ids and addresses")),
    Meaning("code", _("Code"), _("The HTTP status that upstream answered with")),
    Meaning("count", _("Failed"), _("Requests that failed with this code and message")),
    Meaning("share", _("Share"), _("Part of all failed requests; of an account: of those in the row above")),
    Meaning("channels", _("Channels"), _("The channels that it came from, the most frequent first")),
    Meaning("accounts", _("Accounts"), _("How many accounts it met")),
    Meaning("models", _("Models"), _("How many models were asked for")),
    Meaning("first", _("First seen"), _("The first of them in this period")),
    Meaning("last", _("Last seen"), _("The last of them in this period")),
    Meaning("trend", _("Trend"), _("How many there were over the period")),
)
ACCOUNTS = (
    Meaning("account", _("Account"), _("The credential with which upstream was called")),
    Meaning("channel-name", _("Channel"), _("The way upstream that it belongs to")),
    Meaning("state-of", _("State"), _("What its server said of it last")),
    Meaning("requests", _("Requests"), _("Upstream attempts; a retried call counts each try")),
    Meaning("count", _("Failed"), _("Requests that did not succeed")),
    Meaning("share", _("Error rate"), _("Failed ÷ requests")),
)
