"""What the Prices page shows: models without a price, then the prices, then the test box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from channels_app.prices_page.meanings import PRICES, UNPRICED
from channels_app.prices_page.query import SHOWN, PricesQuery
from channels_app.prices_page.recent import DAYS, Recent, recent
from channels_app.stats import Usage
from config.report_zone import report_zone
from usage import formats
from usage.accounting.price_book import PriceBook
from usage.models import Account, Channel, ModelPrice
from usage.models.fields import to_micros
from usage.prices.resolution import Resolution, find_account, find_channel, resolve

_ROWS = 100
# Clients choose the names of models; whoever has more without a price is shown these first, by tokens.
_UNPRICED = 20


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model of which requests have no price; `has_prices`: some would have one if they came now, or under conditions."""

    model: str
    requests: int
    tokens: int
    has_prices: bool


class PriceRow(NamedTuple):
    """A price, and the models of the last 30 days for which it may have counted."""

    price: ModelPrice
    models: Sequence[str]
    usage: Usage

    @property
    def is_wildcard(self) -> bool:
        return "*" in self.price.pattern


class PricesPage:
    """Every part is read once, when the template comes to it."""

    about_prices = PRICES
    about_unpriced = UNPRICED

    def __init__(self, query: PricesQuery, now: datetime) -> None:
        self.query, self.now = query, now

    @cached_property
    def recent(self) -> Recent:
        return recent(self.now)

    @property
    def period_text(self) -> str:
        """The 30 days with the offset of their zone."""
        zone = report_zone()
        since, end = (formats.minute(moment, zone, self.now) for moment in (self.now - DAYS, self.now))
        offset = formats.utc_offset(self.now.astimezone(zone))
        return _("%(since)s – %(end)s (%(zone)s)") % {"since": since, "end": end, "zone": offset}

    @cached_property
    def prices(self) -> dict[int, ModelPrice]:
        return {row.pk: row for row in ModelPrice.objects.select_related("channel", "account__channel")}

    @cached_property
    def _book(self) -> PriceBook:
        return PriceBook(row.price for row in self.prices.values())

    @cached_property
    def all_unpriced(self) -> list[Unpriced]:
        """The ones with most tokens first."""
        found = [
            Unpriced(
                model, usage.requests - usage.priced_requests, usage.total_tokens - usage.priced_tokens,
                self._book.knows(model),
            )
            for model, usage in self.recent.models.items()
            if usage.priced_requests < usage.requests
        ]  # fmt: skip
        return sorted(found, key=lambda one: (-one.tokens, -one.requests, one.model))

    @property
    def unpriced(self) -> list[Unpriced]:
        if self._only_unpriced:
            return [one for one in self.all_unpriced if self._is_asked_for(one.model)]
        return self.all_unpriced[:_UNPRICED]

    @property
    def more_unpriced(self) -> int:
        return 0 if self._only_unpriced else max(len(self.all_unpriced) - _UNPRICED, 0)

    @property
    def _only_unpriced(self) -> bool:
        return self.query.show == "unpriced"

    @cached_property
    def _models_of(self) -> Mapping[int, list[str]]:
        """By price, the models for which it may have counted."""
        found = defaultdict[int, list[str]](list)
        for model in self.recent.models:
            for price in self._book.contenders(model, self.recent.span.since, self.recent.span.until):
                if price.id is not None:
                    found[price.id].append(model)
        return found

    @cached_property
    def counts(self) -> dict[str, int]:
        rows = list(self.prices.values())
        counts = {show: sum(self._is_shown(row, show) for row in rows) for show in SHOWN}
        return counts | {"unpriced": len(self.all_unpriced)}

    @property
    def filters(self) -> list[tuple[str, Promise, int]]:
        return [(show, label, self.counts[show]) for show, label in SHOWN.items()]

    @cached_property
    def rows(self) -> Page[PriceRow]:
        shown = [row for row in self.prices.values() if self._is_shown(row, self.query.show)]
        found = [row for row in shown if self._is_asked_for(row.pattern)]
        return Paginator([self._row(row) for row in found], _ROWS).get_page(self.query.page)

    def _is_asked_for(self, name: str) -> bool:
        return self.query.q.lower() in name.lower()

    def _is_shown(self, row: ModelPrice, show: str) -> bool:
        match show:
            case "manual":
                return row.origin == ModelPrice.Origin.MANUAL
            case "synced":
                return row.origin != ModelPrice.Origin.MANUAL
            case "unused":
                return row.pk not in self._models_of
            case _:
                return show == "all"

    def _row(self, row: ModelPrice) -> PriceRow:
        usage, models = Usage(), self._models_of.get(row.pk, [])
        for model in models:
            usage.add(self.recent.models[model])
        return PriceRow(row, models, usage)

    @cached_property
    def resolution(self) -> Resolution | None:
        """The answer of the test box; None: nothing was asked."""
        asked = self.query.question
        if not asked.model:
            return None
        at = to_micros(asked.moment or self.now)
        channel, account = find_channel(asked.channel), find_account(asked.account)
        return resolve(asked.model, at, asked.provider, asked.tier, asked.input_tokens, channel, account)

    @property
    def channels(self) -> QuerySet[Channel]:
        return Channel.objects.all()

    @property
    def accounts(self) -> QuerySet[Account]:
        """By channel."""
        return Account.objects.select_related("channel").order_by(
            "channel__position", "channel__name", "label", "qualifier", "pk"
        )
