"""How much of what an account may use in some hours or days is used."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField, PercentField
from usage.models.identity import Source


class QuotaWindow(models.Model):
    """The newest reading of one window: what upstream said in its last answer that named it (usage/accounting/quota.py).

    It is of a source, as records are, so that a name learned later names it too. An account may have several.
    """

    source = models.ForeignKey(Source, models.CASCADE, related_name="+", verbose_name=_("source"))
    # Such as 5h, 7d and 7d_opus.
    name = models.CharField(_("window"), max_length=20)
    # 0: not told, as is a `resets_at` of null.
    minutes = models.PositiveIntegerField(_("length (minutes)"))
    used_percent = PercentField(_("used (%)"))
    resets_at = InstantField(_("resets at"), null=True)
    seen_at = InstantField(_("reading of"))

    class Meta:
        verbose_name = _("quota window")
        verbose_name_plural = _("quota windows")
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="quota_window_identity")]

    def __str__(self) -> str:
        return f"{self.source} · {self.name}"
