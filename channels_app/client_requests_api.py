"""`/api/client-requests/`: what became of the calls of clients, each of which may have taken several attempts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.serializers import CostSerializer, PeriodSerializer, TokensSerializer
from channels_app.stats import Usage, name_groups, span_of
from channels_app.stats.client_requests import PATHS, Path, calls, paths, wasted
from channels_app.usage_api import BASIS, ERRORS, PARAMETERS, one_of, read_limit, read_question


class CallsSerializer(serializers.Serializer[object]):
    """Client requests of which an attempt is asked for; what became of each is told by all of its attempts."""

    requests = serializers.IntegerField()
    succeeded = serializers.IntegerField(help_text="with an attempt that succeeded")
    lost = serializers.IntegerField(help_text="of which every attempt failed")
    rescued = serializers.IntegerField(help_text="succeeded after an attempt had failed")
    success_rate = serializers.FloatField(
        allow_null=True,
        help_text="0 to 1; null without requests, and where under 95 % of the records have a request id",
    )
    attempts = serializers.IntegerField(help_text="all of theirs, whether filters ask for them or not")
    attempts_per_request = serializers.FloatField(allow_null=True, help_text="null as the success rate")
    records = serializers.IntegerField(source="asked", help_text="the attempts that are asked for")
    identified = serializers.IntegerField(help_text="of these records, how many have a request id")


class WastedSerializer(serializers.Serializer[Usage]):
    """What was spent on failed attempts."""

    attempts = serializers.IntegerField(source="requests")
    tokens = TokensSerializer(source="*")
    cost = CostSerializer(source="*")


class ClientRequestsSerializer(serializers.Serializer[object]):
    period = PeriodSerializer()
    total = CallsSerializer()
    wasted = WastedSerializer()


class StepSerializer(serializers.Serializer[object]):
    id = serializers.JSONField(help_text="what the filter of this name takes; null for an unknown account")
    name = serializers.CharField()


class PathSerializer(serializers.Serializer[object]):
    path = StepSerializer(many=True, help_text="who was tried, in order: one for each attempt")
    requests = serializers.IntegerField()
    rescued = serializers.IntegerField()
    lost = serializers.IntegerField()


class PathsSerializer(serializers.Serializer[object]):
    """Client requests of several attempts of which some failed, by who was tried; the most frequent first."""

    period = PeriodSerializer()
    requests = serializers.IntegerField(help_text="of all paths, those beyond the limit too")
    paths = PathSerializer(many=True)


class ClientRequestViewSet(viewsets.ViewSet):
    """Client requests of a period: records that served one call of a client are counted as one."""

    @extend_schema(parameters=[*PARAMETERS, BASIS], responses={200: ClientRequestsSerializer, **ERRORS})
    def list(self, request: Request) -> Response:
        question = read_question(request)
        span, conditions = span_of(question.period), question.filters.conditions
        answer = {
            "period": question.period,
            "total": calls(span, conditions),
            "wasted": wasted(span, conditions, question.basis),
        }
        return Response(ClientRequestsSerializer(answer).data)

    @extend_schema(
        parameters=[
            *PARAMETERS,
            OpenApiParameter("by", str, enum=[*PATHS], default="channel"),
            OpenApiParameter("limit", int, default=50),
        ],
        responses={200: PathsSerializer, **ERRORS},
    )
    @action(detail=False)
    def paths(self, request: Request) -> Response:
        """The sequences of channels (accounts, sources) that client requests went through when attempts failed."""
        question, limit = read_question(request), read_limit(request)
        by = one_of(request, "by", tuple(PATHS), "channel")
        found = paths(span_of(question.period), question.filters.conditions, by)
        answer = {
            "period": question.period,
            "requests": sum(path.requests for path in found),
            "paths": _named(found[:limit], by),
        }
        return Response(PathsSerializer(answer).data)


def _named(found: list[Path], by: str) -> list[dict[str, Any]]:
    names = name_groups([by], {(one,) for path in found for one in path.ids})
    return [
        {
            "path": [names[(one,)][by] for one in path.ids],
            "requests": path.requests,
            "rescued": path.rescued,
            "lost": path.lost,
        }
        for path in found
    ]
