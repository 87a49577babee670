"""What the preview of a price list shows, and what of it was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import msgspec

from channels_app.prices_page.amounts import amounts, column_name
from usage.models import ModelPrice
from usage.price_lists.preview import Group, Proposal
from usage.price_lists.sync import Preview, apply

# A form has a field for each, and Django takes a thousand.
_MOST = 500
_WRITABLE = {Group.NEW, Group.CHANGED, Group.AMBIGUOUS}


class Amount(NamedTuple):
    """A column of a price in USD per 1M tokens: what it is, where it changes, and what it becomes."""

    label: str
    new: Decimal
    old: Decimal | None = None
    percent: Decimal | None = None


class Line(NamedTuple):
    """Amounts under the same conditions, which `price` has."""

    price: ModelPrice
    amounts: list[Amount]


@dataclass(frozen=True, slots=True)
class Choice:
    """A proposal under the number by which it is chosen; of an ambiguous one those for each candidate."""

    number: int
    proposal: Proposal
    alternatives: list[Choice] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the list calls the model."""
        return self.proposal.candidates[0]

    @property
    def lines(self) -> list[Line]:
        return list(_lines(self.proposal))


@dataclass(frozen=True, slots=True)
class Applied:
    """The models that were written with how many rows, and those that somebody had locked meanwhile."""

    models: dict[str, int]
    left: list[str]

    @property
    def prices(self) -> int:
        return sum(self.models.values())


class SyncPage:
    def __init__(self, preview: Preview) -> None:
        self.preview = preview

    @cached_property
    def _writable(self) -> list[Choice]:
        found = [one for one in self.preview.proposals if one.group in _WRITABLE]
        return [
            Choice(number, one, [Choice(place, other) for place, other in enumerate(one.alternatives)])
            for number, one in enumerate(found[:_MOST])
        ]

    @property
    def more(self) -> int:
        """How many the next preview will show."""
        return sum(one.group in _WRITABLE for one in self.preview.proposals) - len(self._writable)

    @property
    def source(self) -> str:
        return str(ModelPrice.Origin(self.preview.origin).label)

    @property
    def new(self) -> list[Choice]:
        return self._of(Group.NEW)

    @property
    def changed(self) -> list[Choice]:
        return self._of(Group.CHANGED)

    @property
    def ambiguous(self) -> list[Choice]:
        return self._of(Group.AMBIGUOUS)

    @property
    def unchanged(self) -> list[str]:
        return [one.model for one in self.preview.of(Group.UNCHANGED)]

    @property
    def locked(self) -> list[str]:
        return [one.model for one in self.preview.of(Group.LOCKED)]

    @property
    def missing(self) -> list[str]:
        return self.preview.missing

    @property
    def count(self) -> int:
        """How many are chosen before anybody chose."""
        return len(self.new) + len(self.changed)

    def _of(self, group: Group) -> list[Choice]:
        return [one for one in self._writable if one.proposal.group == group]

    def chosen(self, taken: Iterable[str], candidates: Mapping[str, str]) -> Preview:
        """Return what is left of the preview: the numbers `taken`, and of ambiguous models the candidate of each number.

        What is no number of ours chooses nothing.
        """
        numbers = set(taken)
        proposals = [one.proposal for one in (*self.new, *self.changed) if str(one.number) in numbers]
        for one in self.ambiguous:
            picked = candidates.get(str(one.number), "")
            proposals += [other.proposal for other in one.alternatives if str(other.number) == picked]
        return Preview(self.preview.origin, proposals)


def write(chosen: Preview) -> str:
    """Apply it, and return the JSON of what was Applied."""
    models: dict[str, int] = {}
    for row in apply(chosen):
        models[row.pattern] = models.get(row.pattern, 0) + 1
    left = [one.model for one in chosen.proposals if one.rows and one.model not in models]
    return msgspec.json.encode(Applied(models, left)).decode()


def _lines(proposal: Proposal) -> Iterator[Line]:
    """Of a new model all that it costs, of another what changes, a line for each condition."""
    if not proposal.changes:
        prices = map(ModelPrice.of, proposal.rows)
        yield from (Line(price, [Amount(*named) for named in amounts(price)]) for price in prices)
        return
    by_condition = {(row.service_tier, row.above_input_tokens): row for row in proposal.rows}
    for condition, row in by_condition.items():
        changes = [one for one in proposal.changes if (one.service_tier, one.above_input_tokens) == condition]
        named = [Amount(column_name(one.column), one.new, one.old, one.percent) for one in changes]
        yield Line(ModelPrice.of(row), named)
