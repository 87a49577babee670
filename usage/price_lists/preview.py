"""What a price list would change, before anything is written: one proposal for each model."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets
from usage.price_lists.listed import Listed
from usage.price_lists.matching import Candidates

_UNITS = Decimal(10) ** 6
_COLUMNS = (
    ("input", "uncached_input"), ("cached_input", "cache_read"), ("cache_write", "cache_write"), ("output", "output"),
    ("reasoning", "reasoning"),
)  # fmt: skip

# The rows that bring what there is up to what a model of the list costs.
Additions = Callable[[str, Sequence[Price], Listed, int], list[Price]]


class Group(enum.StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    AMBIGUOUS = "ambiguous"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Change:
    """An amount in USD per 1M tokens; blank ones are what they inherit. `old` is None where there was no price."""

    service_tier: str
    above_input_tokens: int
    column: str
    old: Decimal | None
    new: Decimal
    hours: str = ""  # a time of day, empty for all day

    @property
    def percent(self) -> Decimal | None:
        """None where it says nothing: from nothing or from zero."""
        return ((self.new - self.old) * 100 / self.old).quantize(Decimal("0.1")) if self.old else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """`candidates` are the names in the list that `model` may be; of one only, or a chosen one, there are rows.

    `alternatives` are what there would be for each of them.
    """

    model: str
    group: Group
    candidates: tuple[str, ...]
    rows: tuple[Price, ...] = ()
    changes: tuple[Change, ...] = ()
    alternatives: tuple[Proposal, ...] = ()


class Shelf:
    """All prices that are here, and which of them a person has locked (by id). Those for one provider, channel or account are no
    list's."""

    def __init__(self, prices: Sequence[Price], locked: set[int | None]) -> None:
        self._book = PriceBook(price for price in prices if price.is_for_all)
        self._locked = locked

    def fitting(self, model: str) -> list[Price]:
        return [judged.price for judged in self._book.explain(model, 0)]

    def decided(self, model: str) -> set[str]:
        """Return the service tiers that a person has decided on for `model`, by name or pattern; "" is all of it."""
        return {price.service_tier.lower() for price in self.fitting(model) if price.id in self._locked}


def propose(
    model: str, candidates: Candidates, shelf: Shelf, now: int, additions: Additions, chosen: str = ""
) -> Proposal:
    """Compare what is here with `candidates`, of which `chosen` is the name of one if a person has chosen it."""
    names = tuple(one.name for one in candidates.models)
    decided = shelf.decided(model)
    if "" in decided:
        return Proposal(model, Group.LOCKED, names)
    one = next((one for one in candidates.models if one.name == chosen), None)
    if one is None and not candidates.is_sure:
        each = (propose(model, candidates, shelf, now, additions, name) for name in names)
        return Proposal(model, Group.AMBIGUOUS, names, alternatives=tuple(each))
    one, known = one or candidates.models[0], shelf.fitting(model)
    rows = additions(model, known, one, now)
    allowed = tuple(row for row in rows if row.service_tier.lower() not in decided)
    if rows and not allowed:
        return Proposal(model, Group.LOCKED, names)
    group = Group.UNCHANGED if not allowed else Group.CHANGED if known else Group.NEW
    return Proposal(model, group, (one.name,), allowed, tuple(_changes(model, known, allowed)))


def differences(model: str, known: Sequence[Price], said: Listed, now: int) -> list[Price]:
    """Return the rows by which `model` costs from `now` on what an undated list says; history stays.

    A tier that the list does not know is left alone: few know tiers, and none times of day. A model without any price has it since ever.
    """
    known = [price for price in known if price.is_all_day]
    if not known:
        return [replace(price, pattern=model) for price in said.prices]
    ours, theirs = PriceBook(known), PriceBook(replace(price, pattern=model) for price in said.prices)
    tiers = {price.service_tier.lower() for price in said.prices}
    every = {(price.service_tier.lower(), price.above_input_tokens) for price in (*known, *said.prices)}
    rows = list[Price]()
    for tier, above in sorted(every):
        if tier in tiers and (row := _difference(model, tier, above, now, ours, theirs)):
            rows.append(row)
    return rows


def _difference(model: str, tier: str, above: int, now: int, ours: PriceBook, theirs: PriceBook) -> Price | None:
    """The operator's multiplier of what is here stays."""
    have, want = (book.find(model, now, "", tier, above + 1) for book in (ours, theirs))
    if want is None or (have and (have.rates, have.per_request) == (want.rates, want.per_request)):
        return None
    row = replace(want, service_tier=tier, above_input_tokens=above, effective_from=now)
    return replace(row, multiplier=have.multiplier) if have else row


def _changes(model: str, known: Sequence[Price], rows: Sequence[Price]) -> Iterator[Change]:
    """Yield what each row changes at the moment from which it is in force."""
    every, all_day = PriceBook(known), PriceBook(price for price in known if price.is_all_day)
    for row in rows if known else ():
        book, at = all_day if row.is_all_day else every, row.hours.next(row.effective_from)
        old = book.find(model, at, "", row.service_tier, row.above_input_tokens + 1)
        before: Mapping[str, int] = _amounts(old.rates) if old else {}
        for column, amount in _amounts(row.rates).items():
            if before.get(column) != amount:
                was, hours = before[column] / _UNITS if column in before else None, str(row.hours)
                yield Change(row.service_tier, row.above_input_tokens, column, was, amount / _UNITS, hours)


def _amounts(rates: Buckets) -> dict[str, int]:
    return {column: getattr(rates, bucket) for column, bucket in _COLUMNS}
