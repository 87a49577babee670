"""Which price a request has and why, in words: for the API and the pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from usage.accounting.price_book import PriceBook, Verdict
from usage.models import ModelPrice

_REASONS = {
    Verdict.WINS: _("It counts: all its conditions hold, and no price before it fits."),
    Verdict.OTHER_PROVIDER: _("It is for another provider."),
    Verdict.OTHER_TIER: _("It is for another service tier."),
    Verdict.INPUT_TOO_SHORT: _("It is for more input tokens."),
    Verdict.NOT_YET: _("It comes into force later."),
    Verdict.PATTERN_BEHIND: _("An exact name comes before patterns, and a longer pattern before a shorter one."),
    Verdict.ANY_PROVIDER: _("A price for this provider comes before one for any."),
    Verdict.ANY_TIER: _("A price for this service tier comes before one for any."),
    Verdict.LOWER_THRESHOLD: _("A price above a higher number of input tokens comes first."),
    Verdict.OLDER: _("A later price has replaced it."),
}


@dataclass(frozen=True, slots=True)
class JudgedRow:
    price: ModelPrice
    verdict: Verdict

    @property
    def reason(self) -> Promise:
        return _REASONS[self.verdict]


@dataclass(frozen=True, slots=True)
class Resolution:
    """All prices whose pattern fits the model, in the order in which they are tried."""

    judged: list[JudgedRow]

    @property
    def price(self) -> ModelPrice | None:
        """The one that counts; None: such a request is unpriced."""
        return next((one.price for one in self.judged if one.verdict is Verdict.WINS), None)


def resolve(model: str, at: int, provider: str, service_tier: str, input_tokens: int) -> Resolution:
    """Judge the prices of the database as they are now; `at` is in microseconds since 1970 UTC."""
    rows = {row.pk: row for row in ModelPrice.objects.all()}
    book = PriceBook(row.price for row in rows.values())
    found = book.explain(model, at, provider, service_tier, input_tokens)
    return Resolution([JudgedRow(rows[price.id], verdict) for price, verdict in found if price.id])
