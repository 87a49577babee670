"""The shape of prices in JSON. Amounts are decimal text: a JSON number is a float to most who read it."""

from __future__ import annotations

from decimal import Decimal

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from usage.models import ModelPrice


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
    service_tier = serializers.CharField(help_text="billed, else asked for")
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
