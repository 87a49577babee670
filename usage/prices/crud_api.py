"""`/api/prices/`: the prices; signed-in users read them, administrators write them, one by one or as CSV."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError

from usage.models import ModelPrice
from usage.prices.price_csv import PRICES
from usage.prices.rows_api import ERRORS, RowsViewSet
from usage.prices.serializers import PriceSerializer
from usage.prices.write_serializer import PriceWriteSerializer


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
    import_csv=extend_schema(operation_id="api_prices_import"),
)
class PriceViewSet(RowsViewSet):
    """Prices. Records keep the cost that they were booked with, whatever is written here, until they are repriced."""

    importer, row_name = PRICES, "price"
    queryset = ModelPrice.objects.select_related("channel")
    serializer_class = PriceWriteSerializer

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
