"""The shape of the channel answers: what `stats` found, in JSON."""

from __future__ import annotations

from decimal import Decimal

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels_app.stats import Usage

_NANO = Decimal(1_000_000_000)


class TokensSerializer(serializers.Serializer[Usage]):
    """Tokens. The first six never overlap and sum to `total`; `input` and `output` are sums of them."""

    uncached_input = serializers.IntegerField()
    cache_read = serializers.IntegerField()
    cache_write = serializers.IntegerField()
    answer = serializers.IntegerField(source="output", help_text="output without reasoning")
    reasoning = serializers.IntegerField()
    unclassified = serializers.IntegerField()
    input = serializers.IntegerField(source="input_tokens")
    output = serializers.IntegerField(source="output_tokens")
    total = serializers.IntegerField(source="total_tokens")


class CostSerializer(serializers.Serializer[Usage]):
    """Estimated cost at list prices; null where nothing is priced, a lower bound where `pricing` is `partial`."""

    usd = serializers.SerializerMethodField()
    nanousd = serializers.IntegerField(source="cost", allow_null=True)
    pricing = serializers.ChoiceField(choices=["priced", "partial", "unpriced"])
    coverage = serializers.FloatField(
        source="price_coverage", allow_null=True, help_text="priced tokens / all tokens, 0 to 1"
    )

    @extend_schema_field({"type": "string", "nullable": True, "example": "12.345678901"})
    def get_usd(self, usage: Usage) -> str | None:
        return None if usage.cost is None else f"{usage.cost / _NANO:.9f}"


class UsageSerializer(serializers.Serializer[Usage]):
    requests = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="0 to 1; null without requests")
    cache_hit_rate = serializers.FloatField(allow_null=True, help_text="cache reads / input, 0 to 1")
    tokens = TokensSerializer(source="*")
    cost = CostSerializer(source="*")


class ShareSerializer(serializers.Serializer[object]):
    """Fractions of the whole answer, 0 to 1; null where the whole is zero."""

    requests = serializers.FloatField(allow_null=True)
    tokens = serializers.FloatField(allow_null=True)
    cost = serializers.FloatField(allow_null=True)


class ModelRowSerializer(serializers.Serializer[object]):
    model = serializers.CharField(source="name")
    usage = UsageSerializer()


class AccountRowSerializer(serializers.Serializer[object]):
    """An account; under the unknown channel, or with a null id, a source that no account could be found for."""

    id = serializers.IntegerField(source="account_id", allow_null=True)
    name = serializers.CharField()
    instance = serializers.CharField(help_text="the CPA server")
    state = serializers.CharField(allow_blank=True)
    usage = UsageSerializer()
    share = ShareSerializer()
    share_of_channel = ShareSerializer()
    models = ModelRowSerializer(many=True)


class ChannelRowSerializer(serializers.Serializer[object]):
    slug = serializers.CharField(help_text="`unknown` for what matches no channel")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["oauth", "api_key", ""], help_text="empty for the unknown channel")
    usage = UsageSerializer()
    share = ShareSerializer()
    models = ModelRowSerializer(many=True)
    accounts = AccountRowSerializer(many=True)


class PeriodSerializer(serializers.Serializer[object]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="not included")
    time_zone = serializers.CharField(source="zone.key")


class ChannelReportSerializer(serializers.Serializer[object]):
    period = PeriodSerializer()
    total = UsageSerializer(source="usage")
    channels = ChannelRowSerializer(many=True)
