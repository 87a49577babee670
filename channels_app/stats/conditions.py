"""What records must fulfil, and when they began: which ones a question is about, and how SQL says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from channels_app.period import Period
from usage.ingest.grains import OF_RECORDS
from usage.models.fields import to_micros

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
        where.append(one_of(conditions.codes, OF_RECORDS["status_code"]))
    return where


def listed(ids: Iterable[int]) -> str:
    """Ids are our own integers, and may be more than a statement takes parameters. Nothing is in an empty list, which
    PostgreSQL would not read.
    """
    return f"({', '.join(str(int(one)) for one in sorted(ids)) or 'NULL'})"


def one_of(codes: Iterable[CodeRange], column: str = "status_code") -> str:
    return f"({' OR '.join(f'{column} BETWEEN {int(first)} AND {int(last)}' for first, last in codes)})"
