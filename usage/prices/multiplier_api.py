"""`/api/multipliers/`: what accounts and channels cost of the list price; signed-in users read it, administrators write."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from usage.models import PriceMultiplier
from usage.models.fields import EPOCH
from usage.prices.multiplier_csv import MULTIPLIERS
from usage.prices.rows_api import ERRORS, RowsViewSet
from usage.prices.saving import save
from usage.prices.serializers import MultiplierSerializer
from usage.prices.write_serializer import account_field, channel_field


class MultiplierWriteSerializer(serializers.Serializer[PriceMultiplier]):
    """Give a channel or an account. Records keep their cost until they are repriced."""

    channel = channel_field()
    account = account_field()
    factor = serializers.DecimalField(max_digits=6, decimal_places=4, min_value=Decimal(0), help_text="1 ends another")
    effective_from = serializers.DateTimeField(default=EPOCH, help_text="without: since ever")

    def to_representation(self, instance: PriceMultiplier) -> Any:
        return MultiplierSerializer(instance).data

    def create(self, validated_data: dict[str, Any]) -> PriceMultiplier:
        return self.update(PriceMultiplier(), validated_data)

    def update(self, instance: PriceMultiplier, validated_data: dict[str, Any]) -> PriceMultiplier:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        save(instance, beside="effective_from")
        return instance


@extend_schema_view(
    list=extend_schema(responses={200: MultiplierSerializer(many=True), 401: OpenApiTypes.OBJECT}),
    retrieve=extend_schema(responses={200: MultiplierSerializer, 401: OpenApiTypes.OBJECT, 404: OpenApiTypes.OBJECT}),
    create=extend_schema(responses={201: MultiplierSerializer, **ERRORS}),
    update=extend_schema(responses={200: MultiplierSerializer, **ERRORS}),
    partial_update=extend_schema(responses={200: MultiplierSerializer, **ERRORS}),
    destroy=extend_schema(responses={204: None, 401: OpenApiTypes.OBJECT, 403: OpenApiTypes.OBJECT}),
    import_csv=extend_schema(operation_id="api_multipliers_import"),
)
class MultiplierViewSet(RowsViewSet):
    """Multipliers of accounts and channels, the oldest first."""

    importer, row_name = MULTIPLIERS, "multiplier"
    queryset = PriceMultiplier.objects.select_related("channel")
    serializer_class = MultiplierWriteSerializer
