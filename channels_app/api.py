"""`/api/channels/`: usage by channel, account and model."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.serializers import ChannelReportSerializer, ChannelRowSerializer
from channels_app.stats import DEFAULT_SORT, SORT_KEYS, ChannelReport, channel_report
from channels_app.usage_api import BASIS, PARAMETERS, read_question

_SORTS = [f"{sign}{name}" for name in ("name", *SORT_KEYS) for sign in ("", "-")]
_ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT}


class ChannelViewSet(viewsets.ViewSet):
    """Channels as they answered in a period; all figures come from one aggregation."""

    lookup_field = "slug"

    @extend_schema(
        parameters=[*PARAMETERS, BASIS, OpenApiParameter("sort", str, enum=_SORTS, default=DEFAULT_SORT)],
        responses={200: ChannelReportSerializer, **_ERRORS},
    )
    def list(self, request: Request) -> Response:
        return Response(ChannelReportSerializer(_report(request)).data)

    @extend_schema(
        parameters=[*PARAMETERS, BASIS, OpenApiParameter("slug", str, location="path")],
        responses={200: ChannelRowSerializer, **_ERRORS, 404: OpenApiTypes.OBJECT},
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        for channel in _report(request).channels:
            if channel.slug == slug:
                return Response(ChannelRowSerializer(channel).data)
        raise NotFound(f"channel {slug!r} has no usage in this period")


def _report(request: Request) -> ChannelReport:
    sort = request.query_params.get("sort", DEFAULT_SORT)
    if sort not in _SORTS:
        raise ValidationError({"sort": f"{sort!r} is none of {', '.join(_SORTS)}"})
    question = read_question(request)
    return channel_report(question.period, question.filters.conditions, sort=sort, basis=question.basis)
