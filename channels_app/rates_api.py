"""`/api/rates/`: how much came in a minute, on average and at most, and how many channels, accounts, models and keys it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.serializers import PeriodSerializer
from channels_app.stats import span_of, totals
from channels_app.stats.active import active
from channels_app.stats.elapsed import Elapsed, elapsed
from channels_app.stats.peaks import Peak, peaks
from channels_app.usage_api import ERRORS, PARAMETERS, read_question, since_the_first_record
from usage.models.fields import from_micros, to_micros


class AverageSerializer(serializers.Serializer[object]):
    """A minute in which servers were recorded; null where there was none."""

    requests = serializers.FloatField(allow_null=True)
    tokens = serializers.FloatField(allow_null=True)


class PeakSerializer(serializers.Serializer[Peak]):
    """The calendar minute in which most began; `exact` is false where another may have more: then it is a lower bound."""

    value = serializers.IntegerField()
    at = serializers.SerializerMethodField()
    exact = serializers.BooleanField(source="is_exact")

    def get_at(self, peak: Peak) -> datetime | None:
        return None if peak.at is None else from_micros(peak.at)


class PeaksSerializer(serializers.Serializer[object]):
    requests = PeakSerializer()
    tokens = PeakSerializer()


class ElapsedSerializer(serializers.Serializer[Elapsed]):
    """Until now. While only some of the servers have a gap, the others are recorded."""

    elapsed = serializers.FloatField(source="minutes")
    in_gaps = serializers.FloatField(help_text="of any of the servers that are asked for")
    recorded = serializers.FloatField()


class ActiveSerializer(serializers.Serializer[object]):
    """How many had a request; what is unknown is none of them."""

    channels = serializers.IntegerField()
    accounts = serializers.IntegerField()
    models = serializers.IntegerField()
    keys = serializers.IntegerField()


class RatesSerializer(serializers.Serializer[object]):
    period = PeriodSerializer()
    minutes = ElapsedSerializer()
    average = AverageSerializer()
    peak = PeaksSerializer()
    active = ActiveSerializer()


class RatesViewSet(viewsets.ViewSet):
    """How busy a period was."""

    @extend_schema(parameters=PARAMETERS, responses={200: RatesSerializer, **ERRORS})
    def list(self, request: Request) -> Response:
        question = read_question(request)
        period, conditions = since_the_first_record(question.period), question.filters.conditions
        span = span_of(period)
        usage, minutes = totals(span, conditions), elapsed(span, question.filters.servers or None, _now())
        answer: dict[str, Any] = {
            "period": period,
            "minutes": minutes,
            "average": {
                "requests": usage.requests / minutes.recorded if minutes.recorded else None,
                "tokens": usage.total_tokens / minutes.recorded if minutes.recorded else None,
            },
            "peak": peaks(span, conditions),
            "active": active(span, conditions),
        }
        return Response(RatesSerializer(answer).data)


def _now() -> int:
    return to_micros(timezone.now())
