"""Which prices of now the requests of a time may have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from channels_app.stats.database import database
from channels_app.stats.tables import Conditions, Span
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.ingest.rollup import DAILY_BY_MODEL, HOURLY, records_since
from usage.models import ModelName, ModelPrice, Source


class Alike(NamedTuple):
    """What models have in common whose sums can be asked for at once: when their prices change, and by what."""

    changes: tuple[int, ...]
    is_by_source: bool
    is_whole: bool


@dataclass(frozen=True)
class CurrentPrices:
    """The prices of now of `models` (name by id), and which of them some requests in `span` may have."""

    span: Span
    models: dict[int, str]
    contenders: dict[int, list[Price]]
    book: PriceBook

    @classmethod
    def of(cls, span: Span, conditions: Conditions) -> CurrentPrices:
        book = PriceBook(row.price for row in ModelPrice.objects.using(database().alias).all())
        models = _models_in(span, conditions)
        contenders = {pk: book.contenders(name, span.since, span.until) for pk, name in models.items()}
        return cls(span, models, contenders, book)

    @property
    def alike(self) -> dict[Alike, frozenset[int]]:
        found: dict[Alike, set[int]] = {}
        for model in self.models:
            prices = self._ordinary_prices(model)
            is_by_source = any(price.provider for price in prices)
            key = Alike(self.changes(prices), is_by_source, model not in self.fractional_models)
            found.setdefault(key, set()).add(model)
        return {key: frozenset(models) for key, models in found.items()}

    def changes(self, prices: list[Price]) -> tuple[int, ...]:
        """Return when within the span some of these come into force."""
        return tuple(sorted({price.effective_from for price in prices if price.effective_from > self.span.since}))

    @cached_property
    def special_models(self) -> frozenset[int]:
        """Those of which some requests have a price that is not for all."""
        return frozenset(model for model, prices in self.contenders.items() if any(one.is_for_some for one in prices))

    @cached_property
    def fractional_models(self) -> frozenset[int]:
        """Those of which a token costs no whole nano-USD, so that each record is rounded."""
        return frozenset(
            model for model in self.models if not all(price.is_whole for price in self._ordinary_prices(model))
        )

    def _ordinary_prices(self, model: int) -> list[Price]:
        return [price for price in self.contenders[model] if not price.is_for_some]

    def ordinary(self, model: int, at: int, provider: str = "") -> Price | None:
        """Return the price at `at` of a request without a service tier and a long input."""
        return self.book.find(self.models[model], at, provider)

    @cached_property
    def providers(self) -> dict[int, str]:
        """By source."""
        return dict(Source.objects.using(database().alias).values_list("pk", "provider"))

    @cached_property
    def readable_since(self) -> int:
        """From this hour on no record was pruned."""
        return HOURLY.end_of(records_since(database().alias))


def _models_in(span: Span, conditions: Conditions) -> dict[int, str]:
    """Return those that have requests in `span`, or on the same days."""
    grain = DAILY_BY_MODEL
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT model_id FROM {grain.table} WHERE bucket >= %s AND bucket < %s",
            [grain.start_of(span.since), span.until],
        )
        found = {pk for (pk,) in cursor.fetchall()}
    wanted = found if conditions.models is None else found & conditions.models
    return dict(ModelName.objects.using(database().alias).filter(pk__in=wanted).values_list("pk", "name"))
