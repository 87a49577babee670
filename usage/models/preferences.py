"""How a person wants to see the pages."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preferences(models.Model):
    """Of one user; who has none has the defaults. What an empty text means is the pages' business: their own default."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+", verbose_name=_("user")
    )
    default_range = models.CharField(_("period"), max_length=10, blank=True)
    comparison = models.CharField(_("comparison"), max_length=10, blank=True)
    # 0: never; null: as often as the page thinks right.
    refresh_seconds = models.PositiveIntegerField(_("refresh"), null=True, blank=True)
    # Rows stand closer together.
    is_dense = models.BooleanField(_("compact rows"), default=False)
    # Large numbers in 万 and 亿, where the page is Chinese.
    counts_in_myriads = models.BooleanField(_("万 and 亿"), default=False)
    shortcuts = models.BooleanField(_("keyboard shortcuts"), default=True)
    # Of each table the columns besides the usual ones.
    columns = models.JSONField(_("columns"), default=dict, blank=True)
    # Of each table all its columns, where they are not in the usual order.
    column_order = models.JSONField(_("order of columns"), default=dict, blank=True)
    privacy = models.BooleanField(_("privacy mode"), default=False)

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return str(self.user)
