"""The busiest minutes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField


class UsagePeak(models.Model):
    """The most requests, and the most tokens, that began in one minute of an hour (or of a day), and when.

    A peak is no sum: what is asked of several is bounded by the sum of theirs, and found in the records.
    """

    class Kind(models.IntegerChoices):
        """Of what: `target_id` is the id of such a row, 0 for everything, for the unknown channel and for all failures. Of a
        status, that failures have, it is this itself; 0 for none.
        """

        ALL = 0, _("all")
        SERVER = 1, _("CPA server")
        CHANNEL = 2, _("channel")
        SOURCE = 3, _("source")
        MODEL = 4, _("model")
        KEY = 5, _("API key")
        FAILED = 6, _("failed")
        STATUS = 7, _("status")

    kind = models.PositiveSmallIntegerField(_("kind"), choices=Kind)
    target_id = models.IntegerField(_("of which"), default=0)
    bucket = InstantField(_("hour or day"))
    requests = models.IntegerField(_("requests"))
    tokens = models.BigIntegerField(_("tokens"))
    # The minutes, the earlier of two that are equal. None: no minute has more, whether one has as many is not known yet.
    requests_at = InstantField(_("minute of most requests"), null=True)
    tokens_at = InstantField(_("minute of most tokens"), null=True)
    pk = models.CompositePrimaryKey("kind", "target_id", "bucket")

    class Meta:
        verbose_name = _("peak")
        verbose_name_plural = _("peaks")

    def __str__(self) -> str:
        return f"{self.requests} · {self.bucket:%Y-%m-%d}"
