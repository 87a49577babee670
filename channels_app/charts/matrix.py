"""How much of what is with what: a table of the largest in two directions, shaded (`ui.md` 10.2, C7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import NamedTuple

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.charts.steps import Steps
from channels_app.charts.unit import Unit
from usage import formats

# In each direction; of more, the others are one.
_SHOWN = 12
# No id of a row is below 0.
_OTHER = -1

Id = int | None


class Axis(NamedTuple):
    """`names` are what a filter takes and what people read, by id."""

    title: str
    names: Mapping[Id, tuple[str, str]]


@dataclass
class Matrix:
    """`values` are by the ids of both directions, down first; `address` leads to what is behind a cell."""

    title: str
    unit: Unit
    down: Axis
    across: Axis
    values: Mapping[tuple[Id, ...], int]
    address: Callable[[str, str], str]

    @cached_property
    def rows(self) -> list[Id]:
        return self._largest(0)

    @cached_property
    def columns(self) -> list[Id]:
        return self._largest(1)

    def _largest(self, place: int) -> list[Id]:
        sums = Counter[Id]()
        for group, value in self.values.items():
            sums[group[place]] += value
        names = (self.down, self.across)[place].names
        ordered = sorted(sums, key=lambda one: (-sums[one], names[one][1]))
        return ordered if len(ordered) <= _SHOWN + 1 else [*ordered[:_SHOWN], _OTHER]

    @cached_property
    def cells(self) -> Counter[tuple[Id, Id]]:
        rows, columns = set(self.rows), set(self.columns)
        found = Counter[tuple[Id, Id]]()
        for (row, column), value in self.values.items():
            found[row if row in rows else _OTHER, column if column in columns else _OTHER] += value
        return found

    @cached_property
    def steps(self) -> Steps:
        return Steps(self.cells.values())

    @property
    def legend(self) -> list[tuple[int, str]]:
        return self.steps.legend(self.unit)

    @property
    def table(self) -> SafeString:
        corner = escape(f"{self.down.title} / {self.across.title}")
        heads = "".join(f'<th scope="col">{self._name(self.across, one)}</th>' for one in self.columns)
        rows = "".join(
            f'<tr><th scope="row">{self._name(self.down, row)}</th>{"".join(self._cell(row, one) for one in self.columns)}</tr>'
            for row in self.rows
        )
        caption = f'<caption class="sr-only">{escape(str(self.title))}, {escape(str(self.unit.name))}</caption>'
        head = f'<thead><tr><th scope="col">{corner}</th>{heads}</tr></thead>'
        return mark_safe(f'<table class="matrix">{caption}{head}<tbody>{rows}</tbody></table>')  # noqa: S308

    def _name(self, axis: Axis, one: Id) -> str:
        if one == _OTHER:
            return escape(_("Other (%(n)s)") % {"n": len(axis.names) - _SHOWN})
        name = axis.names[one][1]
        return f'<span class="name" title="{escape(name)}">{escape(name)}</span>'

    def _cell(self, row: Id, column: Id) -> str:
        """Nothing is no 0 that would have to be read."""
        value = self.cells[row, column]
        if not value:
            return f'<td class="heat-0"><span class="none" role="img" aria-label="{escape(_("no data"))}">{formats.NO_DATA}</span></td>'
        text = str(escape(self.unit.write(value)))
        if _OTHER not in (row, column):
            address = escape(self.address(self.down.names[row][0], self.across.names[column][0]))
            text = f'<a href="{address}">{text}</a>'
        return f'<td class="heat-{self.steps.of(value)}" data-value="{value}">{text}</td>'
