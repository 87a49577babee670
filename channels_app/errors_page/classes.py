"""Classes of failures by their status code: each has a look of its own, and its place in the stack (`ui.md` C11)."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.charts.look import OTHER, Look, of_slot


class FailureClass(NamedTuple):
    label: Promise
    look: Look


CLASSES = {
    "limit": FailureClass(_("Rate limit (429)"), of_slot(2, "circle")),
    "auth": FailureClass(_("Not authorised (401, 403)"), of_slot(6, "diamond")),
    "client": FailureClass(_("Other 4xx"), of_slot(1, "triangle")),
    "server": FailureClass(_("5xx"), of_slot(7, "square")),
    "timeout": FailureClass(_("Timeout (408, 499, 504)"), of_slot(8, "diamond")),
    "unknown": FailureClass(_("No status"), OTHER),
}
_OF_CODES = {429: "limit", 401: "auth", 403: "auth", 408: "timeout", 499: "timeout", 504: "timeout"}
_OF_HUNDREDS = {4: "client", 5: "server"}


def class_of(code: int) -> str:
    """Return a key of CLASSES. CPA reports 499 where the client went away, and 504 where a deadline passed."""
    return _OF_CODES.get(code) or _OF_HUNDREDS.get(code // 100, "unknown")
