"""What usage costs at the prices of now, without writing anything (`ui.md`, "Cost basis").

Requests of one price cost together what they cost one by one, so that sums can be priced, but for what sums do not know:

- service tiers and long inputs. All requests are taken as ordinary ones first; what special ones cost more or less is
  found among the records, and added;
- the rounding of each record, where a token costs no whole nano-USD, and times of day. Such models are read from the
  records alone.

Of an hour with pruned records there are but sums: all of its requests are ordinary, and are rounded together.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import add, itemgetter
from typing import Any

from channels_app.stats import tables
from channels_app.stats.conditions import Conditions, Span
from channels_app.stats.current_prices import CurrentPrices, Owner
from channels_app.stats.current_records import MONEY, money_of_records
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets
from usage.ingest.grains import SUMS, TOKENS

# What money follows from.
_USED = ("requests", "failed", "unused_failures", *TOKENS)
_NO_MONEY = (0,) * len(MONEY)

# Place among the spans, and values of dimensions.
_Key = tuple[int | None, ...]
# The values of MONEY.
_Money = tuple[int, ...]


class Basis(enum.StrEnum):
    """By which prices money is told: those that the records were booked with, or those of now."""

    RECORDED = "recorded"
    CURRENT = "current"


def aggregate_each(
    spans: Sequence[Span], conditions: Conditions, by: Sequence[str], sums: Sequence[str] = SUMS
) -> list[tuple[Any, ...]]:
    """Return what `tables.aggregate_each` does, with the money of now; `spans` come in order and do not overlap."""
    if not spans or not set(sums) & set(MONEY) or not all(conditions.ids.values()):
        return tables.aggregate_each(spans, conditions, by, sums)  # no money, or nothing at all
    prices = CurrentPrices.of(Span(spans[0].since, spans[-1].until), conditions)
    money_at = [(sums.index(name), place) for place, name in enumerate(MONEY) if name in sums]
    rows: dict[_Key, list[int]] = {}
    for key, values, money in _of_sums(prices, spans, conditions, by, sums):
        for at, place in money_at:
            values[at] = money[place]
        rows[key] = [*map(add, rows[key], values)] if key in rows else values
    for row in money_of_records(prices, spans, conditions, by):
        key, money = row[: -len(MONEY)], row[-len(MONEY) :]
        values = rows.setdefault(key, [0] * len(sums))
        for at, place in money_at:
            values[at] += money[place]
    return [(*key, *values) for key, values in rows.items()]


def taken_as_ordinary(span: Span, conditions: Conditions) -> int:
    """Count the requests in `span` that may be special, and whose records were pruned, so that nobody knows."""
    prices = CurrentPrices.of(span, conditions)
    pruned = Span(span.since, min(span.until, prices.readable_since))
    rows = tables.aggregate(pruned, replace(conditions, models=prices.special_models), (), ("requests",))
    return sum(requests for (requests,) in rows)


def _of_sums(
    prices: CurrentPrices, spans: Sequence[Span], conditions: Conditions, by: Sequence[str], sums: Sequence[str]
) -> Iterator[tuple[_Key, list[int], _Money]]:
    """Yield keys, `sums` and the money of ordinary requests; none where that is read from the records."""
    asked = tuple(dict.fromkeys((*sums, *_USED)))
    used = itemgetter(*(asked.index(name) for name in _USED))
    for alike, models in prices.alike.items():
        edges = alike.changes if alike.is_whole else sorted({*alike.changes, prices.readable_since})
        pieces = [(number, piece) for number, span in enumerate(spans) for piece in _cut(span, edges)]
        dimensions = tuple(dict.fromkeys((*by, "model_id", *(["source_id"] if alike.is_by_source else []))))
        found = tables.aggregate_each(
            [piece for _number, piece in pieces], replace(conditions, models=models), dimensions, asked
        )
        for place, *row in found:
            (number, piece), figures, money = pieces[place], row[-len(asked) :], _NO_MONEY
            if alike.is_whole or piece.since < prices.readable_since:
                of = dict(zip(dimensions, row, strict=False))
                owner = prices.owners[of["source_id"]] if alike.is_by_source else Owner()
                money = _money(prices.find(of["model_id"], piece.since, owner), used(figures))
            yield (number, *row[: len(by)]), figures[: len(sums)], money


def _cut(span: Span, edges: Iterable[int]) -> Iterator[Span]:
    since = span.since
    for edge in edges:
        if since < edge < span.until:
            yield Span(since, edge)
            since = edge
    yield Span(since, span.until)


def _money(price: Price | None, used: Sequence[int]) -> _Money:
    """Return what requests of one price cost; `used` are the sums of _USED."""
    requests, failed, unused, *tokens = used
    if price is None:
        return unused, 0, 0, 0, 0  # as in the ledger: what failed and used nothing costs nothing, whatever its model
    buckets = Buckets(*tokens)
    cost = price.cost(buckets) + price.per_request * (requests - unused - 1)
    return requests, requests - failed, buckets.total, cost, price.saved(buckets)
