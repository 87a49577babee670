"""When in the week there is traffic: a table of weekdays and hours, shaded by what is usual in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import escape
from typing import NamedTuple

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.charts.steps import Steps
from channels_app.charts.unit import Unit

WEEKDAYS = (
    gettext_lazy("Mon"),
    gettext_lazy("Tue"),
    gettext_lazy("Wed"),
    gettext_lazy("Thu"),
    gettext_lazy("Fri"),
    gettext_lazy("Sat"),
    gettext_lazy("Sun"),
)
_HOURS = 24


class Hour(NamedTuple):
    """`start` is of the report time zone; `is_gap`: in all of it nothing was collected."""

    start: datetime
    value: int
    is_gap: bool


@dataclass
class Heatmap:
    """A cell is the average of its hours, of those in which something was or could have been collected.

    `first_day` is the weekday of the uppermost row; Monday is 0.
    """

    title: str
    unit: Unit
    hours: Sequence[Hour]
    first_day: int = 0

    @cached_property
    def averages(self) -> dict[tuple[int, int], int | None]:
        """By weekday (Monday is 0) and hour; None where nothing could be collected. What never came is not in it."""
        found: dict[tuple[int, int], list[Hour]] = {}
        for hour in self.hours:
            found.setdefault((hour.start.weekday(), hour.start.hour), []).append(hour)
        return {cell: _average(some) for cell, some in found.items()}

    @cached_property
    def steps(self) -> Steps:
        return Steps(value or 0 for value in self.averages.values())

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Each step with the least value in it."""
        return self.steps.legend(self.unit)

    @property
    def table(self) -> SafeString:
        heads = "".join(f'<th scope="col"><span>{hour:02d}</span></th>' for hour in range(_HOURS))
        days = [(self.first_day + place) % len(WEEKDAYS) for place in range(len(WEEKDAYS))]
        rows = "".join(self._row(day, str(WEEKDAYS[day])) for day in days)
        caption = f'<caption class="sr-only">{escape(self.title)}, {escape(str(self.unit.name))}</caption>'
        weekday = _("Weekday")
        head = f'<thead><tr><th scope="col"><span class="sr-only">{escape(weekday)}</span></th>{heads}</tr></thead>'
        return mark_safe(f'<table class="heat">{caption}{head}<tbody>{rows}</tbody></table>')  # noqa: S308

    def _row(self, day: int, name: str) -> str:
        cells = "".join(self._cell(day, name, hour) for hour in range(_HOURS))
        return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'

    def _cell(self, day: int, name: str, hour: int) -> str:
        if (day, hour) not in self.averages:
            text = _("no data")
            return f'<td class="never"><span class="sr-only">{escape(text)}</span></td>'
        value = self.averages[day, hour]
        if value is None:
            text, css = _("no data collected"), "gap"
        else:
            text, css = self.unit.write(value), f"heat-{self.steps.of(value)}"
        words = f"{name} {hour:02d}:00 · {text}"
        return f'<td class="{css}" title="{escape(words)}"><span class="sr-only">{escape(text)}</span></td>'


def _average(hours: Sequence[Hour]) -> int | None:
    """Rounded half up; what is not nothing is never shown as nothing."""
    values = [hour.value for hour in hours if hour.value or not hour.is_gap]
    if not values:
        return None
    return max((2 * sum(values) + len(values)) // (2 * len(values)), min(sum(values), 1))
