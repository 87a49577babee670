"""The ledger: usage records, and the words that they repeat."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage import privacy
from usage.accounting.failures import MOST_CHARACTERS
from usage.accounting.payload import DEDUP_BYTES
from usage.models.fields import InstantField
from usage.models.identity import ApiKey, Source
from usage.models.instance import Instance
from usage.models.price import ModelPrice


class ModelName(models.Model):
    """The name of a model, as executed or as the client asked for it."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=300, unique=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RequestTraits(models.Model):
    """The few words that describe how a request was made; thousands of records share one row."""

    id = models.AutoField(primary_key=True)
    endpoint = models.CharField(_("endpoint"), max_length=200, blank=True)
    reasoning_effort = models.CharField(_("reasoning effort"), max_length=40, blank=True)
    service_tier = models.CharField(_("service tier asked"), max_length=40, blank=True)
    billed_tier = models.CharField(_("service tier billed"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("request traits")
        verbose_name_plural = _("request traits")
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "reasoning_effort", "service_tier", "billed_tier"], name="request_traits"
            )
        ]

    def __str__(self) -> str:
        return " · ".join(word for word in (self.endpoint, self.reasoning_effort, self.tier) if word)

    @property
    def tier(self) -> str:
        """The service tier that upstream says it billed, else the one asked for."""
        return self.billed_tier or self.service_tier


