"""How a channel did over time: a cell for each stretch, as high as its traffic and as coloured as its success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.charts.look import Look
from channels_app.charts.timeline import Timeline
from usage import formats

_HEIGHT, _QUIET = 24, 2
_STEPS = (10, 17, 24)


@dataclass(frozen=True)
class StatusStrip:
    """`requests` and `failed` of each begun interval, in so many cells at most."""

    name: str
    look: Look
    timeline: Timeline
    requests: Sequence[int]
    failed: Sequence[int]
    most_cells: int = 48

    @property
    def rate(self) -> float | None:
        total = sum(self.requests)
        return (total - sum(self.failed)) / total if total else None

    @property
    def summary(self) -> str:
        count = f"{self._requests}: {formats.grouped(sum(self.requests))}"
        return count if self.rate is None else f"{count} · {formats.percent(self.rate)}"

    @property
    def svg(self) -> SafeString:
        width = self._width
        starts = range(0, self.timeline.count, width)
        spans = [range(start, min(start + width, self.timeline.count)) for start in starts]
        most = max([1, *(sum(self.requests[span.start : span.stop]) for span in spans)])
        cells = "".join(self._cell(place, span, most) for place, span in enumerate(spans))
        size = f'viewBox="0 0 {len(spans)} {_HEIGHT}" preserveAspectRatio="none"'
        return mark_safe(f'<svg class="strip" {size} aria-hidden="true">{cells}</svg>')  # noqa: S308

    @cached_property
    def _requests(self) -> str:
        return _("Requests")

    @cached_property
    def _from_to(self) -> str:
        return _("%(first)s to %(last)s")

    @property
    def _width(self) -> int:
        """How many intervals are one cell."""
        return -(-self.timeline.count // self.most_cells) or 1

    def _cell(self, place: int, span: range, most: int) -> str:
        if span.start >= self.timeline.begun:
            return ""
        requests, failed = (sum(some[span.start : span.stop]) for some in (self.requests, self.failed))
        gaps = [gap for gap in self.timeline.gap_stretches if gap.first < span.stop and span.start <= gap.last]
        height = _STEPS[min(3 * requests // most, 2)] if requests else _QUIET
        css = _level(requests, failed)
        drawn = f'<rect class="{css}" x="{place}.1" y="{_HEIGHT - height}" width=".8" height="{height}"/>'
        if css == "fail":  # told apart without colour too
            drawn += f'<rect class="notch" x="{place}.35" y="{_HEIGHT - height}" width=".3" height="4"/>'
        if gaps:
            drawn += f'<rect class="hatched" x="{place}.1" y="0" width=".8" height="{_HEIGHT}"/>'
        return f"<g><title>{escape(self._title(span, requests, failed, gaps))}</title>{drawn}</g>"

    def _title(self, span: range, requests: int, failed: int, gaps: Sequence[object]) -> str:
        labels = self.timeline.labels
        first, last = labels[span.start], labels[min(span.stop, len(labels)) - 1]
        parts = [first if first == last else self._from_to % {"first": first, "last": last}]
        parts.append(f"{self._requests}: {formats.grouped(requests)}")
        if requests:
            parts.append(formats.percent((requests - failed) / requests))
        if gaps:
            parts.append(_("no data collected"))
        return " · ".join(parts)


def _level(requests: int, failed: int) -> str:
    if not requests:
        return "quiet"
    rate = (requests - failed) / requests
    if rate >= 0.99:
        return "ok"
    return "ok half" if rate >= 0.95 else "warn" if rate >= 0.8 else "fail"
