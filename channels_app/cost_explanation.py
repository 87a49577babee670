"""How a record's cost comes about: a table that multiplies out to it, or what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import TextChoices
from rest_framework import serializers

from usage.accounting.pricing import LIST_PRICE
from usage.accounting.tokens import Buckets
from usage.ingest.grains import TOKENS
from usage.models import ModelPrice, PriceMultiplier, UsageRecord
from usage.models.fields import to_micros
from usage.prices.resolution import multiplier_of
from usage.prices.serializers import DecimalTextField, MultiplierSerializer, PriceSerializer


class Outcome(TextChoices):
    MULTIPLIES_OUT = "multiplies_out"
    PRICE_CHANGED = "price_changed"
    PRICE_DELETED = "price_deleted"
    NOTHING_USED = "nothing_used"
    UNPRICED = "unpriced"


@dataclass(frozen=True, slots=True)
class Line:
    """One bucket; `usd` is exact."""

    bucket: str
    tokens: int
    usd_per_million: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """`tokens_usd` times both multipliers, rounded half up to the nano-dollar, and the price per request are `usd`.

    With another outcome than `multiplies_out`, `usd` is what the record would cost at the price, and by the multiplier of its
    account, as they are now.
    """

    outcome: Outcome
    service_tier: str
    input_tokens: int
    price: ModelPrice | None = None
    lines: tuple[Line, ...] = ()
    tokens_usd: Decimal | None = None
    multiplier: Decimal | None = None
    account_multiplier: PriceMultiplier | None = None
    per_request_usd: Decimal | None = None
    usd: Decimal | None = None


def explain(row: UsageRecord) -> Explanation:
    """Explain the cost of `row` by the price that it was booked with."""
    buckets, tier = Buckets(*(getattr(row, name) for name in TOKENS)), row.traits.tier
    listed = ModelPrice.objects.filter(pk=row.price_id).first() if row.price_id else None
    if listed is None or row.cost_nanousd is None:
        return Explanation(_without_price(row, buckets), tier, buckets.total_input)
    of_account = multiplier_of(to_micros(row.requested_at), row.source.known_channel_id, row.source.account_id)
    price = replace(listed.price, factor=of_account.multiplier.factor if of_account else LIST_PRICE)
    now = price.cost(buckets, failed=row.failed)
    lines = tuple(map(_line, Buckets._fields, buckets, price.rates))
    charged = bool(now or any(buckets) or not row.failed)
    return Explanation(
        Outcome.MULTIPLIES_OUT if now == row.cost_nanousd else Outcome.PRICE_CHANGED,
        tier, buckets.total_input, listed, lines,
        tokens_usd=sum((line.usd for line in lines), Decimal(0)),
        multiplier=listed.multiplier,
        account_multiplier=of_account,
        per_request_usd=listed.per_request if charged else Decimal(0),
        usd=Decimal(now).scaleb(-9),
    )  # fmt: skip


def _without_price(row: UsageRecord, buckets: Buckets) -> Outcome:
    if row.cost_nanousd is None:
        return Outcome.UNPRICED
    return Outcome.NOTHING_USED if row.failed and not any(buckets) else Outcome.PRICE_DELETED


def _line(bucket: str, tokens: int, rate: int) -> Line:
    """`rate` is in nano-USD per 1,000 tokens."""
    return Line(bucket, tokens, Decimal(rate).scaleb(-6), Decimal(tokens * rate).scaleb(-12))


class LineSerializer(serializers.Serializer[Line]):
    bucket = serializers.ChoiceField(choices=TOKENS, help_text="unclassified tokens have the price of input")
    tokens = serializers.IntegerField()
    usd_per_million = DecimalTextField()
    usd = DecimalTextField(help_text="exact: tokens x price")


class ExplanationSerializer(serializers.Serializer[Explanation]):
    """`tokens_usd` x `multiplier` x the factor of `account_multiplier` (null: 1), rounded half up to the nano-dollar, +
    `per_request_usd` = `usd`, which is the cost that was booked if `outcome` is `multiplies_out`; else (a price or
    multiplier was changed since, or the account named) what it would be now, or null without a price.
    """

    outcome = serializers.ChoiceField(choices=Outcome.values)
    service_tier = serializers.CharField(help_text="billed, else asked for")
    input_tokens = serializers.IntegerField(help_text="what thresholds are compared with")
    price = PriceSerializer(allow_null=True)
    lines = LineSerializer(many=True)
    tokens_usd = DecimalTextField(allow_null=True)
    multiplier = DecimalTextField(allow_null=True, help_text="of the price")
    account_multiplier = MultiplierSerializer(
        allow_null=True, help_text="of the account or channel, at the record's time"
    )
    per_request_usd = DecimalTextField(allow_null=True)
    usd = DecimalTextField(allow_null=True)