class ClientTraits(models.Model):
    """Where a client called from, and what it calls itself; thousands of records share one row.

    The IP is of whoever is at the other end of the socket, which may be a proxy; the rest clients write as they like.
    """

    id = models.AutoField(primary_key=True)
    ip = models.CharField(_("client IP"), max_length=64, blank=True)
    forwarded_for = models.CharField(_("forwarded for"), max_length=200, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("client traits")
        verbose_name_plural = _("client traits")
        constraints = [models.UniqueConstraint(fields=["ip", "forwarded_for", "user_agent"], name="client_traits")]

    def __str__(self) -> str:
        return " · ".join(word for word in (self.shown_ip, self.user_agent) if word)

    @property
    def shown_ip(self) -> str:
        return privacy.addresses(self.ip)

    @property
    def shown_forwarded_for(self) -> str:
        return privacy.addresses(self.forwarded_for)


class FailureMessage(models.Model):
    """What upstream says of failures of one kind, without what is of a single one (accounting.failures)."""

    id = models.AutoField(primary_key=True)
    text = models.CharField(_("text"), max_length=MOST_CHARACTERS, unique=True)

    class Meta:
        verbose_name = _("failure message")
        verbose_name_plural = _("failure messages")

    def __str__(self) -> str:
        return self.text


class TokenCounts(models.Model):
    """Tokens in buckets that never overlap and sum to the total (contract F). Of one record: accounting.tokens.MOST_TOKENS
    keeps each below what four bytes hold, though not their total.
    """

    uncached_input = models.IntegerField(_("uncached input"), default=0)
    cache_read = models.IntegerField(_("cached input"), default=0)
    cache_write = models.IntegerField(_("cache write"), default=0)
    output = models.IntegerField(_("answer output"), default=0)
    reasoning = models.IntegerField(_("reasoning"), default=0)
    unclassified = models.IntegerField(_("unclassified"), default=0)

    class Meta:
        abstract = True

    @property
    def input_tokens(self) -> int:
        return self.uncached_input + self.cache_read + self.cache_write

    @property
    def output_tokens(self) -> int:
        """Answer and reasoning together."""
        return self.output + self.reasoning

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.unclassified


class UsageRecord(TokenCounts):
    """One upstream attempt: when, through which source, for whom, what it used and what that cost.

    There may be a hundred million of them, so columns are as narrow as their values. In the table they stand from the
    widest to the narrowest: PostgreSQL would fill up the space before a wider one.
    """

    class Quality(models.IntegerChoices):
        """How far the token buckets can be trusted (contract F)."""

        COMPLETE = 0, _("complete")
        ESTIMATED = 1, _("estimated")
        UNCLASSIFIED = 2, _("unclassified")
        INCONSISTENT = 3, _("inconsistent")

    requested_at = InstantField(_("time"))
    received_at = InstantField(_("received"))
    # Null means unpriced, which is not free.
    cost_nanousd = models.BigIntegerField(_("est. cost (nano-USD)"), null=True)
    # At the price of the cost; null where there is no cost, and where it is of before this column and its price is gone.
    saved_nanousd = models.BigIntegerField(_("saved by the cache (nano-USD)"), null=True)
    latency_ms = models.IntegerField(_("latency (ms)"), null=True)
    ttft_ms = models.IntegerField(_("first token (ms)"), null=True)
    # What these point to is checked by the batch when it is booked (usage/ingest/insertion.py): PostgreSQL would look up
    # each reference of each row again, which takes it a fifth of the time of booking.
    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )
    alias = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("requested as")
    )
    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, db_index=False, db_constraint=False, verbose_name=_("API key")
    )
    traits = models.ForeignKey(
        RequestTraits, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("request traits")
    )
    # Stays where its price is deleted: to find all that pointed to one, every record would have to be read. Numbers of prices
    # are never given again.
    price = models.ForeignKey(
        ModelPrice, models.DO_NOTHING, null=True, db_index=False, db_constraint=False, verbose_name=_("price")
    )
    # Of failures of which upstream said something.
    message = models.ForeignKey(
        FailureMessage, models.PROTECT, null=True, db_index=False, db_constraint=False, verbose_name=_("message")
    )
    # Told by CPA from v7.2.104 on.
    client = models.ForeignKey(
        ClientTraits, models.PROTECT, null=True, db_index=False, db_constraint=False, verbose_name=_("client")
    )
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    quality = models.PositiveSmallIntegerField(_("token quality"), choices=Quality, default=Quality.COMPLETE)
    failed = models.BooleanField(_("failed"))
    generate = models.BooleanField(_("generates"), default=True)
    dedup_key = models.BinaryField(max_length=DEDUP_BYTES, editable=False)
    request_id = models.CharField(_("request id"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [
            # Time first: new rows go to the end of the index, where a digest alone would touch random pages.
            models.UniqueConstraint(fields=["requested_at", "dedup_key"], name="record_once")
        ]
        indexes = [
            # For pricing what had no price when it came: of prices that hold from some time on, only what came since.
            models.Index(
                fields=["model", "requested_at"], condition=models.Q(cost_nanousd=None), name="record_unpriced"
            ),
            # Failures are few, and often asked for: of whom, the index tells without a look at each.
            models.Index(
                fields=["requested_at", "source", "model", "api_key", "status_code"],
                condition=models.Q(failed=True),
                name="record_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M:%S} {self.request_id}"

    @property
    def cost_usd(self) -> Decimal | None:
        return None if self.cost_nanousd is None else Decimal(self.cost_nanousd).scaleb(-9)


class FailureText(models.Model):
    """What upstream said of a failure, without secrets, cut to 8 KB; kept apart to keep the records narrow."""

    record = models.OneToOneField(
        UsageRecord, models.CASCADE, primary_key=True, related_name="failure_text", verbose_name=_("usage record")
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("failure text")
        verbose_name_plural = _("failure texts")

    def __str__(self) -> str:
        return self.text[:80]


# In the key of a sum, where NULL would not be equal to itself: the records without a client key, a status, or a message.
NO_KEY = NO_STATUS = NO_MESSAGE = 0


class QuarantinedPayload(models.Model):
    """Something that came instead of a record; kept whole, encrypted because it may hold keys."""

    instance = models.ForeignKey(Instance, models.PROTECT, verbose_name=_("CPA server"))
    received_at = InstantField(_("received"))
    reason = models.TextField(_("reason"))
    encrypted_payload = models.TextField(editable=False)
    size = models.PositiveIntegerField(_("bytes"))
    # A legacy snapshot shows the same damage at each poll.
    payload_digest = models.BinaryField(max_length=16, editable=False)

    class Meta:
        verbose_name = _("quarantined payload")
        verbose_name_plural = _("quarantined payloads")
        constraints = [models.UniqueConstraint(fields=["instance", "payload_digest"], name="quarantine_identity")]

    def __str__(self) -> str:
        return self.reason[:80]
