"""Merges of channels, and what it takes to undo them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.identity import Channel


class ChannelMerge(models.Model):
    """A channel that was made part of another: what it was, and which rows came along with it, by their ids."""

    into = models.ForeignKey(Channel, models.CASCADE, related_name="merges", verbose_name=_("into"))
    merged_at = InstantField(_("time"))
    name = models.CharField(_("name"), max_length=300)
    kind = models.CharField(_("kind"), max_length=10, choices=Channel.Kind)
    slug = models.SlugField(_("slug"), max_length=100)
    color_slot = models.PositiveSmallIntegerField(_("colour"))
    shape = models.CharField(_("shape"), max_length=10, choices=Channel.Shape)
    position = models.PositiveIntegerField(_("order"))
    accounts = models.JSONField(_("accounts"), default=list)
    sources = models.JSONField(_("sources"), default=list)
    names = models.JSONField(_("listed names"), default=list)
    # Earlier ones into the channel that was merged then.
    merges = models.JSONField(_("merges"), default=list)

    class Meta:
        verbose_name = _("merge of channels")
        verbose_name_plural = _("merges of channels")
        ordering = ["-merged_at", "-id"]

    def __str__(self) -> str:
        return self.name
