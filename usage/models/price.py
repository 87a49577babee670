"""What tokens cost."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from usage.models.fields import EPOCH, InstantField, UsdPerMillionField


class ModelPrice(models.Model):
    """Prices of a model, or of all models that a pattern with `*` fits, from a moment on; USD per 1M tokens."""

    class Origin(models.TextChoices):
        MANUAL = "manual", _("Manual")
        CATALOG = "genai-prices", "genai-prices"

    id = models.AutoField(primary_key=True)
    pattern = models.CharField(
        _("model or pattern"), max_length=300, help_text=_("A model's name, or a pattern such as claude-opus-*")
    )
    effective_from = InstantField(
        _("effective from"), default=EPOCH, help_text=_("1970-01-01: since ever. Times are UTC.")
    )
    input = UsdPerMillionField(_("input"))
    cached_input = UsdPerMillionField(_("cached input"), null=True, blank=True, help_text=_("Empty: as input"))
    cache_write = UsdPerMillionField(_("cache write"), null=True, blank=True, help_text=_("Empty: as input"))
    output = UsdPerMillionField(_("output"))
    origin = models.CharField(_("origin"), max_length=20, choices=Origin, default=Origin.MANUAL, editable=False)
    updated_at = InstantField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("model price")
        verbose_name_plural = _("model prices")
        ordering = ["pattern", "effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["pattern", "effective_from"], name="price_identity",
                violation_error_message=_("There is a price for this model from this moment on already."),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.pattern
