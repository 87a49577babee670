"""The ledger: usage records, the words that they repeat, and their first rollup."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.identity import ApiKey, Source
from usage.models.instance import Instance
from usage.models.price import ModelPrice


class ModelName(models.Model):
    """The name of a model, as executed or as the client asked for it."""

    name = models.CharField(_("name"), max_length=300, unique=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RequestTraits(models.Model):
    """The few words that describe how a request was made; thousands of records share one row."""

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
        return " · ".join(
            word for word in (self.endpoint, self.reasoning_effort, self.billed_tier or self.service_tier) if word
        )


class TokenCounts(models.Model):
    """Tokens in buckets that never overlap and sum to the total (contract F)."""

    uncached_input = models.BigIntegerField(_("uncached input"), default=0)
    cache_read = models.BigIntegerField(_("cached input"), default=0)
    cache_write = models.BigIntegerField(_("cache write"), default=0)
    output = models.BigIntegerField(_("answer output"), default=0)
    reasoning = models.BigIntegerField(_("reasoning"), default=0)
    unclassified = models.BigIntegerField(_("unclassified"), default=0)

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
    """One upstream attempt: when, through which source, for whom, what it used and what that cost."""

    class Quality(models.IntegerChoices):
        """How far the token buckets can be trusted (contract F)."""

        COMPLETE = 0, _("complete")
        ESTIMATED = 1, _("estimated")
        UNCLASSIFIED = 2, _("unclassified")
        INCONSISTENT = 3, _("inconsistent")

    requested_at = InstantField(_("time"))
    dedup_key = models.BinaryField(max_length=16, editable=False)
    received_at = InstantField(_("received"))
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
    request_id = models.CharField(_("request id"), max_length=40, blank=True)
    failed = models.BooleanField(_("failed"))
    status_code = models.PositiveSmallIntegerField(_("status"), null=True)
    generate = models.BooleanField(_("generates"), default=True)
    latency_ms = models.PositiveBigIntegerField(_("latency (ms)"), null=True)
    ttft_ms = models.PositiveBigIntegerField(_("first token (ms)"), null=True)
    quality = models.PositiveSmallIntegerField(_("token quality"), choices=Quality, default=Quality.COMPLETE)
    # Null means unpriced, which is not free.
    cost_nanousd = models.BigIntegerField(_("est. cost (nano-USD)"), null=True)
    price = models.ForeignKey(
        ModelPrice, models.SET_NULL, null=True, db_index=False, db_constraint=False, verbose_name=_("price")
    )

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [
            # Time first: new rows go to the end of the index, where a digest alone would touch random pages.
            models.UniqueConstraint(fields=["requested_at", "dedup_key"], name="record_identity")
        ]
        indexes = [
            # For pricing what had no price when it came.
            models.Index(fields=["model"], condition=models.Q(cost_nanousd=None), name="record_unpriced"),
            # Failures are few, and often asked for.
            models.Index(fields=["requested_at"], condition=models.Q(failed=True), name="record_failed"),
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


# In the key of a sum, where NULL would not be equal to itself: the records without a client key, or without a status.
NO_KEY = NO_STATUS = 0


class Rollup(TokenCounts):
    """Records added up: additive integers only, as usage/ingest/rollup.py defines them."""

    requests = models.BigIntegerField(_("requests"), default=0)
    failed = models.BigIntegerField(_("failed"), default=0)
    priced_requests = models.BigIntegerField(_("priced requests"), default=0)
    priced_succeeded = models.BigIntegerField(_("priced and succeeded"), default=0)
    priced_tokens = models.BigIntegerField(_("priced tokens"), default=0)
    cost_nanousd = models.BigIntegerField(_("est. cost (nano-USD)"), default=0)
    # Output of answers that were streamed long enough to tell their speed, and the time that it took.
    timed_output = models.BigIntegerField(_("timed output"), default=0)
    timed_ms = models.BigIntegerField(_("time of output (ms)"), default=0)
    without_usage = models.BigIntegerField(_("without usage"), default=0)
    estimated_requests = models.BigIntegerField(_("tokens estimated"), default=0)
    unclassified_requests = models.BigIntegerField(_("tokens unclassified"), default=0)
    inconsistent_requests = models.BigIntegerField(_("tokens inconsistent"), default=0)

    class Meta:
        abstract = True


class HourlyRollup(Rollup):
    bucket = InstantField(_("hour"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:00}"


class DailyRollup(Rollup):
    """By day of the report time zone."""

    bucket = InstantField(_("day"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d}"


class UsageHourly(HourlyRollup):
    """By UTC hour and all that can be asked for: with the records of the ragged ends exact in any time zone."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )
    api_key_id = models.BigIntegerField(_("API key"), default=NO_KEY)

    class Meta:
        verbose_name = _("hourly usage")
        verbose_name_plural = _("hourly usage")
        constraints = [models.UniqueConstraint(fields=["bucket", "source", "model", "api_key_id"], name="hourly_cube")]
        indexes = [models.Index(fields=["api_key_id", "bucket"], name="hourly_cube_of_key")]


