"""What records cost at the prices of now, where sums do not tell it (`stats/current.py`).

Which price a record has, the PriceBook says, once for each kind of record: owner, service tier, length of input, time of
day and time, as far as prices know them. The database multiplies, in the integers in which the ledger does, and rounds each record.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise, product
from math import gcd
from typing import Any, NamedTuple

from channels_app.stats.conditions import Conditions, Span, listed, of_records
from channels_app.stats.current_prices import CurrentPrices, Owner
from channels_app.stats.database import database
from channels_app.stats.sources import OF_SOURCES, WITH_SOURCES
from channels_app.stats.spans import union
from usage.accounting.multipliers import Multiplier
from usage.accounting.pricing import PARTS, Price
from usage.ingest.grains import DAY, HOUR, HOURLY_BY_MODEL, OF_RECORDS, RECORDS, TOKENS, TOTAL
from usage.models import RequestTraits

# The sums that follow from prices.
MONEY = ("priced_requests", "priced_succeeded", "priced_tokens", "cost_nanousd", "saved_nanousd")

_INPUT = "CAST(uncached_input AS BIGINT) + cache_read + cache_write"
_UNUSED = f"CASE WHEN failed AND {TOTAL} = 0 THEN 1 ELSE 0 END"
_CACHE = ("cache_read", "cache_write")
_KIND = ("model_id", "owner", "tier", "length", "time")


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
        tokens = [divmod(rate * price.multiplier * price.factor, PARTS) for rate in price.rates]
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

    def values(self, parts: int = 1) -> tuple[int, ...]:
        """Return _RATES; the rest of each in so many PARTS, which it must be a multiple of."""
        rest, saved_rest = ([one // parts for one in some] for some in (self.rest, self.saved_rest))
        return (self.priced, self.unused, self.per_request, *self.whole, *rest, *self.saved_whole, *saved_rest)


_RATES = (
    "priced", "unused", "per_request", *(f"whole_{name}" for name in TOKENS), *(f"rest_{name}" for name in TOKENS),
    *(f"saved_whole_{name}" for name in _CACHE), *(f"saved_rest_{name}" for name in _CACHE),
)  # fmt: skip


def _amount(whole: str, rest: str, names: Sequence[str], parts: int) -> str:
    """Half up, once for each record; `rest` is in so many parts of a nano-USD."""

    def tokens_times(rates: str) -> str:
        return " + ".join(f"CAST({name} AS BIGINT) * rates.{rates}_{name}" for name in names)

    return f"{tokens_times(whole)} + ({tokens_times(rest)} + {parts // 2}) / {parts}"


def _figures(parts: int) -> dict[str, str]:
    """Return MONEY of a record."""
    return {
        "priced_requests": f"rates.priced + rates.unused * ({_UNUSED})",
        "priced_succeeded": "CASE WHEN failed THEN 0 ELSE rates.priced END",
        "priced_tokens": f"rates.priced * ({TOTAL})",
        "cost_nanousd": f"{_amount('whole', 'rest', TOKENS, parts)} + rates.per_request * (1 - ({_UNUSED}))",
        "saved_nanousd": _amount("saved_whole", "saved_rest", _CACHE, parts),
    }


class _Piece(NamedTuple):
    """The part of the span at `place` among all that is to be read."""

    place: int
    since: int
    until: int


def money_of_records(
    prices: CurrentPrices, spans: Sequence[Span], conditions: Conditions, by: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield (place in `spans`, *values of `by`, *MONEY): of `models_of_records` all, of others what special requests cost
    more or less than ordinary ones.
    """
    kinds = _Kinds(prices)
    rates = dict(kinds.rates())
    if not rates:
        return
    models = prices.special_models | prices.models_of_records
    readable = Span(max(spans[0].since, prices.readable_since), spans[-1].until)
    if pieces := list(_pieces(spans, _stretches(readable, models))):
        with database().cursor() as cursor:
            cursor.execute(_question(kinds, rates, pieces, replace(conditions, models=models), by))
            yield from cursor.fetchall()


