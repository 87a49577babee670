"""Which price a request has and why, in words: for the API and the pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from usage.accounting.multipliers import Multipliers
from usage.accounting.price_book import PriceBook, Verdict
from usage.models import Account, Channel, ModelPrice, PriceMultiplier

_MOST_DIGITS = 18
_REASONS = {
    Verdict.WINS: _("It counts: all its conditions hold, and no price before it fits."),
    Verdict.OTHER_ACCOUNT: _("It is for another account."),
    Verdict.OTHER_CHANNEL: _("It is for another channel."),
    Verdict.OTHER_PROVIDER: _("It is for another provider."),
    Verdict.OTHER_TIER: _("It is for another service tier."),
    Verdict.OTHER_HOURS: _("It is for another time of day."),
    Verdict.INPUT_TOO_SHORT: _("It is for more input tokens."),
    Verdict.NOT_YET: _("It comes into force later."),
    Verdict.PATTERN_BEHIND: _("An exact name comes before patterns, and a longer pattern before a shorter one."),
    Verdict.ANY_ACCOUNT: _("A price for this account comes before one for any."),
    Verdict.ANY_CHANNEL: _("A price for this channel comes before one for any."),
    Verdict.ANY_PROVIDER: _("A price for this provider comes before one for any."),
    Verdict.ANY_TIER: _("A price for this service tier comes before one for any."),
    Verdict.LONGER_HOURS: _("A price for a time of day comes before one for a longer time or all day."),
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
    """All prices whose pattern fits the model, in the order in which they are tried; and what the account or channel is
    multiplied by, None: by nothing.
    """

    judged: list[JudgedRow]
    multiplier: PriceMultiplier | None = None

    @property
    def price(self) -> ModelPrice | None:
        """The one that counts; None: such a request is unpriced."""
        return next((one.price for one in self.judged if one.verdict is Verdict.WINS), None)


def resolve(
    model: str, at: int, provider: str = "", service_tier: str = "", input_tokens: int = 0,
    channel: Channel | None = None, account: Account | None = None,
) -> Resolution:  # fmt: skip
    """Judge the prices of the database as they are now; `at` is in microseconds since 1970 UTC, an account has its channel."""
    rows = {row.pk: row for row in ModelPrice.objects.select_related("channel", "account__channel")}
    book = PriceBook(row.price for row in rows.values())
    whose = account.channel_id if account else channel.pk if channel else None, account.pk if account else None
    found = book.explain(model, at, provider, service_tier, input_tokens, *whose)
    judged = [JudgedRow(rows[price.id], verdict) for price, verdict in found if price.id]
    return Resolution(judged, multiplier_of(at, *whose))


def multiplier_of(at: int, channel: int | None, account: int | None) -> PriceMultiplier | None:
    """Return what requests of this channel or account (ids) at that time are multiplied by, as it is now."""
    rows = {row.pk: row for row in PriceMultiplier.objects.select_related("channel", "account__channel")}
    found = Multipliers(row.multiplier for row in rows.values()).find(at, channel, account)
    return rows[found.id] if found and found.id else None


def find_channel(slug: str) -> Channel | None:
    return Channel.objects.filter(slug=slug.replace("\0", "")).first()


def find_account(number: str) -> Account | None:
    is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    return Account.objects.select_related("channel").filter(pk=number).first() if is_number else None
