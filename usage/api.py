"""`/api/sync/`: take what the servers have, now."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from usage.collection import Outcome, sync_all


class OutcomeSerializer(serializers.Serializer[Outcome]):
    instance = serializers.CharField()  # type: ignore[assignment]
    read = serializers.IntegerField()
    new = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    named = serializers.IntegerField(help_text="earlier records that now have a channel")
    priced = serializers.IntegerField(help_text="earlier records that now have a price")
    error = serializers.CharField(allow_blank=True)


class SyncSerializer(serializers.Serializer[object]):
    status = serializers.ChoiceField(choices=["ok", "error"], help_text="`error` when a server could not be read")
    inserted = serializers.IntegerField()
    instances = OutcomeSerializer(many=True)


class SyncView(APIView):
    """Take what every enabled CPA server has and book it, as `manage.py sync` does."""

    permission_classes = [IsAdminUser]

    @extend_schema(request=None, responses={200: SyncSerializer, 502: SyncSerializer})
    def post(self, request: Request) -> Response:
        outcomes = sync_all()
        failed = any(outcome.error for outcome in outcomes)
        answer = {
            "status": "error" if failed else "ok",
            "inserted": sum(outcome.counts.new for outcome in outcomes),
            "instances": [outcome.as_dict() for outcome in outcomes],
        }
        return Response(answer, status=502 if failed else 200)
