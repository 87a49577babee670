"""`/api/prices/resolve/`: which price a request has, and why."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from usage.accounting.price_book import Verdict
from usage.models import Account, Channel
from usage.models.fields import to_micros
from usage.prices.resolution import JudgedRow, Resolution, find_account, find_channel, resolve
from usage.prices.serializers import MultiplierSerializer, PriceSerializer

_MOST_DIGITS, _LONGEST = 18, 300
_PARAMETERS = [
    OpenApiParameter("model", str, required=True, description="as CPA names it in its records"),
    OpenApiParameter("provider", str, description="as CPA calls it, such as codex"),
    OpenApiParameter("channel", str, description="its slug; without one, as of the unknown channel"),
    OpenApiParameter("account", int, description="its number, which tells the channel too"),
    OpenApiParameter("tier", str, description="service tier that upstream billed, else the one asked for"),
    OpenApiParameter("input_tokens", int, default=0, description="cached ones included"),
    OpenApiParameter("at", str, description="a time such as 2026-11-23T18:12:05Z, or a day; now without"),
]


class JudgedRowSerializer(serializers.Serializer[JudgedRow]):
    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in Verdict])
    reason = serializers.CharField(help_text="the same in words")
    price = PriceSerializer()


class ResolutionSerializer(serializers.Serializer[Resolution]):
    """`price` is null where such a request is unpriced. A model that was never met has no prices of the catalog yet."""

    price = PriceSerializer(allow_null=True)
    prices = JudgedRowSerializer(
        many=True, source="judged", help_text="all whose pattern fits the model, in the order in which they are tried"
    )
    multiplier = MultiplierSerializer(allow_null=True, help_text="of the account or channel, beside that of the price")


class ResolveView(APIView):
    """The price that counts for a request, and why the others do not."""

    @extend_schema(
        operation_id="api_prices_resolve",
        parameters=_PARAMETERS,
        responses={200: ResolutionSerializer, 400: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        model, provider, tier = (_word(name, asked.get(name, "")) for name in ("model", "provider", "tier"))
        if not model:
            raise ValidationError({"model": _("Name a model: model=gpt-5.4")})
        tokens, at = _tokens(asked.get("input_tokens") or "0"), _moment(asked.get("at", ""))
        channel, account = _channel(asked.get("channel", "")), _account(asked.get("account", ""))
        if channel and account and account.channel_id != channel.pk:
            problem = _("account=%(account)s is of the channel %(channel)s")
            raise ValidationError({"account": problem % {"account": account.pk, "channel": account.channel.slug}})
        found = resolve(model, to_micros(at), provider, tier, tokens, channel, account)
        return Response(ResolutionSerializer(found).data)


def _word(name: str, text: str) -> str:
    if len(text) > _LONGEST:
        problem = _("%(name)s has %(length)s characters; it may have %(most)s at most")
        raise ValidationError({name: problem % {"name": name, "length": len(text), "most": _LONGEST}})
    return text.strip()


def _channel(slug: str) -> Channel | None:
    if slug and not (found := find_channel(slug)):
        raise ValidationError(
            {"channel": _("There is no channel “%(value)s”; give its slug.") % {"value": slug[:_LONGEST]}}
        )
    return found if slug else None


def _account(number: str) -> Account | None:
    if number and not (found := find_account(number)):
        text = _("There is no account %(value)s; give its number.")
        raise ValidationError({"account": text % {"value": number[:_LONGEST]}})
    return found if number else None


def _tokens(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        problem = _("input_tokens=%(value)s is not a whole number from 0 on, of %(digits)s digits at most")
        raise ValidationError({"input_tokens": problem % {"value": text[:_LONGEST], "digits": _MOST_DIGITS}})
    return int(text)


def _moment(text: str) -> datetime:
    """Without an offset it is a time of the report time zone."""
    if not text:
        return timezone.now()
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        problem = _("at=%(value)s is neither a time such as 2026-11-23T18:12:05Z nor a day such as 2026-11-23")
        raise ValidationError({"at": problem % {"value": text[:_LONGEST]}})
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
