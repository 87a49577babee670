"""What records cost at the prices of now, where sums do not tell it (`stats/current.py`).

Which price a record has, the PriceBook says, once for each kind of record: provider, service tier, length of input and
time, as far as prices know them. The database multiplies, in the integers in which the ledger does, and rounds each record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Any, NamedTuple

from channels_app.stats.current_prices import CurrentPrices
from channels_app.stats.database import database
from channels_app.stats.tables import OF_SOURCES, WITH_SOURCES, Conditions, Span, listed, of_records
from usage.accounting.pricing import PARTS, Price
from usage.ingest.rollup import OF_RECORDS, RECORDS, TOKENS, TOTAL
from usage.models import RequestTraits

# The sums that follow from prices.
MONEY = ("priced_requests", "priced_succeeded", "priced_tokens", "cost_nanousd", "saved_nanousd")

_INPUT = "CAST(uncached_input AS BIGINT) + cache_read + cache_write"
_UNUSED = f"CASE WHEN failed AND {TOTAL} = 0 THEN 1 ELSE 0 END"
_CACHE = ("cache_read", "cache_write")
_KIND = ("model_id", "provider", "tier", "length")


class _Rates(NamedTuple):
    """What a kind of record counts and costs: whole nano-USD for each token, and the rest in PARTS of one.

    `priced` is 1 where there is a price; else `unused` is, since what failed and used nothing costs nothing.
    """

    priced: int
    unused: int
    per_request: int
    whole: tuple[int, ...]
    rest: tuple[int, ...]
    saved_whole: tuple[int, ...]
    saved_rest: tuple[int, ...]

    @classmethod
    def of(cls, price: Price | None) -> _Rates:
        if price is None:
            return cls(0, 1, 0, (0,) * 6, (0,) * 6, (0, 0), (0, 0))
        tokens = [divmod(rate * price.multiplier, PARTS) for rate in price.rates]
        cache = [divmod(parts, PARTS) for parts in (price.saved_by_read, price.saved_by_write)]
        return cls(
            1, 0, price.per_request,
            tuple(whole for whole, _rest in tokens), tuple(rest for _whole, rest in tokens),
            tuple(whole for whole, _rest in cache), tuple(rest for _whole, rest in cache),
        )  # fmt: skip

    def less(self, ordinary: _Rates) -> _Rates:
        """Return the difference to rates without a rest."""
        return _Rates(
            self.priced - ordinary.priced,
            self.unused - ordinary.unused,
            self.per_request - ordinary.per_request,
            tuple(one - other for one, other in zip(self.whole, ordinary.whole, strict=True)),
            self.rest,
            tuple(one - other for one, other in zip(self.saved_whole, ordinary.saved_whole, strict=True)),
            self.saved_rest,
        )

    @property
    def values(self) -> tuple[int, ...]:
        return (
            self.priced, self.unused, self.per_request, *self.whole, *self.rest, *self.saved_whole, *self.saved_rest
        )  # fmt: skip


_RATES = (
    "priced", "unused", "per_request", *(f"whole_{name}" for name in TOKENS), *(f"rest_{name}" for name in TOKENS),
    *(f"saved_whole_{name}" for name in _CACHE), *(f"saved_rest_{name}" for name in _CACHE),
)  # fmt: skip


def _amount(whole: str, rest: str, names: Sequence[str]) -> str:
    """Half up, once for each record."""

    def tokens_times(rates: str) -> str:
        return " + ".join(f"CAST({name} AS BIGINT) * rates.{rates}_{name}" for name in names)

    return f"{tokens_times(whole)} + ({tokens_times(rest)} + {PARTS // 2}) / {PARTS}"


_FIGURES = {
    "priced_requests": f"rates.priced + rates.unused * ({_UNUSED})",
    "priced_succeeded": "CASE WHEN failed THEN 0 ELSE rates.priced END",
    "priced_tokens": f"rates.priced * ({TOTAL})",
    "cost_nanousd": f"{_amount('whole', 'rest', TOKENS)} + rates.per_request * (1 - ({_UNUSED}))",
    "saved_nanousd": _amount("saved_whole", "saved_rest", _CACHE),
}


def money_of_records(
    prices: CurrentPrices, spans: Sequence[Span], conditions: Conditions, by: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield (place in `spans`, *values of `by`, *MONEY): of fractional models all, of others what special requests cost
    more or less than ordinary ones.
    """
    kinds = _Kinds(prices)
    rates = list(kinds.rates())
    if not rates:
        return
    conditions = replace(conditions, models=prices.special_models | prices.fractional_models)
    for number, span in enumerate(spans):
        readable = Span(max(span.since, prices.readable_since), span.until)
        if readable.since < readable.until:
            with database().cursor() as cursor:
                cursor.execute(_question(kinds, rates, readable, conditions, by))
                yield from ((number, *row) for row in cursor.fetchall())


