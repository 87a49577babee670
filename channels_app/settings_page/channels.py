"""What channels are called, in which order they stand, and by which colour and shape each is known on all pages (`ui.md` 8.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext

from channels_app.settings_page.contrast import contrast_of
from channels_app.settings_page.sections import CHANNELS, SectionView
from usage.models import Channel, ChannelMerge, Source, UsageDailyBySource

SLOTS = range(1, 9)
LONGEST_NAME = 100
# Of more sources of a kind, those with the most records.
_MOST_SOURCES = 100
_SAVED = ("name", "position", "color_slot", "shape")


class ChannelRow(NamedTuple):
    """`place` is where it stands among all; `alike` are the others that look the same, `names` those it is listed under besides."""

    channel: Channel
    place: int
    alike: list[str]
    names: list[str]


class Slot(NamedTuple):
    """A colour, who has it, and how much it stands out in the light and in the dark, such as `3.1 : 1`."""

    number: int
    used_by: list[str]
    light: str
    dark: str

    @classmethod
    def of(cls, slot: int, channels: Sequence[Channel]) -> Slot:
        # Rounded down: 2.97 is not the 3 that graphics need.
        light, dark = (f"{int(value * 10) / 10:.1f} : 1" for value in contrast_of(slot))
        return cls(slot, [one.name for one in channels if one.color_slot == slot], light, dark)


class Said(NamedTuple):
    """A source, and how many records show it."""

    source: Source
    requests: int


class Channels(SectionView):
    section, template = CHANNELS, "settings/channels.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request, list(_channels()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """What is no place, colour or shape changes nothing. Where a name is wrong, nothing is saved and all is shown as sent."""
        channels = list(_channels())
        before = {channel.pk: _saved(channel) for channel in channels}
        for channel in channels:
            _take(channel, request.POST)
        if problems := _problems(channels):
            for problem in problems:
                messages.error(request, problem)
            return self._draw(request, channels)
        _put_in_order(channels, request.POST)
        changed = [channel for channel in channels if _saved(channel) != before[channel.pk]]
        with transaction.atomic():
            for channel in changed:
                channel.save(update_fields=_SAVED)
        text = ngettext("%(number)s channel changed.", "%(number)s channels changed.", len(changed))
        messages.success(request, text % {"number": len(changed)})
        return redirect(CHANNELS.address)

    def _draw(self, request: HttpRequest, channels: Sequence[Channel]) -> HttpResponse:
        return self.page(
            request,
            rows=_rows(channels),
            slots=[Slot.of(slot, channels) for slot in SLOTS],
            shapes=Channel.Shape.choices,
            longest=LONGEST_NAME,
            by_hand=_said(match=Source.Match.BY_HAND),
            unmatched=_said(account=None, channel=None),
            merges=ChannelMerge.objects.select_related("into")[:_MOST_SOURCES],
        )


def _channels() -> Sequence[Channel]:
    found = Channel.objects.prefetch_related("listed_names").annotate(account_count=Count("accounts"))
    return list(found.order_by("position", "name", "id"))  # what counts is in no order by itself


def _saved(channel: Channel) -> tuple[object, ...]:
    return tuple(getattr(channel, name) for name in _SAVED)


def _take(channel: Channel, sent: Mapping[str, str]) -> None:
    slot, shape = sent.get(f"slot-{channel.pk}", ""), sent.get(f"shape-{channel.pk}", "")
    channel.name = sent.get(f"name-{channel.pk}", channel.name).replace("\0", "").strip()
    if slot in map(str, SLOTS):
        channel.color_slot = int(slot)
    if shape in Channel.Shape.values:
        channel.shape = shape


def _problems(channels: Sequence[Channel]) -> list[str]:
    taken: defaultdict[tuple[str, str], list[Channel]] = defaultdict(list)
    for channel in channels:
        taken[channel.kind, channel.name.casefold()].append(channel)
    found = [
        gettext("Two channels cannot both be called %(name)s: merge them, or tell them apart.") % {"name": one[0].name}
        for one in taken.values()
        if len(one) > 1 and one[0].name
    ]
    for channel in channels:
        if not channel.name:
            found.append(gettext("A channel needs a name: %(slug)s has none now.") % {"slug": channel.slug})
        elif len(channel.name) > LONGEST_NAME and channel.name not in _listed(channel):
            facts = {"most": LONGEST_NAME, "n": len(channel.name)}
            found.append(gettext("A name has at most %(most)s characters; this one has %(n)s.") % facts)
    return found


def _put_in_order(channels: Sequence[Channel], sent: Mapping[str, str]) -> None:
    """Number all channels as they were sent; those sent to one place stand there as they stood before."""

    def place(item: tuple[int, Channel]) -> tuple[int, int, int]:
        at, channel = item
        value = sent.get(f"place-{channel.pk}", "").strip()
        wanted = int(value) if value.isascii() and value.isdigit() and len(value) < 7 else at
        # Who goes up goes before the one that stands there, who goes down behind it.
        return wanted, (wanted > at) - (wanted < at), at

    ordered = [channel for _at, channel in sorted(enumerate(channels, 1), key=place)]
    if ordered != list(channels):
        for at, channel in enumerate(ordered, 1):
            channel.position = at


def _rows(channels: Sequence[Channel]) -> list[ChannelRow]:
    looks: defaultdict[tuple[int, str], list[Channel]] = defaultdict(list)
    for channel in channels:
        looks[channel.color_slot, channel.shape].append(channel)
    return [
        ChannelRow(
            channel,
            at,
            [other.name for other in looks[channel.color_slot, channel.shape] if other is not channel],
            [name for name in _listed(channel) if name != channel.name],
        )
        for at, channel in enumerate(channels, 1)
    ]


def _listed(channel: Channel) -> list[str]:
    return [name.name for name in channel.listed_names.all()]


def _said(**conditions: object) -> list[Said]:
    """Return these sources, those of most records first; of very many, not all."""
    sources = Source.objects.filter(**conditions).select_related("instance", "channel")
    requests: dict[int, int] = dict(
        UsageDailyBySource.objects.filter(source__in=sources)
        .values("source")
        .annotate(requests=Sum("requests"))
        .values_list("source", "requests")
    )
    found = [Said(source, requests.get(source.pk, 0)) for source in sources]
    return sorted(found, key=lambda said: (-said.requests, str(said.source)))[:_MOST_SOURCES]
