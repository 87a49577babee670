"""Quota windows: what they are called, and those of a channel or an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django import template
from django.utils.translation import gettext as _

from channels_app.entity_page.entity import Entity
from channels_app.quota.meanings import WINDOWS
from channels_app.quota.windows import Holder, Window, holder_of_account, holders_of_channel
from usage.meaning import Meaning
from usage.models import Account, Channel

register = template.Library()

# As CPA calls it (internal/runtime/executor/helps/claude_ratelimit.go).
_MODELS = {"oi": "Fable"}
# Who has least left of a channel; the page of all has the others.
_MOST = 20


class Found(NamedTuple):
    """`names`: whose they are has to be said; `more` is how many holders there are besides."""

    holders: list[Holder]
    names: bool = False
    more: int = 0
    about: Mapping[str, Meaning] = WINDOWS


@register.simple_tag
def quota_of(entity: Entity, now: datetime) -> Found:
    """Return the windows of a channel's accounts, or of one account."""
    row = entity.row
    if isinstance(row, Account):
        holder = holder_of_account(row, now)
        return Found([holder] if holder else [])
    holders = holders_of_channel(row, now) if row is None or isinstance(row, Channel) else []
    return Found(holders[:_MOST], names=True, more=max(len(holders) - _MOST, 0))


@register.simple_tag
def window_name(window: Window) -> str:
    """The length in words; of windows of a single kind of model, of which."""
    length, _sep, model = window.name.partition("_")
    number, unit = length[:-1], length[-1:]
    words = {"m": _("%(number)s minutes"), "h": _("%(number)s hours"), "d": _("%(number)s days")}
    text = words[unit] % {"number": number} if number.isdigit() and unit in words else length
    return f"{text} · {_MODELS.get(model, model.title())}" if model else text