class _Kinds:
    """What of a record prices may depend on, numbered: 0 is a provider or tier that no price names, or a short input."""

    def __init__(self, prices: CurrentPrices) -> None:
        self._prices = prices
        self._models = sorted(prices.special_models | prices.fractional_models)
        known = [price for model in self._models for price in prices.contenders[model]]
        self._providers = ["", *sorted({price.provider.lower() for price in known} - {""})]
        self._tiers = ["", *sorted({price.service_tier.lower() for price in known} - {""})]
        self._lengths = sorted({price.above_input_tokens for price in known} - {0})

    def rates(self) -> Iterator[tuple[int, ...]]:
        """Yield what each kind of record costs between two times: (*_KIND, since, until, *_RATES)."""
        span = self._prices.span
        lengths = [0, *(above + 1 for above in self._lengths)]
        for model in self._models:
            edges = (span.since, *self._prices.changes(self._prices.contenders[model]), span.until)
            for (since, until), (provider, tier, length) in product(
                pairwise(edges), product(range(len(self._providers)), range(len(self._tiers)), range(len(lengths)))
            ):
                rates = self._of(model, since, self._providers[provider], self._tiers[tier], lengths[length])
                if any(rates.values):
                    yield (model, provider, tier, length, since, until, *rates.values)

    def _of(self, model: int, at: int, provider: str, tier: str, input_tokens: int) -> _Rates:
        rates = _Rates.of(self._prices.book.find(self._prices.models[model], at, provider, tier, input_tokens))
        if model in self._prices.fractional_models:
            return rates
        return rates.less(_Rates.of(self._prices.ordinary(model, at, provider)))

    @property
    def columns(self) -> dict[str, str]:
        """What tells the kind of a record."""
        return {
            "model_id": "model_id",
            "provider": _number("source_id", self._providers, self._prices.providers),
            "tier": _number("traits_id", self._tiers, self._tiers_of_traits),
            "length": " + ".join(f"CASE WHEN {_INPUT} > {above} THEN 1 ELSE 0 END" for above in self._lengths) or "0",
        }

    @property
    def _tiers_of_traits(self) -> dict[int, str]:
        return {row.pk: row.tier for row in RequestTraits.objects.using(database().alias).all()}

    @property
    def condition(self) -> str:
        """What all fulfil whose rates are not 0: to look for these in most records would take long."""
        special = [f"model_id IN {listed(self._prices.fractional_models)}"] if self._prices.fractional_models else []
        if tiers := [pk for pk, tier in self._tiers_of_traits.items() if tier and tier.lower() in self._tiers]:
            special.append(f"traits_id IN {listed(tiers)}")
        if self._lengths:
            special.append(f"{_INPUT} > {self._lengths[0]}")
        return f"({' OR '.join(special)})" if special else "1 = 0"


def _number(column: str, words: Sequence[str], known: Mapping[int, str]) -> str:
    """Return the number of the word among `words` that an id in `column` means."""
    cases = ""
    for number, word in enumerate(words):
        if ids := [pk for pk, one in known.items() if word and one.lower() == word]:
            cases += f"WHEN {column} IN {listed(ids)} THEN {number} "
    return f"CASE {cases}ELSE 0 END" if cases else "0"


def _question(
    kinds: _Kinds, rates: Sequence[tuple[int, ...]], span: Span, conditions: Conditions, by: Sequence[str]
) -> str:
    """The records are found and told their kind first, so that the rates are looked up for each by that alone."""
    asked = list(dict.fromkeys("source_id" if one in OF_SOURCES else one for one in by))
    where = [
        f"requested_at >= {span.since}", f"requested_at < {span.until}", kinds.condition, *of_records(conditions)
    ]  # fmt: skip
    dimensions = {f"asked_{name}": OF_RECORDS[name] for name in asked}
    kind = {f"kind_{name}": expression for name, expression in kinds.columns.items()}
    columns = [f"{expression} AS {name}" for name, expression in (dimensions | kind).items()]
    values = ", ".join(f"({', '.join(map(str, one))})" for one in rates)
    same = " AND ".join(f"rates.{name} = records.kind_{name}" for name in _KIND)
    figures = ", ".join(f"SUM({_FIGURES[name]}) AS {name}" for name in MONEY)
    # By what a source means only now, when there are few rows.
    pieces = (
        f"SELECT {', '.join([*(f'{column} AS {name}' for column, name in zip(dimensions, asked, strict=True)), figures])} "
        f"FROM (SELECT requested_at, failed, {', '.join((*TOKENS, *columns))} FROM {RECORDS} WHERE {' AND '.join(where)}) "
        f"AS records CROSS JOIN rates WHERE {same} AND requested_at >= rates.since AND requested_at < rates.until"
        + (f" GROUP BY {', '.join(dimensions)}" if dimensions else " HAVING COUNT(*) > 0")
    )
    joined = WITH_SOURCES if any(name in OF_SOURCES for name in by) else ""
    key = ", ".join(
        [*(OF_SOURCES.get(name, f"pieces.{name}") for name in by), *(f"CAST(SUM({name}) AS BIGINT)" for name in MONEY)]
    )
    places = ", ".join(str(place) for place in range(1, len(by) + 1))
    return (
        f"WITH rates ({', '.join((*_KIND, 'since', 'until', *_RATES))}) AS MATERIALIZED (VALUES {values}) "
        f"SELECT {key} FROM ({pieces}) AS pieces {joined}" + (f" GROUP BY {places}" if by else " HAVING COUNT(*) > 0")
    )
