"""`/api/usage/`: totals, breakdowns and time series with any filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.buckets import AUTO, BUCKETS, choose, edges, micros
from channels_app.comparison import COMPARISONS, OFF, compared_with
from channels_app.filters import Filters, read_filters
from channels_app.period import RANGES, Period, PeriodError, read_period
from channels_app.serializers import UsageSerializer
from channels_app.stats import (
    DIMENSIONS,
    Basis,
    Conditions,
    Span,
    breakdown,
    name_groups,
    series,
    span_of,
    taken_as_ordinary,
    top,
    totals,
)
from channels_app.stats.seen import first_day
from config.report_zone import report_zone
from usage.ingest.grains import SUMS

_DEFAULT_LIMIT, _MOST_ROWS = 50, 10_000
PARAMETERS = [
    OpenApiParameter("range", str, enum=list(RANGES)),
    OpenApiParameter("days", int, description="today and the days before it, in the report time zone"),
    OpenApiParameter("from", str, description="a day (both ends included) or a time, with `to`"),
    OpenApiParameter("to", str, description="a day (included) or a time (not included)"),
    OpenApiParameter("server", str, many=True, description="slug"),
    OpenApiParameter("channel", str, many=True, description="slug; `unknown` for what matches none"),
    OpenApiParameter("account", int, many=True),
    OpenApiParameter("model", str, many=True),
    OpenApiParameter("key", int, many=True, description="id of a client key; 0 for requests without one"),
    OpenApiParameter("status", str, enum=["ok", "fail"]),
    OpenApiParameter("code", str, many=True, description="such as 429 or 5xx; implies status=fail"),
]
BASIS = OpenApiParameter(
    "basis", str, enum=[*Basis], default=Basis.RECORDED,
    description="`current`: money at the prices of now, not at those that the requests were booked with",
)  # fmt: skip
BUCKET = OpenApiParameter("bucket", str, enum=[AUTO, *BUCKETS], default=AUTO)
BY = OpenApiParameter("by", str, many=True, enum=list(DIMENSIONS), description="repeat it for a second dimension")
ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT}


@dataclass(frozen=True, slots=True)
class Question:
    period: Period
    filters: Filters
    by: tuple[str, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Intervals:
    """`edges` are where the intervals begin, and the end of the last."""

    period: Period
    bucket: str
    edges: list[datetime]

    def describe(self) -> dict[str, Any]:
        return {"period": describe(self.period), "bucket": self.bucket, "edges": self.edges}


class UsageViewSet(viewsets.ViewSet):
    """Usage of a period: its sums, compared with the period before, and broken down by up to two dimensions."""

    @extend_schema(
        parameters=[
            *PARAMETERS,
            BASIS,
            BY,
            OpenApiParameter("cmp", str, enum=[*COMPARISONS], default=OFF),
            OpenApiParameter("limit", int, default=_DEFAULT_LIMIT, description="rows; the rest is added up in `other`"),
        ],
        responses={200: OpenApiTypes.OBJECT, **ERRORS},
    )
    def list(self, request: Request) -> Response:
        question, limit = read_question(request), read_limit(request)
        conditions, span, basis = question.filters.conditions, span_of(question.period), question.basis
        answer: dict[str, Any] = {
            "period": describe(question.period),
            "cost_basis": describe_basis(basis, span, conditions),
            "total": UsageSerializer(totals(span, conditions, basis)).data,
            "previous": None,
        }
        if before := compared_with(question.period, one_of(request, "cmp", COMPARISONS, OFF)):
            usage = totals(span_of(before), conditions, basis)
            answer["previous"] = {"period": describe(before), "total": UsageSerializer(usage).data}
        if question.by:
            rows, other = top(breakdown(span, conditions, question.by, basis), limit)
            names = name_groups(question.by, rows)
            answer["rows"] = [names[group] | {"usage": UsageSerializer(usage).data} for group, usage in rows.items()]
            answer["other"] = UsageSerializer(other).data if other else None
        return Response(answer)

    @extend_schema(
        parameters=[
            *PARAMETERS,
            BASIS,
            BY,
            BUCKET,
            OpenApiParameter("sum", str, many=True, enum=[*SUMS], default=["requests"]),
        ],
        responses={200: OpenApiTypes.OBJECT, **ERRORS},
    )
    @action(detail=False)
    def series(self, request: Request) -> Response:
        """Sums by time: `edges` are where the intervals begin, and the end of the last; what is empty is 0."""
        question = read_question(request)
        intervals = read_intervals(request, question.period)
        sums = _each_of(request, "sum", SUMS) or ("requests",)
        conditions, basis = question.filters.conditions, question.basis
        found = series(micros(intervals.edges), conditions, question.by, sums, basis)
        names = name_groups(question.by, found.groups)
        lines = [
            names[group] | {name: [interval[at] for interval in line] for at, name in enumerate(sums)}
            for group, line in found.groups.items()
        ]
        described = describe_basis(basis, span_of(intervals.period), conditions)
        return Response(intervals.describe() | {"cost_basis": described, "series": lines})


def read_question(request: Request) -> Question:
    """Return what a request of the API asks for. Raises ValidationError for any value that means nothing."""
    try:
        period = read_period(request.query_params, report_zone(), timezone.now())
    except PeriodError as error:
        raise ValidationError({"period": str(error)}) from None
    filters = read_filters(request.query_params)
    if filters.warnings:
        raise ValidationError({"filters": [*filters.warnings]})
    by = _each_of(request, "by", tuple(DIMENSIONS))
    if len(by) > 2:
        raise ValidationError({"by": _("usage is broken down by two dimensions at most")})
    return Question(period, filters, by, read_basis(request))


def read_basis(request: Request) -> Basis:
    return Basis(one_of(request, "basis", tuple(Basis), Basis.RECORDED))


def read_intervals(request: Request, asked: Period) -> Intervals:
    """Return the intervals into which a request cuts the period it asks for. Raises ValidationError."""
    period = since_the_first_record(asked)
    bucket = one_of(request, "bucket", (AUTO, *BUCKETS), AUTO)
    bucket = choose(period) if bucket == AUTO else bucket
    try:
        return Intervals(period, bucket, edges(period, bucket))
    except ValueError:
        raise ValidationError({"bucket": _("%(value)s is too fine for this period") % {"value": bucket}}) from None


def describe(period: Period) -> dict[str, Any]:
    return {"since": period.since, "until": period.until, "time_zone": period.zone.key}


def describe_basis(basis: Basis, span: Span, conditions: Conditions) -> dict[str, Any]:
    """Tell by which prices costs are, and of how many pruned requests nobody knows whether they had a special price."""
    is_current = basis is Basis.CURRENT
    return {"prices": basis, "taken_as_ordinary": taken_as_ordinary(span, conditions) if is_current else 0}


def since_the_first_record(period: Period) -> Period:
    """All time begins with what there is."""
    if period.name != "all":
        return period
    first = first_day()
    return replace(period, since=first) if first else period


def one_of(request: Request, name: str, known: tuple[str, ...], default: str) -> str:
    value = request.query_params.get(name) or default
    if value not in known:
        raise ValidationError({name: _is_none_of(name, value, known)})
    return value


def _each_of(request: Request, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(request.query_params.getlist(name)))
    for value in values:
        if value not in known:
            raise ValidationError({name: _is_none_of(name, value, known)})
    return values


def _is_none_of(name: str, value: str, known: tuple[str, ...]) -> str:
    return _("%(name)s=%(value)s is none of %(known)s") % {"name": name, "value": value, "known": ", ".join(known)}


def read_limit(request: Request) -> int:
    text = request.query_params.get("limit") or str(_DEFAULT_LIMIT)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_ROWS):
        raise ValidationError(
            {
                "limit": _("limit=%(value)s is not a whole number from 1 to %(most)s")
                % {"value": text, "most": _MOST_ROWS}
            }
        )
    return int(text)
