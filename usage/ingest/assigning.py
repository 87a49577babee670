"""What people say of channels: which one a source means that matches nothing, and which two are one.

A name learned later names all of the past (invariant 5), so either changes no record and no total: sums by channel follow at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Model, QuerySet
from django.utils import timezone

from usage.ingest import rollup
from usage.ingest.insertion import lock_booking
from usage.ingest.placing import lock_places
from usage.ingest.sources import resolve_anew
from usage.models import Account, Channel, ChannelMerge, ChannelName, Instance, ModelPrice, PriceMultiplier, Source
from usage.models.slugs import free_slug


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
    """Make all of `channel` part of another: its accounts, sources and the names it is listed under. What it was is kept,
    to undo that. Raises HasPrices where prices or multipliers are for it alone, and ValueError where the two are one.
    """
    if channel.pk == into.pk:
        raise ValueError(f"channel {channel.pk} cannot be merged into itself")
    with _changing_meanings(Instance.objects.values_list("pk", flat=True)):
        prices, multipliers = (
            model._default_manager.filter(channel=channel).count() for model in (ModelPrice, PriceMultiplier)
        )
        if prices or multipliers:
            raise HasPrices(prices, multipliers)
        ChannelName.objects.filter(channel=channel, former_slug="").update(former_slug=channel.slug)
        kept: dict[str, Any] = {name: getattr(channel, name) for name in _KEPT} | {"merged_at": timezone.now()}
        merged = ChannelMerge(into=into, **kept)
        for name, rows in _parts_of(channel).items():
            setattr(merged, name, list(rows.values_list("pk", flat=True)))
            rows.update(**{_POINTS[name]: into})
        merged.save()
        channel.delete()


def undo(merged: ChannelMerge) -> Channel:
    """Make a merged channel anew, with all that came along and is still where it came to; return it.

    What servers have listed under its names since comes back with the next list of accounts.
    """
    with _changing_meanings(Instance.objects.values_list("pk", flat=True)):
        channel = Channel(**{name: getattr(merged, name) for name in _KEPT})
        channel.slug = free_slug(Channel, merged.slug)
        channel.save()
        for name, rows in _parts_of(merged.into).items():
            rows.filter(pk__in=getattr(merged, name)).update(**{_POINTS[name]: channel})
        ChannelName.objects.filter(channel=channel, former_slug=merged.slug).update(former_slug="")
        merged.delete()
        return channel


# What a channel is, and the rows that point to it: by the fields of ChannelMerge that keep them.
_KEPT = ("name", "kind", "slug", "color_slot", "shape", "position")
_POINTS = {"accounts": "channel", "sources": "channel", "names": "channel", "merges": "into"}


def _parts_of(channel: Channel) -> dict[str, QuerySet[Any]]:
    models: dict[str, type[Model]] = {
        "accounts": Account, "sources": Source, "names": ChannelName, "merges": ChannelMerge,
    }  # fmt: skip
    return {name: model._default_manager.filter(**{_POINTS[name]: channel}) for name, model in models.items()}


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
