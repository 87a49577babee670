"""Views of Explore that somebody wants to find again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class SavedView(models.Model):
    """An address of Explore under a name, for one person alone. Relative periods stay relative."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=80)
    # As it stands behind the question mark.
    query = models.CharField(_("address"), max_length=2_000, blank=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_view_of_user")]

    def __str__(self) -> str:
        return self.name
