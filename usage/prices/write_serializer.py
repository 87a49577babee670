"""What a person writes to a price by the API: checked field by field."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from usage.models import Account, Channel, ModelPrice
from usage.models.fields import EPOCH
from usage.prices.saving import save
from usage.prices.serializers import PriceSerializer

_MOST = 2**63 - 1


def _usd_per_million(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=12, decimal_places=6, min_value=Decimal(0), **options)


def channel_field() -> Any:
    return serializers.SlugRelatedField(
        slug_field="slug",
        queryset=Channel.objects.all(),
        allow_null=True,
        default=None,
        help_text="its slug; null: any",
    )


def account_field() -> Any:
    return serializers.PrimaryKeyRelatedField(
        queryset=Account.objects.all(), allow_null=True, default=None, help_text="its number; null: any"
    )


class PriceWriteSerializer(serializers.Serializer[ModelPrice]):
    """A price in USD per 1M tokens, as text or number. Whoever writes it makes it theirs: `locked`, no source changes it,
    unless they change nothing but `locked`. Records keep their cost until they are repriced.
    """

    pattern = serializers.CharField(max_length=300, help_text="a model, or a pattern with `*`")
    provider = serializers.CharField(max_length=100, allow_blank=True, default="", help_text="empty: any")
    channel = channel_field()
    account = account_field()
    service_tier = serializers.CharField(max_length=40, allow_blank=True, default="", help_text="empty: any")
    daily_from = serializers.TimeField(default=time.min, help_text="UTC")
    daily_until = serializers.TimeField(default=time.min, help_text="UTC, may be after midnight; neither: all day")
    above_input_tokens = serializers.IntegerField(min_value=0, max_value=_MOST, default=0)
    effective_from = serializers.DateTimeField(default=EPOCH, help_text="without: since ever")
    input = _usd_per_million()
    cached_input = _usd_per_million(allow_null=True, default=None, help_text="null: as input")
    cache_write = _usd_per_million(allow_null=True, default=None, help_text="null: as input")
    output = _usd_per_million()
    reasoning = _usd_per_million(allow_null=True, default=None, help_text="null: as output")
    per_request = serializers.DecimalField(max_digits=12, decimal_places=9, min_value=Decimal(0), default=Decimal(0))
    multiplier = serializers.DecimalField(max_digits=6, decimal_places=4, min_value=Decimal(0), default=Decimal(1))
    locked = serializers.BooleanField(default=True)

    def to_representation(self, instance: ModelPrice) -> Any:
        return PriceSerializer(instance).data

    def create(self, validated_data: dict[str, Any]) -> ModelPrice:
        price = ModelPrice(**validated_data | {"locked": True})
        save(price, beside="pattern")
        return price

    def update(self, instance: ModelPrice, validated_data: dict[str, Any]) -> ModelPrice:
        changed = {name for name, value in validated_data.items() if getattr(instance, name) != value}
        for name in changed:
            setattr(instance, name, validated_data[name])
        instance.note_edit(changed)
        save(instance, beside="pattern")
        return instance
