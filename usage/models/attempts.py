"""Which records served one call of a client, where that took several (`ui.md` 1)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.identity import Source
from usage.models.record import NO_KEY, ModelName


class Attempt(models.Model):
    """One of the records of a client request that has several; most have one, and no row here.

    Repeats what its record says, because records are pruned.
    """

    record_id = models.BigIntegerField(_("usage record"), primary_key=True)
    # The id of its first record.
    client_request = models.BigIntegerField(_("client request"))
    began_at = InstantField(_("began"))
    requested_at = InstantField(_("time"))
    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )
    api_key_id = models.IntegerField(_("API key"), default=NO_KEY)
    failed = models.BooleanField(_("failed"))
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    # From 1, in order of time.
    number = models.PositiveIntegerField(_("number"))
    # Of the whole client request.
    attempts = models.PositiveIntegerField(_("attempts"))
    succeeded = models.PositiveIntegerField(_("succeeded"))
    # Ids of the sources that were tried, in order; of very many, the first.
    path = models.CharField(_("path"), max_length=200)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = [
            # With all that the sums of client requests need (channels_app/stats/client_requests.py): so no row is read.
            models.Index(
                fields=["requested_at", "number", "succeeded", "attempts", "failed", "began_at"], name="attempt_time"
            ),
            models.Index(fields=["client_request"], name="attempt_client_request"),
        ]

    def __str__(self) -> str:
        return f"{self.number}/{self.attempts}"


class AttemptHour(models.Model):
    """The attempts of an UTC hour, and the client requests whose first one is among them, added up."""

    hour = InstantField(_("hour"), primary_key=True)
    # When the client requests began of which this hour has attempts.
    first_began_at = InstantField(_("first began"))
    asked = models.IntegerField(_("attempts"))
    asked_ok = models.IntegerField(_("succeeded attempts"))
    requests = models.IntegerField(_("client requests"))
    succeeded = models.IntegerField(_("succeeded"))
    rescued = models.IntegerField(_("rescued"))
    attempts = models.IntegerField(_("attempts of the client requests"))

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"


class StaleHour(models.Model):
    """An UTC hour of which records were booked since their attempts were derived (usage/ingest/attempts.py)."""

    hour = InstantField(_("hour"), primary_key=True)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"
