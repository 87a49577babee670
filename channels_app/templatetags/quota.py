"""What quota windows are called."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from channels_app.quota.windows import Window

register = template.Library()

# As CPA calls it (internal/runtime/executor/helps/claude_ratelimit.go).
_MODELS = {"oi": "Fable"}


@register.simple_tag
def window_name(window: Window) -> str:
    """The length in words; of windows of a single kind of model, of which."""
    length, _sep, model = window.name.partition("_")
    number, unit = length[:-1], length[-1:]
    words = {"m": _("%(number)s minutes"), "h": _("%(number)s hours"), "d": _("%(number)s days")}
    text = words[unit] % {"number": number} if number.isdigit() and unit in words else length
    return f"{text} · {_MODELS.get(model, model.title())}" if model else text
