"""Small drawings: icons, channel markers and bars, as inline SVG because the CSP allows no style attributes."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, css_class: str = "") -> SafeString:
    """An icon of `shell/_icons.html`; decoration only, so the words stand beside it."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-{}"/></svg>', css_class, name
    )


@register.simple_tag
def marker(color_slot: int | None, shape: str) -> SafeString:
    """A channel's colour and shape; the unknown channel has neither."""
    return format_html(
        '<svg class="marker {}" viewBox="0 0 10 10" aria-hidden="true"><use href="#m-{}"/></svg>',
        slot_class(color_slot),
        shape if color_slot else "unknown",
    )


@register.simple_tag
def bar(fraction: float | None, css_class: str) -> SafeString:
    """A track filled to `fraction`."""
    width = f"{min(max(fraction or 0, 0), 1) * 100:.2f}"
    return mark_safe(  # noqa: S308
        '<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%"/>'
        f'<rect class="{css_class}" width="{width}%" height="100%"/></svg>'
    )


@register.simple_tag
def piece(start: float, share: float, css_class: str) -> SafeString:
    """A part of a bar, from `start` on; one that is there is seen, however small."""
    return format_html(
        '<rect class="{}" x="{}%" width="{}%" height="100%"/>',
        css_class,
        f"{min(start, 0.996) * 100:.2f}",
        f"{max(share, 0.004) * 100:.2f}",
    )


@register.filter
def slot_class(color_slot: int | None) -> str:
    return f"f{color_slot}" if color_slot else "f-other"
