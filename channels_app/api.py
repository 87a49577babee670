"""`/api/channels/`: usage by channel, account and model."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.period import RANGES, PeriodError, read_period
from channels_app.serializers import ChannelReportSerializer, ChannelRowSerializer
from channels_app.stats import DEFAULT_SORT, SORT_KEYS, ChannelReport, channel_report
from config.report_zone import report_zone

_SORTS = [f"{sign}{name}" for name in ("name", *SORT_KEYS) for sign in ("", "-")]
_PERIOD = [
    OpenApiParameter("days", int, description="today and the days before it, in the report time zone"),
    OpenApiParameter("range", str, enum=list(RANGES)),
    OpenApiParameter("from", str, description="a day (both ends included) or a time, with `to`"),
    OpenApiParameter("to", str, description="a day (included) or a time (not included)"),
]
_ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT}


class ChannelViewSet(viewsets.ViewSet):
    """Channels as they answered in a period; all figures come from one aggregation."""

    lookup_field = "slug"

    @extend_schema(
        parameters=[*_PERIOD, OpenApiParameter("sort", str, enum=_SORTS, default=DEFAULT_SORT)],
        responses={200: ChannelReportSerializer, **_ERRORS},
    )
    def list(self, request: Request) -> Response:
        return Response(ChannelReportSerializer(_report(request)).data)

    @extend_schema(
        parameters=[*_PERIOD, OpenApiParameter("slug", str, location="path")],
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
    try:
        period = read_period(request.query_params, report_zone(), timezone.now())
    except PeriodError as error:
        raise ValidationError({"period": str(error)}) from None
    return channel_report(period, sort=sort)
