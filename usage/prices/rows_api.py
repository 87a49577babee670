"""What prices and multipliers have in common in the API: who may write them, one by one or as CSV."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from config.json_renderer import FastJSONRenderer
from usage.prices.csv_file import BadCsv
from usage.prices.csv_import import Changed, Import, Importer
from usage.prices.formats import CsvParser, CsvRenderer, ExactJSONParser

ERRORS = {400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT, 403: OpenApiTypes.OBJECT}
_MOST_MISTAKES = 100
_MOST_DIGITS = 9


class ImportedSerializer(serializers.Serializer[object]):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    written = serializers.IntegerField(help_text="0 of a dry run")
    changes = serializers.ListField(child=serializers.DictField(), help_text="id, name, and columns: old and new")


class AdministratorsWrite(IsAuthenticated):
    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and (request.method in SAFE_METHODS or request.user.is_staff)


class RowsViewSet(viewsets.ModelViewSet[Any]):
    """`importer` knows the CSV file, and `row_name` what one of its rows is called."""

    importer: Importer
    row_name: str
    permission_classes = [AdministratorsWrite]
    parser_classes = [ExactJSONParser]
    lookup_value_regex = rf"\d{{1,{_MOST_DIGITS}}}"

    def get_renderers(self) -> list[Any]:
        return [FastJSONRenderer(), CsvRenderer()] if self.action == "list" else [FastJSONRenderer()]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.get_queryset()
        if getattr(request, "accepted_renderer").format != CsvRenderer.format:  # noqa: B009 - unknown to the stubs
            return Response([self.get_serializer().to_representation(row) for row in rows])
        headers = {"Content-Disposition": f'attachment; filename="{self.row_name}s.csv"'}
        return Response([*self.importer.table.write(rows)], headers=headers)

    @extend_schema(
        parameters=[OpenApiParameter("dry_run", bool, default=False, description="only tell what would change")],
        request={"text/csv": OpenApiTypes.BINARY},
        responses={200: ImportedSerializer, **ERRORS},
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[CsvParser])
    def import_csv(self, request: Request) -> Response:
        """Take over a CSV file as `?format=csv` writes it: all of it, or with a mistake nothing. No row is deleted."""
        dry_run = request.query_params.get("dry_run", "").lower() in {"1", "true"}
        found = self._prepared(request.data)
        if found.mistakes:
            return Response({"mistakes": [one._asdict() for one in found.mistakes[:_MOST_MISTAKES]]}, status=400)
        written = 0 if dry_run else self.importer.write(found)
        return Response(found.counts | {"written": written, "changes": [self._said(one) for one in found.changed]})

    def _prepared(self, content: Any) -> Import:
        try:
            return self.importer.prepare(content if isinstance(content, bytes) else b"")
        except BadCsv as error:
            raise ValidationError({"file": [str(error)]}) from None

    def _said(self, changed: Changed) -> dict[str, Any]:
        columns = {name: {"old": _text(old), "new": _text(new)} for name, (old, new) in changed.columns.items()}
        return {"id": changed.row.pk, self.row_name: str(changed.row), "columns": columns}


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else f"{value:f}"
