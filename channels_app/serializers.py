"""The shape of the channel answers: what `stats` found, in JSON."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels_app.fast_serializer import FastSerializer
from channels_app.stats import Basis, Usage


def _usd(nanousd: int) -> str:
    """Thousands of rows have one, and a Decimal takes five times as long."""
    dollars, rest = divmod(abs(nanousd), 1_000_000_000)
    return f"{'-' if nanousd < 0 else ''}{dollars}.{rest:09}"


class TokensSerializer(FastSerializer[Usage]):
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


class CostSerializer(FastSerializer[Usage]):
    """Estimated cost at list prices; null where nothing is priced, a lower bound where `pricing` is `partial`."""

    usd = serializers.SerializerMethodField()
    nanousd = serializers.IntegerField(source="cost", allow_null=True)
    pricing = serializers.ChoiceField(choices=["priced", "partial", "unpriced"])
    coverage = serializers.FloatField(
        source="price_coverage", allow_null=True, help_text="priced tokens / all tokens, 0 to 1"
    )
    saved_nanousd = serializers.IntegerField(
        source="saved", allow_null=True, help_text="by the cache; less than 0 where writing it cost more than it saved"
    )
    per_request_nanousd = serializers.FloatField(
        source="cost_per_request", allow_null=True, help_text="for each success; null without a priced one"
    )
    per_million_tokens_nanousd = serializers.FloatField(source="blended_price", allow_null=True)

    @extend_schema_field({"type": "string", "nullable": True, "example": "12.345678901"})
    def get_usd(self, usage: Usage) -> str | None:
        return None if usage.cost is None else _usd(usage.cost)


class QualitySerializer(FastSerializer[Usage]):
    """How far the tokens of these requests can be trusted; each request counts once."""

    complete = serializers.IntegerField(source="complete_requests")
    estimated = serializers.IntegerField(source="estimated_requests", help_text="of an older CPA: split by our rules")
    unclassified = serializers.IntegerField(
        source="unclassified_requests", help_text="the total is known, its kinds not"
    )
    inconsistent = serializers.IntegerField(source="inconsistent_requests", help_text="their parts exceed their total")


class UsageSerializer(FastSerializer[Usage]):
    requests = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="0 to 1; null without requests")
    error_rate = serializers.FloatField(allow_null=True, help_text="0 to 1; null without requests")
    cache_hit_rate = serializers.FloatField(allow_null=True, help_text="cache reads / input, 0 to 1")
    tokens_per_request = serializers.FloatField(allow_null=True, help_text="for each success")
    tokens_per_second = serializers.FloatField(
        source="speed", allow_null=True, help_text="of output, from the first token on; null where no answer tells"
    )
    without_usage = serializers.IntegerField(help_text="succeeded, and upstream told no tokens")
    tokens = TokensSerializer(source="*")
    cost = CostSerializer(source="*")
    quality = QualitySerializer(source="*")


class ShareSerializer(FastSerializer[object]):
    """Fractions of the whole answer, 0 to 1; null where the whole is zero."""

    requests = serializers.FloatField(allow_null=True)
    tokens = serializers.FloatField(allow_null=True)
    cost = serializers.FloatField(allow_null=True)


class ModelRowSerializer(FastSerializer[object]):
    model = serializers.CharField(source="name")
    usage = UsageSerializer()


class AccountRowSerializer(FastSerializer[object]):
    """An account; under the unknown channel, or with a null id, a source that no account could be found for."""

    id = serializers.IntegerField(source="account_id", allow_null=True)
    name = serializers.CharField()
    instance = serializers.CharField(help_text="the CPA server")
    state = serializers.CharField(allow_blank=True)
    usage = UsageSerializer()
    share = ShareSerializer()
    share_of_channel = ShareSerializer()
    models = ModelRowSerializer(many=True)


class ChannelRowSerializer(FastSerializer[object]):
    slug = serializers.CharField(help_text="`unknown` for what matches no channel")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["oauth", "api_key", ""], help_text="empty for the unknown channel")
    usage = UsageSerializer()
    share = ShareSerializer()
    models = ModelRowSerializer(many=True)
    accounts = AccountRowSerializer(many=True)


class PeriodSerializer(FastSerializer[object]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="not included")
    time_zone = serializers.CharField(source="zone.key")


class CostBasisSerializer(FastSerializer[object]):
    prices = serializers.ChoiceField(source="basis", choices=[*Basis])
    taken_as_ordinary = serializers.IntegerField(
        help_text="pruned requests that may have had the price of a service tier or a long input, and are told without it"
    )


class ChannelReportSerializer(FastSerializer[object]):
    period = PeriodSerializer()
    cost_basis = CostBasisSerializer(source="*")
    total = UsageSerializer(source="usage")
    channels = ChannelRowSerializer(many=True)
