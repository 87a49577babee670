"""The columns that the list of requests can have besides its first, the time: in their usual order. And what they mean."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.usage_table.columns import COLUMNS
from usage.meaning import Meaning

LABELS: dict[str, Promise] = {
    "status": _("Status"),
    "server": _("Server"),
    "channel": _("Channel / account"),
    "model": _("Model"),
    "key": _("API key"),
    "input": _("Input"),
    "cached": _("Cached"),
    "written": _("Cache write"),
    "output": _("Output"),
    "reasoning": _("Reasoning"),
    "total": _("Total tokens"),
    "hit": _("Cache hit"),
    "cost": _("Est. cost"),
    "ttft": _("TTFT"),
    "latency": _("Latency"),
    "speed": _("Speed, tok/s"),
    "endpoint": _("Endpoint"),
    "effort": _("Effort"),
    "tier": _("Service tier"),
    "ip": _("Client IP"),
    "agent": _("User agent"),
    "request": _("Request ID"),
    "attempts": _("Attempts"),
}
# Shown when asked for; all others are unless somebody hides them.
OPTIONAL = ("written", "total", "hit", "endpoint", "effort", "tier", "ip", "agent", "request", "attempts")
USUAL = tuple(name for name in LABELS if name not in OPTIONAL)
_NOTES: dict[str, Promise | str] = {
    "time": _("When the request began"),
    "status": _("The HTTP status that upstream answered with"),
    "server": _("The CPA server that passed it on"),
    "channel": _("The way upstream, and the credential that was used"),
    "model": _("The model that answered; after the arrow the name that was asked for"),
    "key": _("The client's key that called CPA"),
    "ttft": _("Time to the first token"),
    "latency": _("From the request to the end of its answer"),
    "speed": _("Tokens a second, from the first token on"),
    "endpoint": _("Which address of CPA was called"),
    "effort": _("The reasoning effort that was asked for"),
    "tier": _("Asked for, then billed"),
    "ip": _("The address that the client called from"),
    "agent": _("What the client calls itself"),
    "request": _("CPA's number of the call, which all its attempts share"),
    "attempts": _("Which one this was, and of how many"),
    "total": COLUMNS["tokens"].note,
    **{name: COLUMNS[name].note for name in ("input", "cached", "written", "output", "reasoning", "hit", "cost")},
}
MEANINGS = {name: Meaning(name, ({"time": _("Time")} | LABELS)[name], note) for name, note in _NOTES.items()}