class UsageDaily(DailyRollup):
    """By day, source and model: the middle of a long span."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )

    class Meta:
        verbose_name = _("daily usage")
        verbose_name_plural = _("daily usage")
        constraints = [models.UniqueConstraint(fields=["bucket", "source", "model"], name="daily_cube")]


class UsageDailyBySource(DailyRollup):
    """By day and source: where nothing but accounts and channels is asked for."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))

    class Meta:
        verbose_name = _("daily usage by source")
        verbose_name_plural = _("daily usage by source")
        constraints = [models.UniqueConstraint(fields=["bucket", "source"], name="daily_by_source")]


class UsageDailyBySourceKey(DailyRollup):
    """By day, source and client key: where accounts and keys are asked for, and models are not."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    api_key_id = models.BigIntegerField(_("API key"), default=NO_KEY)

    class Meta:
        verbose_name = _("daily usage by source and key")
        verbose_name_plural = _("daily usage by source and key")
        constraints = [models.UniqueConstraint(fields=["bucket", "source", "api_key_id"], name="daily_by_source_key")]
        indexes = [models.Index(fields=["api_key_id", "bucket"], name="daily_by_source_key_of_key")]


class UsageDailyByKeyModel(DailyRollup):
    """By day, client key and model: where keys are asked for and accounts are not."""

    api_key_id = models.BigIntegerField(_("API key"), default=NO_KEY)
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )

    class Meta:
        verbose_name = _("daily usage by key and model")
        verbose_name_plural = _("daily usage by key and model")
        constraints = [models.UniqueConstraint(fields=["bucket", "api_key_id", "model"], name="daily_by_key_model")]


class UsageHourlyBySource(HourlyRollup):
    """By UTC hour and source: what a chart of accounts or channels needs."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))

    class Meta:
        verbose_name = _("hourly usage by source")
        verbose_name_plural = _("hourly usage by source")
        constraints = [models.UniqueConstraint(fields=["bucket", "source"], name="hourly_by_source")]


class UsageHourlyByModel(HourlyRollup):
    """By UTC hour and model: what a chart of all, or of models, needs."""

    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )

    class Meta:
        verbose_name = _("hourly usage by model")
        verbose_name_plural = _("hourly usage by model")
        constraints = [models.UniqueConstraint(fields=["bucket", "model"], name="hourly_by_model")]


class UsageDailyByModel(DailyRollup):
    """By day and model: what a sum of all needs."""

    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )

    class Meta:
        verbose_name = _("daily usage by model")
        verbose_name_plural = _("daily usage by model")
        constraints = [models.UniqueConstraint(fields=["bucket", "model"], name="daily_by_model")]


class UsageDailyByKey(DailyRollup):
    """By day and client key."""

    api_key_id = models.BigIntegerField(_("API key"), default=NO_KEY)

    class Meta:
        verbose_name = _("daily usage by key")
        verbose_name_plural = _("daily usage by key")
        constraints = [models.UniqueConstraint(fields=["bucket", "api_key_id"], name="daily_by_key")]


class UsageFailures(HourlyRollup):
    """The failed ones among the hourly sums, by their status code too."""

    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )
    api_key_id = models.BigIntegerField(_("API key"), default=NO_KEY)
    status_code = models.PositiveSmallIntegerField(_("status"), default=NO_STATUS)

    class Meta:
        verbose_name = _("hourly failures")
        verbose_name_plural = _("hourly failures")
        constraints = [
            models.UniqueConstraint(
                fields=["bucket", "source", "model", "api_key_id", "status_code"], name="failures_cube"
            )
        ]


class RollupState(models.Model):
    """One row: by which definition the sums were made, and since when there are records to prove them by."""

    version = models.PositiveIntegerField(default=0)
    # How much later than UTC the days begin, in microseconds.
    day_offset = models.BigIntegerField(default=0)
    # Records before this were pruned; their sums stay.
    records_since = InstantField(_("records since"), null=True)

    def __str__(self) -> str:
        return f"{self.version}"


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
