"""The conditions of prices as a question to the database: which records fulfil those of any of some prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import BigIntegerField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Cast

from usage.accounting.hours import DAY, Hours
from usage.accounting.pricing import Price
from usage.models import RequestTraits, Source, UsageRecord


def fulfilling(prices: Collection[Price]) -> QuerySet[UsageRecord]:
    """Return the records, of any model, that fulfil the conditions of one of `prices` or more."""
    words = _Words()
    wanted = Q(pk__in=[])
    for price in prices:
        wanted |= Q(*words.conditions(price), *_of_record(price))
    # All of them begin somewhere: an index leads there.
    since = min((price.effective_from for price in prices), default=0)
    input_tokens = Cast("uncached_input", BigIntegerField()) + F("cache_read") + F("cache_write")
    rows = UsageRecord.objects.filter(requested_at__gte=since)
    return rows.alias(
        all_input=ExpressionWrapper(input_tokens, BigIntegerField()),
        clock=ExpressionWrapper(F("requested_at") % DAY, BigIntegerField()),
    ).filter(wanted)


class _Words:
    """What records point to by words, which are compared as the PriceBook does: a database has other rules of case."""

    def __init__(self) -> None:
        self._providers = set(Source.objects.values_list("provider", flat=True).distinct())
        self._tiers = {row.pk: row.tier for row in RequestTraits.objects.all()}

    def conditions(self, price: Price) -> Iterable[Q]:
        if price.provider:
            yield Q(source__provider__in=[one for one in self._providers if one.lower() == price.provider.lower()])
        if price.service_tier:
            tier = price.service_tier.lower()
            yield Q(traits__in=[pk for pk, one in self._tiers.items() if one.lower() == tier])
        if price.account_id is not None:
            yield Q(source__account=price.account_id)
        if price.channel_id is not None:
            yield Q(source__account__channel=price.channel_id) | Q(
                source__account=None, source__channel=price.channel_id
            )


def _of_record(price: Price) -> Iterable[Q]:
    yield Q(requested_at__gte=price.effective_from)
    if price.above_input_tokens:
        yield Q(all_input__gt=price.above_input_tokens)
    if not price.is_all_day:
        yield _at(price.hours)


def _at(hours: Hours) -> Q:
    since, until = Q(clock__gte=hours.since), Q(clock__lt=hours.until)
    return since & until if hours.since < hours.until else since | until
