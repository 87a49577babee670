"""By which colour and shape each channel is known on all pages (`ui.md` 8.2)."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import ngettext

from channels_app.settings_page.sections import CHANNELS, SectionView
from usage.models import Channel

SLOTS = range(1, 9)


class ChannelRow(NamedTuple):
    """`is_shared`: another one looks the same."""

    channel: Channel
    is_shared: bool


class Channels(SectionView):
    section, template = CHANNELS, "settings/channels.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        channels = Channel.objects.annotate(account_count=Count("accounts"))
        looks = Counter((channel.color_slot, channel.shape) for channel in channels)
        rows = [ChannelRow(channel, looks[channel.color_slot, channel.shape] > 1) for channel in channels]
        return self.page(request, rows=rows, slots=SLOTS, shapes=Channel.Shape.choices)

    def post(self, request: HttpRequest) -> HttpResponse:
        """What is no colour and no shape changes nothing."""
        changed = 0
        for channel in Channel.objects.all():
            look = (channel.color_slot, channel.shape)
            slot, shape = request.POST.get(f"slot-{channel.pk}", ""), request.POST.get(f"shape-{channel.pk}", "")
            if slot in map(str, SLOTS):
                channel.color_slot = int(slot)
            if shape in Channel.Shape.values:
                channel.shape = shape
            if look != (channel.color_slot, channel.shape):
                channel.save(update_fields=["color_slot", "shape"])
                changed += 1
        text = ngettext("%(number)s channel changed.", "%(number)s channels changed.", changed)
        messages.success(request, text % {"number": changed})
        return redirect(CHANNELS.address)
