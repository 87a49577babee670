"""Pieces of charts: markers, hatchings, small lines."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_app.charts.look import Look
from channels_app.charts.sparkline import Sparkline
from channels_app.charts.time_chart import HEIGHT
from channels_app.charts.timeline import Timeline
from channels_app.charts.unit import Unit
from channels_app.templatetags.formats import no_data
from usage import formats

register = template.Library()


@register.simple_tag
def look(look: Look) -> SafeString:
    """The marker of a series."""
    return format_html(
        '<svg class="marker {}" viewBox="0 0 10 10" aria-hidden="true"><use href="#m-{}"/></svg>', look.fill, look.shape
    )


@register.simple_tag
def hatchings(timeline: Timeline) -> SafeString:
    """Collection gaps, and the interval that still runs."""
    areas = [("gap", gap.x, gap.width) for gap in timeline.gap_stretches]
    if timeline.running is not None:
        areas.append(("running", 100 * timeline.running / timeline.count, 100 / timeline.count))
    return format_html_join(
        "",
        '<rect class="hatched" x="{}%" width="{}%" height="100%" fill="url(#p-{})"/>',
        ((f"{x:.3f}", f"{width:.3f}", name) for name, x, width in areas),
    )


@register.simple_tag
def spark(line: Sparkline | None) -> SafeString | str:
    if line is None:
        return ""
    title = format_html("<title>{}</title>", _("Peak: %(value)s") % {"value": line.peak}) if line.peak else ""
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}<path class="line" d="{}"/></svg>',
        line.width, HEIGHT, title, line.path,
    )  # fmt: skip


@register.filter
def figure(value: int | None, unit: Unit) -> SafeString:
    """The same with its exact number, for tables; a labelled dash where there is none."""
    return no_data() if value is None else format_html('<span data-value="{}">{}</span>', value, unit.write(value))


@register.filter
def written(value: int | None, unit: Unit) -> str:
    """A value in its unit."""
    return formats.NO_DATA if value is None else unit.write(value)
