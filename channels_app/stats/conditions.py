"""What records must fulfil, and when they began: which ones a question is about, and how SQL says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from channels_app.period import Period
from usage.models.fields import to_micros
from usage.models.record import NO_STATUS

# What a record may be without; 0 then (NO_KEY, NO_MESSAGE).
_MAY_BE_MISSING = ("api_key_id", "message_id")

# From first to last, both included.
CodeRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What records must fulfil: one of these ids (None: any), and failed or not (None: either) with one of these codes and
    `messages`, which only failures have.

    `channels` (0: unknown) says the same as `sources`, where these are all that some channels have.
    """

    sources: frozenset[int] | None = None
    channels: frozenset[int] | None = None
    models: frozenset[int] | None = None
    api_keys: frozenset[int] | None = None
    failed: bool | None = None
    codes: tuple[CodeRange, ...] = ()
    messages: frozenset[int] | None = None

    @property
    def ids(self) -> dict[str, frozenset[int]]:
        """The ids of each dimension that is restricted."""
        every = {
            "source_id": self.sources,
            "model_id": self.models,
            "api_key_id": self.api_keys,
            "message_id": self.messages,
        }
        return {name: ids for name, ids in every.items() if ids is not None}

    def ids_in(self, dimensions: Collection[str]) -> dict[str, frozenset[int]]:
        """Do the same in terms of a table that has these."""
        if self.channels is None or "channel_id" not in dimensions:
            return self.ids
        return {name: ids for name, ids in self.ids.items() if name != "source_id"} | {"channel_id": self.channels}

    @property
    def only_failed(self) -> bool:
        return self.failed is True or bool(self.codes) or self.messages is not None


EVERYTHING, NOTHING = Conditions(), Conditions(sources=frozenset())


@dataclass(frozen=True, slots=True)
class Span:
    """`[since, until)` in microseconds since 1970 UTC."""

    since: int
    until: int


def span_of(period: Period) -> Span:
    return Span(to_micros(period.since), to_micros(period.until))


def of_records(conditions: Conditions) -> list[str]:
    """Return what records must fulfil, in terms of their columns alone: an index may know them."""
    where = []
    for name, ids in conditions.ids.items():
        one = f"{name} IN {listed(ids)}"
        where.append(f"({one} OR {name} IS NULL)" if name in _MAY_BE_MISSING and 0 in ids else one)
    if conditions.only_failed or conditions.failed is False:
        where.append("failed" if conditions.only_failed else "NOT failed")
    if conditions.codes:
        where.append(f"({' OR '.join(map(_code_of_record, conditions.codes))})")
    return where


def _code_of_record(codes: CodeRange) -> str:
    """By the column itself, so that an index and what is known of its values are of use."""
    is_missing = "status_code IS NULL OR " if codes[0] <= NO_STATUS <= codes[1] else ""
    return f"{is_missing}status_code BETWEEN {int(codes[0])} AND {int(codes[1])}"


def listed(ids: Iterable[int]) -> str:
    """Ids are our own integers, and may be more than a statement takes parameters. Nothing is in an empty list, which
    PostgreSQL would not read.
    """
    return f"({', '.join(str(int(one)) for one in sorted(ids)) or 'NULL'})"


def one_of(codes: Iterable[CodeRange]) -> str:
    """In terms of sums."""
    return f"({' OR '.join(f'status_code BETWEEN {int(first)} AND {int(last)}' for first, last in codes)})"
