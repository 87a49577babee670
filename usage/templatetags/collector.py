"""The small drawings of the Collector page, as inline SVG because the CSP allows no style attributes."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage import formats

register = template.Library()

# Instance.polls keeps as many.
_POLLS = 90
_STEP, _TICK, _HEIGHT = 4, 3, 24
# Each kind of poll has its own height beside its colour: what brought records, nothing, an error, or came late.
_TICKS = {"o": ("ok", 18), "e": ("", 6), "x": ("fail", 24), "l": ("warn", 12)}


@register.simple_tag
def poll_strip(polls: str) -> SafeString:
    """A tick for each poll, the newest at the right."""
    start = _POLLS - len(polls)
    ticks = [
        ((start + at) * _STEP, _HEIGHT - height, height, level)
        for at, (level, height) in enumerate(_TICKS.get(poll, ("", 6)) for poll in polls)
    ]
    return _drawing(_POLLS * _STEP, _TICK, ticks)


@register.simple_tag
def poll_summary(polls: str) -> str:
    """The strip in words."""
    if not polls:
        return _("none yet")
    failed, late = polls.count("x"), polls.count("l")
    parts = [ngettext("%(n)s poll", "%(n)s polls", len(polls)) % {"n": len(polls)}]
    if failed:
        parts.append(_("%(n)s failed") % {"n": failed})
    if late:
        parts.append(_("%(n)s late") % {"n": late})
    return " · ".join(parts)


@register.simple_tag
def hour_bars(hours: Sequence[int]) -> SafeString:
    """A bar for each hour, the newest at the right; an hour without requests leaves a line."""
    most = max(hours, default=0) or 1
    heights = [max(1, round(_HEIGHT * requests / most)) for requests in hours]
    bars = [(at * 15, _HEIGHT - height, height, "") for at, height in enumerate(heights)]
    return _drawing(len(hours) * 15, 12, bars)


def _drawing(width: int, bar: int, bars: Sequence[tuple[int, int, int, str]]) -> SafeString:
    rects = format_html_join(
        "",
        '<g class="{3}"><rect class="level" x="{0}" y="{1}" width="{4}" height="{2}"/></g>',
        ((x, y, height, level, bar) for x, y, height, level in bars),
    )
    return format_html(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        width,
        _HEIGHT,
        rects,
    )


@register.simple_tag
def clock_offset(seconds: int) -> str:
    """CPA's clock against ours, with its sign."""
    return f"{'+' if seconds > 0 else ''}{formats.grouped(seconds)} s"
