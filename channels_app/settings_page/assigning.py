"""Which channel a source means that matches nothing: said by staff on a small page, and taken back."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.channels import LONGEST_NAME
from channels_app.settings_page.sections import CHANNELS, SectionView
from channels_app.way_back import address_back, way_back
from usage import formats
from usage.ingest.assigning import assign, take_back
from usage.ingest.sources import records_of
from usage.models import Channel, Source


class AssignForm(forms.Form):
    channel = forms.ModelChoiceField(
        Channel.objects.all(), label=_("Channel"), required=False, empty_label=_("A new channel")
    )
    name = forms.CharField(label=_("Name of a new channel"), max_length=LONGEST_NAME, required=False)

    def __init__(self, *args: object, kind: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._kind = kind

    def clean_name(self) -> str:
        """Raises ValidationError for a new channel without a name, or with that of another."""
        name: str = self.cleaned_data["name"]
        if self.cleaned_data.get("channel") or "channel" in self.errors:
            return ""
        if not name:
            raise ValidationError(gettext("Choose a channel, or name a new one."))
        if Channel.objects.filter(kind=self._kind, name__iexact=name).exists():
            raise ValidationError(gettext("There is a channel %(name)s already: choose it.") % {"name": name})
        return name

    def chosen(self) -> Channel:
        channel: Channel | None = self.cleaned_data["channel"]
        return channel or Channel.objects.create(kind=self._kind, name=self.cleaned_data["name"])


class Assign(SectionView):
    section, template = CHANNELS, "settings/assign.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = _open_source(pk)
        return self._draw(request, source, AssignForm(kind=_kind_of(source), initial={"channel": source.channel}))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = _open_source(pk)
        form = AssignForm(request.POST, kind=_kind_of(source))
        if not form.is_valid():
            return self._draw(request, source, form)
        channel = form.chosen()
        assign(source, channel)
        records = records_of(Source.objects.filter(pk=source.pk))
        text = ngettext(
            "%(source)s is of %(channel)s now, with its %(n)s record.",
            "%(source)s is of %(channel)s now, with its %(n)s records.",
            records,
        )
        messages.success(request, text % {"source": source, "channel": channel.name, "n": formats.grouped(records)})
        return way_back(request, reverse(CHANNELS.address))

    def _draw(self, request: HttpRequest, source: Source, form: AssignForm) -> HttpResponse:
        back = address_back(request, reverse(CHANNELS.address))
        context = {
            "source": source,
            "form": form,
            "records": records_of(Source.objects.filter(pk=source.pk)),
            "back": back,
        }
        return render(request, self.template, context)


class TakeBack(SectionView):
    section = CHANNELS

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source, pk=pk, match=Source.Match.BY_HAND)
        take_back(source)
        source.refresh_from_db()
        name = source.known_channel.name if source.known_channel else gettext("Unknown channel")
        messages.success(request, gettext("%(source)s is of %(channel)s again.") % {"source": source, "channel": name})
        return way_back(request, reverse(CHANNELS.address))


def _open_source(pk: int) -> Source:
    """Raises Http404 for one that its server's list decides."""
    source = get_object_or_404(Source.objects.select_related("instance", "channel", "account"), pk=pk)
    if source.match != Source.Match.BY_HAND and source.known_channel:
        raise Http404(gettext("The list of its server says which channel %(source)s is of.") % {"source": source})
    return source


def _kind_of(source: Source) -> str:
    """What a channel of its own would be."""
    return Channel.Kind.OAUTH if source.auth_type == Channel.Kind.OAUTH else Channel.Kind.API_KEY
