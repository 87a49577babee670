"""Rows out of a CSV file: checked all together, told as a preview, and written all or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django import forms
from django.db import models, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from usage.models import Account, Channel
from usage.prices.csv_file import Line, Table

_SINCE_EVER = "1970-01-01T00:00:00Z"


class Mistake(NamedTuple):
    line: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        return _("Line %(line)s, %(column)s “%(value)s”: %(rule)s") % self._asdict()


class Changed(NamedTuple):
    """A row that is there already, and of each column that differs what it is and what it becomes."""

    row: Any
    columns: dict[str, tuple[Any, Any]]


@dataclass(slots=True)
class Import:
    """What a file would do. With mistakes it does nothing."""

    new: list[Any] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    unchanged: int = 0
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {"new": len(self.new), "changed": len(self.changed), "unchanged": self.unchanged}


class LineForm:
    """What makes a ModelForm one of a line: its `instance` is the row. Whether that is there already is no mistake here."""

    fields: dict[str, forms.Field]

    def __init__(self, cells: Mapping[str, str]) -> None:
        super().__init__({**cells, "effective_from": cells.get("effective_from") or _SINCE_EVER})  # type: ignore[call-arg]
        self.fields["channel"] = forms.ModelChoiceField(
            Channel.objects.all(), to_field_name="slug", required=False,
            error_messages={"invalid_choice": _("There is no channel “%(value)s”; give its slug.")},
        )  # fmt: skip
        self.fields["account"] = forms.ModelChoiceField(
            Account.objects.all(), required=False,
            error_messages={"invalid_choice": _("There is no account %(value)s; give its number.")},
        )  # fmt: skip

    def _get_validation_exclusions(self) -> set[str]:
        """A constraint of which a column is left out is not asked."""
        return {*super()._get_validation_exclusions(), "effective_from"}  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Importer:
    """What a file of `table` is to `rows`: those of equal `identity` are changed (`values`), others added, none deleted.

    `twice` is said `beside` a column where two lines are of one identity.
    """

    table: Table
    form: Callable[[Mapping[str, str]], forms.ModelForm[Any]]
    rows: models.QuerySet[Any]
    values: tuple[str, ...]
    written: tuple[str, ...]
    beside: str
    twice: Promise

    def prepare(self, content: bytes) -> Import:
        """Compare the lines of a file with the rows that are there. Nothing is written. Raises BadCsv."""
        there = {row.identity: row for row in self.rows.all()}
        seen: dict[tuple[Any, ...], int] = {}
        found = Import()
        for line in self.table.read(content):
            form = self.form(line.cells)
            if not form.is_valid():
                found.mistakes += _mistakes(line, form)
                continue
            row = form.instance
            first = seen.setdefault(row.identity, line.number)
            if first != line.number:
                value = line.cells.get(self.beside, "")[:40]
                found.mistakes.append(Mistake(line.number, self.beside, value, str(self.twice) % {"line": first}))
            else:
                self._compare(found, there.get(row.identity), row, line.cells)
        return found

    @transaction.atomic
    def write(self, found: Import) -> int:
        """Write what is new and changed, all or nothing; return how many rows. Records keep their cost until repriced."""
        if found.mistakes:
            raise ValueError(f"{len(found.mistakes)} mistakes: nothing of such a file is written")
        for row, columns in found.changed:
            for name, (_old, new) in columns.items():
                setattr(row, name, new)
            row.note_edit(columns)
        self.rows.model.objects.bulk_create(found.new)
        self.rows.model.objects.bulk_update((one.row for one in found.changed), [*self.values, *self.written])
        return len(found.new) + len(found.changed)

    def _compare(self, found: Import, old: Any, new: Any, cells: Mapping[str, str]) -> None:
        if old is None:
            found.new.append(new)
            return
        columns = {
            name: (getattr(old, name), getattr(new, name))
            for name in self.values
            if name in cells and getattr(old, name) != getattr(new, name)
        }
        if columns:
            found.changed.append(Changed(old, columns))
        else:
            found.unchanged += 1


def _mistakes(line: Line, form: forms.ModelForm[Any]) -> Iterable[Mistake]:
    for column, errors in form.errors.items():
        value = line.cells.get(column, "")
        yield from (Mistake(line.number, column, value[:40], str(rule)) for rule in errors)
