"""One channel, account, model or client key, found by the address of its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.entity_page.dimension import ACCOUNT, CHANNEL, KEY, MODEL, Dimension
from channels_app.filters import UNKNOWN_CHANNEL
from usage.models import Account, ApiKey, Channel, ModelName
from usage.models.record import NO_KEY


@dataclass(frozen=True)
class Entity:
    """`value` is what its filter takes; `row` is None for the unknown channel, and for requests without a client key."""

    dimension: Dimension
    value: str
    name: str
    look: Look
    row: Any = None
    edit: str = ""

    @property
    def channel(self) -> Channel | None:
        """The one that an account is of."""
        return self.row.channel if self.dimension is ACCOUNT else None


def find_channel(slug: str) -> Entity:
    """Raises Http404, as the others do."""
    if slug == UNKNOWN_CHANNEL:
        return Entity(CHANNEL, slug, _("Unknown channel"), look.UNKNOWN)
    row = (
        Channel.objects.filter(slug=slug).first() or Channel.objects.filter(listed_names__former_slug=slug).first()
    )  # it was merged
    if row is None:
        raise Http404(_("There is no channel %(value)s") % {"value": slug})
    edit = f"{reverse('settings_channels')}#channel-{row.slug}"
    return Entity(CHANNEL, row.slug, row.name, look.of_slot(row.color_slot, row.shape), row, edit)


def find_account(pk: int) -> Entity:
    row = Account.objects.select_related("channel", "instance").filter(pk=pk).first()
    if row is None:
        raise Http404(_("There is no account %(value)s") % {"value": pk})
    edit = reverse("admin:usage_account_change", args=[pk])
    return Entity(ACCOUNT, str(pk), str(row), look.of_slot(row.channel.color_slot, row.channel.shape), row, edit)


def find_model(pk: int) -> Entity:
    row = ModelName.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(_("There is no model %(value)s") % {"value": pk})
    return Entity(MODEL, row.name, row.name, look.of_names([row.name])[0], row)


def find_key(pk: int) -> Entity:
    its_look = look.of_names([str(pk)])[0]
    if pk == NO_KEY:
        return Entity(KEY, str(pk), _("No key"), its_look)
    row = ApiKey.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(_("There is no API key %(value)s") % {"value": pk})
    return Entity(KEY, str(pk), str(row), its_look, row, reverse("channels_app:alias", args=[pk]))