def _stretches(span: Span, models: frozenset[int]) -> list[Span]:
    """Return the parts of `span` in which there are records of these models."""
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT bucket FROM {HOURLY_BY_MODEL.table} "
            f"WHERE bucket > {span.since - HOUR} AND bucket < {span.until} AND model_id IN {listed(models)} ORDER BY bucket"
        )
        hours = [hour for (hour,) in cursor.fetchall()]
    return union(Span(max(hour, span.since), min(hour + HOUR, span.until)) for hour in hours)


def _pieces(spans: Sequence[Span], stretches: Sequence[Span]) -> Iterator[_Piece]:
    starts = [span.since for span in spans]
    for stretch in stretches:
        for number in range(max(bisect_right(starts, stretch.since) - 1, 0), bisect_left(starts, stretch.until)):
            since, until = max(stretch.since, spans[number].since), min(stretch.until, spans[number].until)
            if since < until:
                yield _Piece(number, since, until)


# A kind, and between which times it has these rates.
_Kind = tuple[int, ...]


class _Kinds:
    """What of a record prices may depend on, numbered: 0 is an owner or tier that no price names, a short input, midnight."""

    def __init__(self, prices: CurrentPrices) -> None:
        self._prices = prices
        self._models = sorted(prices.special_models | prices.models_of_records)
        known = [price for model in self._models for price in prices.contenders[model]]
        self._owner_of = {source: _told_apart(owner, known, prices) for source, owner in prices.owners.items()}
        self._owners = [Owner(), *sorted({*self._owner_of.values()} - {Owner()}, key=str)]
        self._tiers = ["", *sorted({price.service_tier.lower() for price in known} - {""})]
        self._lengths = sorted({price.above_input_tokens for price in known} - {0})
        edges = (edge for price in known if not price.is_all_day for edge in (price.daily_from, price.daily_until))
        self._times = sorted({0, *edges})

    def rates(self) -> Iterator[tuple[_Kind, _Rates]]:
        """Yield what each kind of record costs between two times: (*_KIND, since, until), and that."""
        span = self._prices.span
        lengths = [0, *(above + 1 for above in self._lengths)]
        for model in self._models:
            edges = (span.since, *self._prices.changes(self._prices.contenders[model]), span.until)
            numbers = (range(len(some)) for some in (self._owners, self._tiers, lengths, self._times))
            for (since, until), (owner, tier, length, time) in product(pairwise(edges), product(*numbers)):
                at = self._moment(time, since)
                rates = self._of(model, at, self._owners[owner], self._tiers[tier], lengths[length])
                if at < until and any(rates.values()):
                    yield (model, owner, tier, length, time, since, until), rates

    def _moment(self, time: int, since: int) -> int:
        """Return the first moment at `since` or after it that has this time of day."""
        start, end = self._times[time], [*self._times[1:], DAY][time]
        return since if start <= since % DAY < end else since + (start - since) % DAY

    def _of(self, model: int, at: int, owner: Owner, tier: str, input_tokens: int) -> _Rates:
        rates = _Rates.of(self._prices.find(model, at, owner, tier, input_tokens))
        if model in self._prices.models_of_records:
            return rates
        return rates.less(_Rates.of(self._prices.find(model, at, owner)))

    @property
    def columns(self) -> dict[str, str]:
        """What tells the kind of a record."""
        return {
            "model_id": "model_id",
            "owner": _number("source_id", self._owners, self._owner_of),
            "tier": _number("traits_id", self._tiers, self._tiers_of_traits),
            "length": _passed(_INPUT, self._lengths),
            "time": _passed(f"requested_at % {DAY} + 1", self._times[1:]),
        }

    @property
    def _tiers_of_traits(self) -> dict[int, str]:
        return {row.pk: row.tier.lower() for row in RequestTraits.objects.using(database().alias).all()}

    @property
    def condition(self) -> str:
        """What all fulfil whose rates are not 0: to look for these in most records would take long."""
        special = [f"model_id IN {listed(self._prices.models_of_records)}"] if self._prices.models_of_records else []
        if tiers := [pk for pk, tier in self._tiers_of_traits.items() if tier and tier in self._tiers]:
            special.append(f"traits_id IN {listed(tiers)}")
        if self._lengths:
            special.append(f"{_INPUT} > {self._lengths[0]}")
        return f"({' OR '.join(special)})" if special else "1 = 0"


