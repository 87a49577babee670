"""`/api/records/`: the records themselves, a page at a time."""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.record_costs import prices_of, told_by
from channels_app.record_serializers import RecordDetailSerializer, RecordListSerializer
from channels_app.records import DEFAULT_SORT, LIMITS, SORTS, Cursor, CursorError, read_cursor, records, with_names
from channels_app.stats import span_of
from channels_app.usage_api import BASIS, PARAMETERS, one_of, read_basis, read_question
from usage.models import UsageRecord

_BEFORE, _AFTER = "before", "after"
_MAX_DIGITS = 18
_ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT}


class RecordViewSet(viewsets.ViewSet):
    """Records of a period with any filter: newest first, or by cost, tokens or latency."""

    lookup_value_regex = r"\d+"

    @extend_schema(
        parameters=[
            *PARAMETERS,
            BASIS,
            OpenApiParameter(
                "sort", str, enum=SORTS, default=DEFAULT_SORT, description="cost: the one that was booked, by any basis"
            ),
            OpenApiParameter(_BEFORE, str, description="the `older` of a page"),
            OpenApiParameter(_AFTER, str, description="the `newer` of a page"),
            OpenApiParameter("limit", int, enum=LIMITS, default=LIMITS[0]),
        ],
        responses={200: RecordListSerializer, **_ERRORS},
    )
    def list(self, request: Request) -> Response:
        question, sort = read_question(request), one_of(request, "sort", SORTS, DEFAULT_SORT)
        limit = int(one_of(request, "limit", tuple(map(str, LIMITS)), str(LIMITS[0])))
        page = records(span_of(question.period), question.filters.conditions, sort, _cursor(request, sort), limit)
        page = replace(page, rows=told_by(prices_of(question.basis), page.rows))
        answer = {"period": question.period, "cost_basis": {"prices": question.basis}, "page": page}
        return Response(RecordListSerializer(answer).data)

    @extend_schema(
        parameters=[OpenApiParameter("id", int, location="path"), BASIS],
        responses={200: RecordDetailSerializer, 404: OpenApiTypes.OBJECT, **_ERRORS},
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        row = with_names(UsageRecord.objects.filter(pk=pk)).first() if len(pk) <= _MAX_DIGITS else None
        if row is None:
            raise NotFound(_("There is no record %(id)s") % {"id": pk})
        prices = prices_of(read_basis(request))
        (told,) = told_by(prices, [row])
        return Response(RecordDetailSerializer(told, context={"prices": prices}).data)


def _cursor(request: Request, sort: str) -> Cursor | None:
    given = [name for name in (_BEFORE, _AFTER) if request.query_params.get(name)]
    if len(given) > 1:
        raise ValidationError({_AFTER: _("A page is either before a cursor or after one")})
    for name in given:
        try:
            return read_cursor(request.query_params[name], sort, back=name == _AFTER)
        except CursorError as error:
            raise ValidationError({name: str(error)}) from None
    return None
