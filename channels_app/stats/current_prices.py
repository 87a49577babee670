"""Which prices of now the requests of a time may have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from channels_app.stats.conditions import Conditions, Span
from channels_app.stats.database import database
from channels_app.stats.remembering import once
from usage.accounting.multipliers import Multiplier
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import LIST_PRICE, Price
from usage.accounting.tokens import Buckets
from usage.ingest.grains import DAILY_BY_MODEL, HOURLY, TOKENS
from usage.ingest.prices import load_multipliers, load_prices
from usage.ingest.rollup import records_since
from usage.models import ModelName, Source


class Owner(NamedTuple):
    """Whose the requests of a source are, in terms of prices; ids, None where they are not known."""

    provider: str = ""
    channel: int | None = None
    account: int | None = None


class Alike(NamedTuple):
    """What models have in common whose sums can be asked for at once: when their prices change, and by what."""

    changes: tuple[int, ...]
    is_by_source: bool
    is_whole: bool


@dataclass(frozen=True)
class CurrentPrices:
    """The prices of now of `models` (name by id), and which of them some requests in `span` may have; all tokens that were
    used in it are among `used`.
    """

    span: Span
    models: dict[int, str]
    used: dict[int, Buckets]
    contenders: dict[int, list[Price]]
    book: PriceBook
    multipliers: list[Multiplier]

    @classmethod
    def of(cls, span: Span, conditions: Conditions) -> CurrentPrices:
        alias = database().alias
        multipliers, book = load_multipliers(alias), load_prices(alias)
        used = _used_in(span, conditions)
        models = dict(ModelName.objects.using(alias).filter(pk__in=used).values_list("pk", "name"))
        contenders = {pk: book.contenders(name, span.since, span.until) for pk, name in models.items()}
        return cls(
            span, models, used, contenders, book, [one for one in multipliers if one.effective_from < span.until]
        )

    @property
    def alike(self) -> dict[Alike, frozenset[int]]:
        found: dict[Alike, set[int]] = {}
        for model in self.models:
            prices = self._ordinary_prices(model)
            is_by_source = bool(self.multipliers) or not all(price.is_for_all for price in prices)
            key = Alike(self.changes(prices), is_by_source, model not in self.models_of_records)
            found.setdefault(key, set()).add(model)
        return {key: frozenset(models) for key, models in found.items()}

    def changes(self, prices: list[Price]) -> tuple[int, ...]:
        """Return when within the span some of these, or a multiplier, come into force."""
        moments = {price.effective_from for price in prices} | {one.effective_from for one in self.multipliers}
        return tuple(sorted(moment for moment in moments if moment > self.span.since))

    @cached_property
    def special_models(self) -> frozenset[int]:
        """Those of which some requests have a price that is not for all."""
        return frozenset(model for model, prices in self.contenders.items() if any(one.is_for_some for one in prices))

    @cached_property
    def models_of_records(self) -> frozenset[int]:
        """Those of which sums tell too little: a token that was used costs no whole nano-USD, so that each record is rounded,
        or it costs not the same at any time of day.
        """
        factors = {LIST_PRICE, *(one.factor for one in self.multipliers)}
        return frozenset(
            model
            for model, prices in self.contenders.items()
            if not all(price.is_all_day for price in prices)
            or not all(
                replace(price, factor=one).adds_up(self.used[model])
                for price in self._ordinary_prices(model)
                for one in factors
            )
        )

    def _ordinary_prices(self, model: int) -> list[Price]:
        return [price for price in self.contenders[model] if not price.is_for_some]

    def find(self, model: int, at: int, owner: Owner, tier: str = "", input_tokens: int = 0) -> Price | None:
        """Return the price of a request at `at`; without a service tier and a long input, of an ordinary one."""
        return self.book.find(self.models[model], at, owner.provider, tier, input_tokens, owner.channel, owner.account)

    @cached_property
    def owners(self) -> dict[int, Owner]:
        """By source."""
        sources = Source.objects.using(database().alias).select_related("account")
        return {one.pk: Owner(one.provider, one.known_channel_id, one.account_id) for one in sources}

    @cached_property
    def readable_since(self) -> int:
        """From this hour on no record was pruned."""
        return HOURLY.end_of(once(records_since))


def _used_in(span: Span, conditions: Conditions) -> dict[int, Buckets]:
    """Return all tokens, by model, of those that have requests on the days of `span`."""
    grain, tokens = DAILY_BY_MODEL, ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in TOKENS)
    with database().cursor() as cursor:
        cursor.execute(
            f"SELECT model_id, {tokens} FROM {grain.table} WHERE bucket >= %s AND bucket < %s GROUP BY model_id",
            [grain.start_of(span.since), span.until],
        )
        found = {model: Buckets(*sums) for model, *sums in cursor.fetchall()}
    return {model: used for model, used in found.items() if conditions.models is None or model in conditions.models}
