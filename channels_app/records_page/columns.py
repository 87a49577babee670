"""The columns that the list of requests can have besides its first, the time: in their usual order."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

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
