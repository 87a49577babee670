"""Prices out of a CSV file: checked all together, told as a preview, and written all or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage.models import Account, Channel, ModelPrice
from usage.prices.csv_file import AMOUNTS, Line
from usage.prices.form import ModelPriceForm

_SINCE_EVER = "1970-01-01T00:00:00Z"


class Mistake(NamedTuple):
    line: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        return _("Line %(line)s, %(column)s “%(value)s”: %(rule)s") % self._asdict()


class Changed(NamedTuple):
    """A price that is there already, and of each column that differs what it is and what it becomes."""

    price: ModelPrice
    columns: dict[str, tuple[Any, Any]]


@dataclass(slots=True)
class Import:
    """What a file would do. With mistakes it does nothing."""

    new: list[ModelPrice] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    unchanged: int = 0
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {"new": len(self.new), "changed": len(self.changed), "unchanged": self.unchanged}


class LineForm(ModelPriceForm):
    """One line by itself: whether its price is there already is no mistake here."""

    class Meta(ModelPriceForm.Meta):
        exclude = ("locked",)

    channel = forms.ModelChoiceField(
        Channel.objects.all(), to_field_name="slug", required=False,
        error_messages={"invalid_choice": gettext_lazy("There is no channel “%(value)s”; give its slug.")},
    )  # fmt: skip
    account = forms.ModelChoiceField(
        Account.objects.all(), required=False,
        error_messages={"invalid_choice": gettext_lazy("There is no account %(value)s; give its number.")},
    )  # fmt: skip
    locked = forms.ChoiceField(choices=[("true", "true"), ("false", "false")], required=False)
    origin = forms.ChoiceField(choices=ModelPrice.Origin, required=False)
    catalog_name = forms.CharField(max_length=300, required=False, strip=False)

    def __init__(self, cells: dict[str, str]) -> None:
        since = cells.get("effective_from") or _SINCE_EVER
        super().__init__({**cells, "effective_from": since, "locked": cells.get("locked", "").lower()})
        for name in ("pattern", "provider", "service_tier"):
            self.fields[name].strip = False  # type: ignore[attr-defined]

    def _get_validation_exclusions(self) -> set[str]:
        """A constraint of which a column is left out is not asked."""
        return {*super()._get_validation_exclusions(), "effective_from"}  # type: ignore[misc]

    @property
    def price(self) -> ModelPrice:
        """The row that the line means; what it does not say is as where a person adds one."""
        cleaned, price = self.cleaned_data, self.instance
        price.locked = cleaned["locked"] != "false"
        price.origin = cleaned["origin"] or ModelPrice.Origin.MANUAL
        price.catalog_name = cleaned["catalog_name"]
        return price  # type: ignore[no-any-return]


def prepare(lines: Sequence[Line]) -> Import:
    """Compare `lines` with the prices that are there. Nothing is written."""
    there = {price.identity: price for price in ModelPrice.objects.select_related("channel", "account")}
    seen: dict[tuple[Any, ...], int] = {}
    found = Import()
    for line in lines:
        form = LineForm(line.cells)
        if not form.is_valid():
            found.mistakes += _mistakes(line, form)
            continue
        price = form.price
        first = seen.setdefault(price.identity, line.number)
        if first != line.number:
            rule = _("line %(line)s has a price for this model under these conditions from this moment on already")
            found.mistakes.append(Mistake(line.number, "pattern", price.pattern, rule % {"line": first}))
        else:
            _compare(found, there.get(price.identity), price, line.cells)
    return found


@transaction.atomic
def write(found: Import) -> int:
    """Write what is new and changed, all or nothing; return how many rows. Records keep their cost until repriced."""
    if found.mistakes:
        raise ValueError(f"{len(found.mistakes)} mistakes: nothing of such a file is written")
    for price, columns in found.changed:
        for name, (_old, new) in columns.items():
            setattr(price, name, new)
        price.note_edit(columns)
    ModelPrice.objects.bulk_create(found.new)
    ModelPrice.objects.bulk_update((one.price for one in found.changed), [*AMOUNTS, "locked", "origin", "updated_at"])
    return len(found.new) + len(found.changed)


def _compare(found: Import, old: ModelPrice | None, new: ModelPrice, cells: dict[str, str]) -> None:
    """What a price comes from is not changed by a file, only kept of one that is new."""
    if old is None:
        found.new.append(new)
        return
    columns = {
        name: (getattr(old, name), getattr(new, name))
        for name in (*AMOUNTS, "locked")
        if name in cells and getattr(old, name) != getattr(new, name)
    }
    if columns:
        found.changed.append(Changed(old, columns))
    else:
        found.unchanged += 1


def _mistakes(line: Line, form: LineForm) -> Iterable[Mistake]:
    for column, errors in form.errors.items():
        value = line.cells.get(column, "")
        yield from (Mistake(line.number, column, value[:40], str(rule)) for rule in errors)
