"""`/api/prices/`: the prices; signed-in users read them, administrators write them, one by one or as CSV."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from config.json_renderer import FastJSONRenderer
from usage.models import ModelPrice
from usage.prices import csv_file, csv_import
from usage.prices.csv_file import BadCsv
from usage.prices.csv_import import Changed, Import
from usage.prices.formats import CsvParser, CsvRenderer, ExactJSONParser
from usage.prices.serializers import PriceSerializer
from usage.prices.write_serializer import PriceWriteSerializer

ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT, 403: OpenApiTypes.OBJECT}
_MOST_MISTAKES = 100
MOST_DIGITS = 9


class AdministratorsWrite(IsAuthenticated):
    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and (request.method in SAFE_METHODS or request.user.is_staff)


class ImportedSerializer(serializers.Serializer[object]):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    written = serializers.IntegerField(help_text="0 of a dry run")
    changes = serializers.ListField(child=serializers.DictField(), help_text="id, price, and columns: old and new")


@extend_schema_view(
    list=extend_schema(
        parameters=[
            OpenApiParameter("search", str, description="a part of the pattern"),
            OpenApiParameter("origin", str, enum=ModelPrice.Origin.values),
        ],
        responses={200: PriceSerializer(many=True), 401: OpenApiTypes.OBJECT},
    ),
    retrieve=extend_schema(responses={200: PriceSerializer, 401: OpenApiTypes.OBJECT, 404: OpenApiTypes.OBJECT}),
    create=extend_schema(responses={201: PriceSerializer, **ERRORS}),
    update=extend_schema(responses={200: PriceSerializer, **ERRORS}),
    partial_update=extend_schema(responses={200: PriceSerializer, **ERRORS}),
    destroy=extend_schema(responses={204: None, 401: OpenApiTypes.OBJECT, 403: OpenApiTypes.OBJECT}),
)
class PriceViewSet(viewsets.ModelViewSet[ModelPrice]):
    """Prices. Records keep the cost that they were booked with, whatever is written here, until they are repriced."""

    queryset = ModelPrice.objects.select_related("channel")
    serializer_class = PriceWriteSerializer
    permission_classes = [AdministratorsWrite]
    parser_classes = [ExactJSONParser]
    lookup_value_regex = rf"\d{{1,{MOST_DIGITS}}}"

    def get_renderers(self) -> list[Any]:
        return [FastJSONRenderer(), CsvRenderer()] if self.action == "list" else [FastJSONRenderer()]

    def get_queryset(self) -> QuerySet[ModelPrice]:
        asked, prices = self.request.query_params, super().get_queryset()
        if search := asked.get("search", "").strip().replace("\0", ""):
            prices = prices.filter(pattern__icontains=search)
        if origin := asked.get("origin", ""):
            if origin not in ModelPrice.Origin.values:
                known = {"origin": origin[:40], "known": ", ".join(ModelPrice.Origin.values)}
                raise ValidationError({"origin": _("origin=%(origin)s is not one of %(known)s") % known})
            prices = prices.filter(origin=origin)
        return prices

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        prices = self.get_queryset()
        if getattr(request, "accepted_renderer").format != CsvRenderer.format:  # noqa: B009 - unknown to the stubs
            return Response([PriceSerializer(price).data for price in prices])
        return Response([*csv_file.write(prices)], headers={"Content-Disposition": 'attachment; filename="prices.csv"'})

    @extend_schema(
        operation_id="api_prices_import",
        parameters=[OpenApiParameter("dry_run", bool, default=False, description="only tell what would change")],
        request={"text/csv": OpenApiTypes.BINARY},
        responses={200: ImportedSerializer, **ERRORS},
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[CsvParser])
    def import_csv(self, request: Request) -> Response:
        """Take over a CSV file as `?format=csv` writes it: all of it, or with a mistake nothing. No price is deleted."""
        dry_run = request.query_params.get("dry_run", "").lower() in {"1", "true"}
        found = _prepared(request.data)
        if found.mistakes:
            return Response({"mistakes": [one._asdict() for one in found.mistakes[:_MOST_MISTAKES]]}, status=400)
        written = 0 if dry_run else csv_import.write(found)
        return Response(found.counts | {"written": written, "changes": [_said(one) for one in found.changed]})


def _prepared(content: Any) -> Import:
    try:
        return csv_import.prepare(csv_file.read(content if isinstance(content, bytes) else b""))
    except BadCsv as error:
        raise ValidationError({"file": [str(error)]}) from None


def _said(changed: Changed) -> dict[str, Any]:
    columns = {name: {"old": _text(old), "new": _text(new)} for name, (old, new) in changed.columns.items()}
    return {"id": changed.price.pk, "price": str(changed.price), "columns": columns}


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else f"{value:f}"
