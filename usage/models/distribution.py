"""How often answers took how long."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField


class UsageDistribution(models.Model):
    """Latencies and times to the first token of succeeded records, in bins that usage/ingest/distribution.py defines.

    Rows of several grains: `kind` says which, and a dimension that its grain does not tell is 0.
    """

    kind = models.PositiveSmallIntegerField(_("kind"))
    bucket = InstantField(_("hour or day"))
    source_id = models.IntegerField(_("source"), default=0)
    model_id = models.IntegerField(_("model"), default=0)
    api_key_id = models.IntegerField(_("API key"), default=0)
    latency = models.BinaryField(_("latency"))
    ttft = models.BinaryField(_("first token"))
    pk = models.CompositePrimaryKey("kind", "bucket", "source_id", "model_id", "api_key_id")

    class Meta:
        verbose_name = _("distribution")
        verbose_name_plural = _("distributions")

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:00}"


class DistributionState(models.Model):
    """One row: the last record that the distributions hold, how much later than UTC their days begin (microseconds), and
    until when what ended is as short as can be.
    """

    last_id = models.BigIntegerField(default=0)
    day_offset = models.BigIntegerField(default=0)
    # Counts up with each change of what a distribution tells.
    change = models.BigIntegerField(default=0)
    # Microseconds since 1970 UTC.
    compacted_until = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.last_id}"
