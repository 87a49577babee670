"""The shape of prices in JSON. Amounts are decimal text: a JSON number is a float to most who read it."""

from __future__ import annotations

from decimal import Decimal

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from usage.models import ModelPrice, PriceMultiplier


@extend_schema_field({"type": "string", "format": "decimal", "example": "2.5"})
class DecimalTextField(serializers.Field[Decimal, str, str, object]):
    def to_representation(self, value: Decimal) -> str:
        return f"{value:f}"


class PriceSerializer(serializers.Serializer[ModelPrice]):
    """A row of prices, in USD per 1M tokens; null is as input, of reasoning as output. Conditions that are empty hold for
    all requests.
    """

    id = serializers.IntegerField()
    pattern = serializers.CharField(help_text="a model, or a pattern with `*`")
    provider = serializers.CharField(help_text="as CPA calls it")
    channel = serializers.CharField(source="channel.slug", allow_null=True)
    account = serializers.IntegerField(source="account_id", allow_null=True)
    service_tier = serializers.CharField(help_text="billed, else asked for")
    daily_from = serializers.TimeField(help_text="UTC; may be after `daily_until`: over midnight")
    daily_until = serializers.TimeField(help_text="UTC; all day where it is the same as `daily_from`")
    above_input_tokens = serializers.IntegerField(help_text="for requests with more input than this, cached included")
    effective_from = serializers.DateTimeField()
    input = DecimalTextField()
    cached_input = DecimalTextField(allow_null=True)
    cache_write = DecimalTextField(allow_null=True)
    output = DecimalTextField()
    reasoning = DecimalTextField(allow_null=True)
    per_request = DecimalTextField(help_text="USD")
    multiplier = DecimalTextField(help_text="of the prices of tokens")
    origin = serializers.ChoiceField(choices=ModelPrice.Origin.values)
    locked = serializers.BooleanField()


class MultiplierSerializer(serializers.Serializer[PriceMultiplier]):
    """A factor on the prices of tokens of one account or of one channel, from a moment on. An account's counts before its
    channel's, a later one before an earlier one; each beside the multiplier of the price.
    """

    id = serializers.IntegerField()
    channel = serializers.CharField(source="channel.slug", allow_null=True)
    account = serializers.IntegerField(source="account_id", allow_null=True)
    factor = DecimalTextField()
    effective_from = serializers.DateTimeField()
