"""Two channels that are one: staff name both, see what that changes, merge them, and take them apart again."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.sections import CHANNELS, SectionView
from usage import formats
from usage.ingest.assigning import HasPrices, merge, undo
from usage.ingest.sources import records_of
from usage.models import Channel, ChannelMerge, Source


class MergeForm(forms.Form):
    into = forms.ModelChoiceField(Channel.objects.none(), label=_("Into"))

    def __init__(self, *args: object, others: QuerySet[Channel], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["into"].queryset = others  # type: ignore[attr-defined]


class Merge(SectionView):
    section, template = CHANNELS, "settings/merge.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = get_object_or_404(Channel, pk=pk)
        return self._draw(request, channel, self._form(channel, initial={"into": request.GET.get("into", "")}))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = get_object_or_404(Channel, pk=pk)
        form = self._form(channel, request.POST)
        if not form.is_valid():
            return self._draw(request, channel, form)
        into, requests = form.cleaned_data["into"], _requests_of(channel)
        try:
            merge(channel, into)
        except HasPrices as error:
            form.add_error(None, _why_not(channel, error))
            return self._draw(request, channel, form)
        text = ngettext(
            "%(channel)s is part of %(into)s now, with its %(n)s record.",
            "%(channel)s is part of %(into)s now, with its %(n)s records.",
            requests,
        )
        facts = {"channel": channel.name, "into": into.name, "n": formats.grouped(requests)}
        messages.success(request, text % facts)
        return redirect(CHANNELS.address)

    def _form(self, channel: Channel, *args: object, **kwargs: object) -> MergeForm:
        return MergeForm(*args, others=Channel.objects.exclude(pk=channel.pk), **kwargs)

    def _draw(self, request: HttpRequest, channel: Channel, form: MergeForm) -> HttpResponse:
        facts = {"accounts": channel.accounts.count(), "requests": _requests_of(channel)}
        return render(request, self.template, {"channel": channel, "form": form, **facts})


class Unmerge(SectionView):
    section = CHANNELS

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        merged = get_object_or_404(ChannelMerge.objects.select_related("into"), pk=pk)
        into = merged.into.name
        channel = undo(merged)
        requests = _requests_of(channel)
        text = ngettext(
            "%(channel)s is a channel of its own again, with its %(n)s record; it was part of %(into)s.",
            "%(channel)s is a channel of its own again, with its %(n)s records; it was part of %(into)s.",
            requests,
        )
        messages.success(request, text % {"channel": channel.name, "into": into, "n": formats.grouped(requests)})
        return redirect(CHANNELS.address)


def _requests_of(channel: Channel) -> int:
    """Return how many records it ever had."""
    return records_of(Source.objects.filter(Q(account__channel=channel) | Q(account=None, channel=channel)))


def _why_not(channel: Channel, error: HasPrices) -> str:
    return gettext(
        "%(channel)s has prices of its own (%(prices)s) or multipliers (%(multipliers)s), which would count for all of the"
        " other. Delete them on the Prices page first, or give them to accounts."
    ) % {"channel": channel.name, "prices": error.prices, "multipliers": error.multipliers}
