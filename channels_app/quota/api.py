"""`/api/quota/`: what is left of the windows of each account."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.quota.windows import Holder, Window, quota_holders


class WindowSerializer(serializers.Serializer[Window]):
    window = serializers.CharField(source="name", help_text="such as 5h, 7d and 7d_opus")
    length_minutes = serializers.SerializerMethodField()
    used_percent = serializers.FloatField(help_text="by the newest reading; may be more than 100")
    remaining_percent = serializers.FloatField(allow_null=True, help_text="null once the window is over: not known")
    is_over = serializers.BooleanField(help_text="its reset has passed since the reading")
    resets_at = serializers.DateTimeField(allow_null=True)
    exhausted_at = serializers.DateTimeField(
        allow_null=True, help_text="at the average pace of the window so far, if before its reset"
    )
    lasts = serializers.BooleanField(help_text="at that pace until its reset; false too where nothing can be concluded")
    seen_at = serializers.DateTimeField(help_text="when upstream gave the reading")

    def get_length_minutes(self, window: Window) -> int | None:
        return None if window.length is None else window.length.days * 1440 + window.length.seconds // 60


class HolderSerializer(serializers.Serializer[Holder]):
    server = serializers.SerializerMethodField()
    channel = serializers.SerializerMethodField()
    account = serializers.SerializerMethodField()
    windows = WindowSerializer(many=True)

    def get_server(self, holder: Holder) -> dict[str, Any]:
        return {"id": holder.source.instance.slug, "name": holder.source.instance.name}

    def get_channel(self, holder: Holder) -> dict[str, Any]:
        channel = holder.channel
        return {
            "id": channel.slug if channel else UNKNOWN_CHANNEL,
            "name": channel.name if channel else _("Unknown channel"),
        }

    def get_account(self, holder: Holder) -> dict[str, Any]:
        """Without an id: no account is known yet, and the name is what its records show."""
        return {"id": holder.account.pk if holder.account else None, "name": holder.name}


class QuotaSerializer(serializers.Serializer[object]):
    accounts = HolderSerializer(many=True)


class QuotaViewSet(viewsets.ViewSet):
    """The newest reading of each quota window of each account, who has least left first.

    Upstream tells of Claude and Codex logins, in the headers of its answers. Who is not listed has told nothing.
    """

    @extend_schema(responses={200: QuotaSerializer, 401: OpenApiTypes.OBJECT})
    def list(self, request: Request) -> Response:
        return Response(QuotaSerializer({"accounts": quota_holders(timezone.now())}).data)