def _told_apart(owner: Owner, known: Sequence[Price], prices: CurrentPrices) -> Owner:
    """Return what prices and multipliers tell of an owner: to all else they are the same for everyone."""
    provider, (channel, account) = owner.provider.lower(), owner[1:]
    limited: list[Price | Multiplier] = [*known, *prices.multipliers]
    return Owner(
        provider if provider in {price.provider.lower() for price in known} else "",
        channel if channel in {one.channel_id for one in limited} else None,
        account if account in {one.account_id for one in limited} else None,
    )


def _number(column: str, meanings: Sequence[Any], known: Mapping[int, Any]) -> str:
    """Return the number among `meanings` of what an id in `column` means; 0 of what is none of them."""
    cases = ""
    for number, meaning in enumerate(meanings):
        if ids := [pk for pk, one in known.items() if number and one == meaning]:
            cases += f"WHEN {column} IN {listed(ids)} THEN {number} "
    return f"CASE {cases}ELSE 0 END" if cases else "0"


def _passed(value: str, edges: Sequence[int]) -> str:
    """Return how many of `edges` a value is above."""
    return " + ".join(f"CASE WHEN {value} > {edge} THEN 1 ELSE 0 END" for edge in edges) or "0"


def _question(
    kinds: _Kinds,
    rates: Mapping[_Kind, _Rates],
    parts: Sequence[_Piece],
    conditions: Conditions,
    by: Sequence[str],
) -> str:
    """The records are found and told their kind first, so that the rates are looked up for each by that alone."""
    asked = list(dict.fromkeys("source_id" if one in OF_SOURCES else one for one in by))
    where = ["requested_at >= spans.since", "requested_at < spans.until", kinds.condition, *of_records(conditions)]
    dimensions = {f"asked_{name}": OF_RECORDS[name] for name in asked}
    kind = {f"kind_{name}": expression for name, expression in kinds.columns.items()}
    columns = [f"{expression} AS {name}" for name, expression in (dimensions | kind).items()]
    # As few parts as do: tokens times a rest must fit into eight bytes.
    common = gcd(PARTS, *chain.from_iterable((*one.rest, *one.saved_rest) for one in rates.values()))
    values = ", ".join(f"({', '.join(map(str, (*kind, *one.values(common))))})" for kind, one in rates.items())
    same = " AND ".join(f"rates.{name} = records.kind_{name}" for name in _KIND)
    of_record = _figures(PARTS // common)
    figures = ", ".join(f"SUM({of_record[name]}) AS {name}" for name in MONEY)
    read = ", ".join(("spans.place", "requested_at", "failed", *TOKENS, *columns))
    # By what a source means only now, when there are few rows.
    pieces = (
        f"SELECT place, {', '.join([*(f'{column} AS {name}' for column, name in zip(dimensions, asked, strict=True)), figures])} "
        f"FROM (SELECT {read} FROM spans CROSS JOIN {RECORDS} WHERE {' AND '.join(where)}) AS records CROSS JOIN rates "
        f"WHERE {same} AND requested_at >= rates.since AND requested_at < rates.until "
        f"GROUP BY {', '.join(('place', *dimensions))}"
    )
    joined = WITH_SOURCES if any(name in OF_SOURCES for name in by) else ""
    key = ", ".join(("pieces.place", *(OF_SOURCES.get(name, f"pieces.{name}") for name in by)))
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in MONEY)
    return (
        f"WITH rates ({', '.join((*_KIND, 'since', 'until', *_RATES))}) AS MATERIALIZED (VALUES {values}), "
        f"spans (place, since, until) AS (VALUES {', '.join(f'({part.place}, {part.since}, {part.until})' for part in parts)}) "
        f"SELECT {key}, {sums} FROM ({pieces}) AS pieces {joined} "
        f"GROUP BY {', '.join(str(place) for place in range(1, len(by) + 2))}"
    )
