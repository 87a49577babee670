"""The shape of records in JSON. What filters take is given as they take it: slugs, ids, names of models."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels_app.cost_explanation import ExplanationSerializer, explain
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.record_costs import told_by
from channels_app.records import tokens_per_second, with_names
from channels_app.serializers import PeriodSerializer, TokensSerializer
from channels_app.stats import Basis
from channels_app.stats.client_requests import attempts_of
from usage.models import FailureText, UsageRecord
from usage.models.record import NO_KEY


class NamedSerializer(serializers.Serializer[object]):
    """What the filter of this name takes, and what people call it."""

    id = serializers.CharField()
    name = serializers.CharField()


class NumberedSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class RecordTokensSerializer(TokensSerializer):
    quality = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "enum": [quality.name.lower() for quality in UsageRecord.Quality]})
    def get_quality(self, row: UsageRecord) -> str:
        return UsageRecord.Quality(row.quality).name.lower()


class RecordCostSerializer(serializers.Serializer[UsageRecord]):
    """Estimated cost at the list price of its time; null where the model was unpriced, which is not free."""

    usd = serializers.SerializerMethodField()
    nanousd = serializers.IntegerField(source="cost_nanousd", allow_null=True)
    saved_nanousd = serializers.IntegerField(
        allow_null=True, help_text="by the cache; less than 0 where writing it cost more than it saved"
    )

    @extend_schema_field({"type": "string", "nullable": True, "example": "0.012345678"})
    def get_usd(self, row: UsageRecord) -> str | None:
        return None if row.cost_nanousd is None else f"{Decimal(row.cost_nanousd).scaleb(-9):.9f}"


class TraitsSerializer(serializers.Serializer[object]):
    endpoint = serializers.CharField()
    reasoning_effort = serializers.CharField()
    service_tier = serializers.CharField(help_text="asked for")
    billed_tier = serializers.CharField()


class ClientSerializer(serializers.Serializer[object]):
    """Where the client called from, and what it calls itself."""

    ip = serializers.CharField(source="shown_ip", help_text="of the other end of its socket; may be a proxy's")
    forwarded_for = serializers.CharField(source="shown_forwarded_for", help_text="as the client or its proxy says")
    user_agent = serializers.CharField()


class RecordSerializer(serializers.Serializer[UsageRecord]):
    """One upstream attempt."""

    id = serializers.IntegerField()
    requested_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    failed = serializers.BooleanField()
    code = serializers.IntegerField(source="status_code", allow_null=True, help_text="HTTP status of a failure")
    server = serializers.SerializerMethodField()
    channel = serializers.SerializerMethodField()
    account = serializers.SerializerMethodField(
        help_text="null where it is not known; `source` is what the record shows"
    )
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    model = serializers.CharField(source="model.name")
    alias = serializers.CharField(source="alias.name", help_text="the model that the client asked for")
    key = serializers.SerializerMethodField(help_text="the client's; id 0 for requests without one")
    traits = TraitsSerializer()
    client = ClientSerializer(allow_null=True, help_text="null where CPA is older than v7.2.104")
    request_id = serializers.CharField()
    tokens = RecordTokensSerializer(source="*")
    cost = RecordCostSerializer(source="*")
    generate = serializers.BooleanField()
    latency_ms = serializers.IntegerField(allow_null=True)
    ttft_ms = serializers.IntegerField(allow_null=True, help_text="time to the first token")
    tokens_per_second = serializers.SerializerMethodField(help_text="output after the first token; null for short ones")

    @extend_schema_field(NamedSerializer)
    def get_server(self, row: UsageRecord) -> dict[str, Any]:
        return {"id": row.source.instance.slug, "name": row.source.instance.name}

    @extend_schema_field(NamedSerializer)
    def get_channel(self, row: UsageRecord) -> dict[str, Any]:
        channel = row.source.known_channel
        slug, name = (channel.slug, channel.name) if channel else (UNKNOWN_CHANNEL, _("Unknown channel"))
        return {"id": slug, "name": name}

    @extend_schema_field(NumberedSerializer(allow_null=True))
    def get_account(self, row: UsageRecord) -> dict[str, Any] | None:
        account = row.source.account
        return {"id": account.pk, "name": str(account)} if account else None

    @extend_schema_field(NumberedSerializer)
    def get_source(self, row: UsageRecord) -> dict[str, Any]:
        return {"id": row.source_id, "name": str(row.source)}

    @extend_schema_field(NumberedSerializer)
    def get_key(self, row: UsageRecord) -> dict[str, Any]:
        return {"id": row.api_key.pk, "name": str(row.api_key)} if row.api_key else {"id": NO_KEY, "name": _("No key")}

    @extend_schema_field({"type": "number", "format": "double", "nullable": True})
    def get_tokens_per_second(self, row: UsageRecord) -> float | None:
        return tokens_per_second(row)


class AttemptsSerializer(serializers.Serializer[object]):
    """The client request that a record served: `number` is which of its attempts the record is, from 1."""

    number = serializers.IntegerField()
    attempts = serializers.IntegerField()
    succeeded = serializers.IntegerField(help_text="of the attempts; 0 where the client request was lost")
    records = RecordSerializer(many=True, help_text="the attempts in order, but for those that were pruned")


class RecordDetailSerializer(RecordSerializer):
    """One upstream attempt, with what upstream said of its failure: without secrets, as it is stored. The context's `prices`
    are those by which costs are told.
    """

    error = serializers.SerializerMethodField()
    cost_explanation = serializers.SerializerMethodField()
    client_request = serializers.SerializerMethodField(
        help_text="with all attempts; each turn of a websocket is a client request of its own"
    )

    @extend_schema_field({"type": "string", "nullable": True})
    def get_error(self, row: UsageRecord) -> str | None:
        text = FailureText.objects.filter(record=row).first()
        return text.text if text else None

    @extend_schema_field(ExplanationSerializer)
    def get_cost_explanation(self, row: UsageRecord) -> Any:
        return ExplanationSerializer(explain(row)).data

    @extend_schema_field(AttemptsSerializer)
    def get_client_request(self, row: UsageRecord) -> Any:
        attempts = attempts_of(row)
        rows = with_names(UsageRecord.objects.filter(pk__in=[one.record_id for one in attempts]))
        found = {one.pk: one for one in told_by(self.context["prices"], rows)}
        return AttemptsSerializer(
            {
                "number": next((one.number for one in attempts if one.record_id == row.pk), 1),
                "attempts": len(attempts) or 1,
                "succeeded": attempts[0].succeeded if attempts else int(not row.failed),
                "records": [found[one.record_id] for one in attempts if one.record_id in found] or [row],
            }
        ).data


class RecordBasisSerializer(serializers.Serializer[object]):
    prices = serializers.ChoiceField(choices=[*Basis])


class RecordListSerializer(serializers.Serializer[object]):
    period = PeriodSerializer()
    cost_basis = RecordBasisSerializer()
    records = RecordSerializer(many=True, source="page.rows")
    older = serializers.CharField(
        source="page.older", allow_null=True, help_text="goes on to the end of the list as `before`; null there"
    )
    newer = serializers.CharField(
        source="page.newer", allow_null=True, help_text="leads back as `after`, also to what comes later"
    )
    is_first = serializers.BooleanField(source="page.is_first", help_text="nothing comes before these now")
