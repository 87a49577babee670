"""`/api/latency/`: how long answers took, with any filter."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.buckets import micros
from channels_app.stats import Spread, Timing, name_groups, span_of, timing, timing_by, timing_series
from channels_app.usage_api import BUCKET, BY, ERRORS, PARAMETERS, describe, read_intervals, read_question

_PERCENTILES = (50, 90, 95, 99)


class LatencyViewSet(viewsets.ViewSet):
    """Percentiles of latency and of the time to the first token, in milliseconds, of what succeeded and generated.

    `approximate` ones are of very many requests, and at most 5 % from the exact ones. No percentile: no sample.
    """

    @extend_schema(parameters=[*PARAMETERS, BY], responses={200: OpenApiTypes.OBJECT, **ERRORS})
    def list(self, request: Request) -> Response:
        question = read_question(request)
        conditions, span = question.filters.conditions, span_of(question.period)
        answer: dict[str, Any] = {"period": describe(question.period), "total": _timing(timing(span, conditions))}
        if question.by:
            groups = timing_by(span, conditions, question.by)
            names = name_groups(question.by, groups)
            ordered = sorted(groups.items(), key=lambda item: (None in item[0], -item[1].latency.samples))
            answer["rows"] = [names[group] | _timing(found) for group, found in ordered]
        return Response(answer)

    @extend_schema(parameters=[*PARAMETERS, BY, BUCKET], responses={200: OpenApiTypes.OBJECT, **ERRORS})
    @action(detail=False)
    def series(self, request: Request) -> Response:
        """The same by time: a list for each group, with what each interval between two `edges` has."""
        question = read_question(request)
        intervals = read_intervals(request, question.period)
        lines = timing_series(micros(intervals.edges), question.filters.conditions, question.by)
        names = name_groups(question.by, lines)
        series = [names[group] | {"intervals": [_timing(one) for one in line]} for group, line in lines.items()]
        return Response(intervals.describe() | {"series": series})


def _timing(found: Timing) -> dict[str, Any]:
    return {"latency": _spread(found.latency), "ttft": _spread(found.ttft)}


def _spread(spread: Spread) -> dict[str, Any]:
    percentiles = {f"p{share}": spread.percentile(share) for share in _PERCENTILES}
    return {"samples": spread.samples, **percentiles, "approximate": spread.is_rough}
