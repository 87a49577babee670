"""What people say of channels: which one a source means that matches nothing, and which two are one.

A name learned later names all of the past (invariant 5), so either changes no record and no total: sums by channel follow at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import F

from usage.ingest import rollup
from usage.ingest.insertion import lock_booking
from usage.ingest.placing import lock_places
from usage.ingest.sources import resolve_anew
from usage.models import Account, Channel, ChannelName, Instance, ModelPrice, PriceMultiplier, Source


class HasPrices(Exception):
    """A channel that others come to would give its prices to them, or lose them."""

    def __init__(self, prices: int, multipliers: int) -> None:
        super().__init__(f"{prices} prices and {multipliers} multipliers are for this channel alone")
        self.prices, self.multipliers = prices, multipliers


def assign(source: Source, channel: Channel) -> None:
    """Say that `source` means `channel`, until that is taken back."""
    with _changing_meanings([source.instance_id]):
        values = {"match": Source.Match.BY_HAND, "channel": channel, "account": None}
        Source.objects.filter(pk=source.pk).update(**values)


def take_back(source: Source) -> None:
    """Let what its server lists say again what `source` means."""
    with _changing_meanings([source.instance_id]):
        resolve_anew(source)


def merge(channel: Channel, into: Channel) -> None:
    """Make all of `channel` part of another, and forget it: its accounts, sources and the names it is listed under.

    Raises HasPrices where prices or multipliers are for it alone, and ValueError where the two are one.
    """
    if channel.pk == into.pk:
        raise ValueError(f"channel {channel.pk} cannot be merged into itself")
    with _changing_meanings(Instance.objects.values_list("pk", flat=True)):
        prices, multipliers = (
            model._default_manager.filter(channel=channel).count() for model in (ModelPrice, PriceMultiplier)
        )
        if prices or multipliers:
            raise HasPrices(prices, multipliers)
        Account.objects.filter(channel=channel).update(channel=into)
        Source.objects.filter(channel=channel).update(channel=into)
        names = ChannelName.objects.filter(channel=channel)
        names.filter(former_slug="").update(former_slug=channel.slug)
        names.update(channel=into)
        channel.delete()


@contextmanager
def _changing_meanings(instances: Iterable[int]) -> Iterator[None]:
    """Wait for those who book and who take in names; then have sums follow, and collectors look at their sources anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        list(Instance.objects.select_for_update().order_by("pk"))
        lock_booking()
        lock_places(cursor)
        yield
        Instance.objects.filter(pk__in=list(instances)).update(meanings_changed=F("meanings_changed") + 1)
        rollup.follow_names()
