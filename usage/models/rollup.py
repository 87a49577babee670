"""Records added up, by time and by what is asked of them: what each row holds, usage/ingest/grains.py defines.

A row is found by its interval and dimensions alone, so these are its primary key: a number and its index would take a
sixth of the space. What no hour or day can outgrow is counted in four bytes.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.identity import Source
from usage.models.record import NO_KEY, NO_MESSAGE, NO_STATUS, ModelName, TokenCounts


class Rollup(TokenCounts):
    """Additive integers only. Tokens and money of many records need more than the four bytes of one."""

    uncached_input = models.BigIntegerField(_("uncached input"), default=0)
    cache_read = models.BigIntegerField(_("cached input"), default=0)
    cache_write = models.BigIntegerField(_("cache write"), default=0)
    output = models.BigIntegerField(_("answer output"), default=0)
    reasoning = models.BigIntegerField(_("reasoning"), default=0)
    unclassified = models.BigIntegerField(_("unclassified"), default=0)
    priced_tokens = models.BigIntegerField(_("priced tokens"), default=0)
    cost_nanousd = models.BigIntegerField(_("est. cost (nano-USD)"), default=0)
    saved_nanousd = models.BigIntegerField(_("saved by the cache (nano-USD)"), default=0)
    # Output of answers that were streamed long enough to tell their speed, and the time that it took.
    timed_output = models.BigIntegerField(_("timed output"), default=0)
    timed_ms = models.BigIntegerField(_("time of output (ms)"), default=0)
    requests = models.IntegerField(_("requests"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    priced_requests = models.IntegerField(_("priced requests"), default=0)
    priced_succeeded = models.IntegerField(_("priced and succeeded"), default=0)
    without_usage = models.IntegerField(_("without usage"), default=0)
    # Failures that used nothing, and so cost nothing whatever the prices are.
    unused_failures = models.IntegerField(_("failed without usage"), default=0)
    estimated_requests = models.IntegerField(_("tokens estimated"), default=0)
    unclassified_requests = models.IntegerField(_("tokens unclassified"), default=0)
    inconsistent_requests = models.IntegerField(_("tokens inconsistent"), default=0)
    without_request_id = models.IntegerField(_("without request id"), default=0)

    class Meta:
        abstract = True


class HourlyRollup(Rollup):
    """By UTC hour."""

    bucket = InstantField(_("hour"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:00}"


class QuarterHourlyRollup(Rollup):
    """By quarter of an hour: every clock of the world is a whole number of these from UTC."""

    bucket = InstantField(_("quarter of an hour"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M}"


class DailyRollup(Rollup):
    """By day of the report time zone."""

    bucket = InstantField(_("day"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d}"


class WeeklyRollup(Rollup):
    """By seven days of the report time zone, counted since 1970."""

    bucket = InstantField(_("week"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d}"


class BySource(models.Model):
    source = models.ForeignKey(Source, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("source"))

    class Meta:
        abstract = True


class ByModel(models.Model):
    model = models.ForeignKey(
        ModelName, models.PROTECT, db_index=False, db_constraint=False, related_name="+", verbose_name=_("model")
    )

    class Meta:
        abstract = True


class ByKey(models.Model):
    api_key_id = models.IntegerField(_("API key"), default=NO_KEY)

    class Meta:
        abstract = True


class ByStatus(models.Model):
    status_code = models.PositiveSmallIntegerField(_("status"), default=NO_STATUS)

    class Meta:
        abstract = True


# In the key of a sum: the unknown channel.
NO_CHANNEL = 0


class ByChannel(models.Model):
    """The channel in which its source is placed (usage/ingest/placing.py)."""

    channel_id = models.IntegerField(_("channel"), default=NO_CHANNEL)

    class Meta:
        abstract = True


class UsageHourly(BySource, ByModel, ByKey, HourlyRollup):
    """All that can be asked for: with the records of the ragged ends exact in any time zone."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "model_id", "api_key_id")

    class Meta:
        verbose_name = _("hourly usage")
        verbose_name_plural = _("hourly usage")
        indexes = [models.Index(fields=["api_key_id", "bucket"], name="hourly_cube_of_key")]


class UsageDaily(BySource, ByModel, DailyRollup):
    """By source and model: the middle of a long span."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "model_id")

    class Meta:
        verbose_name = _("daily usage")
        verbose_name_plural = _("daily usage")


class UsageWeekly(BySource, ByModel, WeeklyRollup):
    """By source and model: a quarter has a fourth as many of these as of days, and that is the largest question."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "model_id")

    class Meta:
        verbose_name = _("weekly usage")
        verbose_name_plural = _("weekly usage")


class UsageWeeklyBySource(BySource, WeeklyRollup):
    """Where a long span of accounts is asked for."""

    pk = models.CompositePrimaryKey("bucket", "source_id")

    class Meta:
        verbose_name = _("weekly usage by source")
        verbose_name_plural = _("weekly usage by source")


class UsageDailyBySource(BySource, DailyRollup):
    """Where nothing but accounts and channels is asked for."""

    pk = models.CompositePrimaryKey("bucket", "source_id")

    class Meta:
        verbose_name = _("daily usage by source")
        verbose_name_plural = _("daily usage by source")


class UsageDailyBySourceKeyModel(BySource, ByKey, ByModel, DailyRollup):
    """Where accounts and keys are asked for at once."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "api_key_id", "model_id")

    class Meta:
        verbose_name = _("daily usage by source, key and model")
        verbose_name_plural = _("daily usage by source, key and model")
        indexes = [models.Index(fields=["api_key_id", "bucket", "source"], name="daily_cube_of_key")]


class UsageDailyByKeyChannelModel(ByKey, ByChannel, ByModel, DailyRollup):
    """Where keys are asked for and accounts are not: most models are of one channel, and make no more rows of it."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id", "channel_id", "model_id")

    class Meta:
        verbose_name = _("daily usage by key, channel and model")
        verbose_name_plural = _("daily usage by key, channel and model")


class UsageWeeklyByKeyChannelModel(ByKey, ByChannel, ByModel, WeeklyRollup):
    """Where a long span of keys, channels and models is asked for."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id", "channel_id", "model_id")

    class Meta:
        verbose_name = _("weekly usage by key, channel and model")
        verbose_name_plural = _("weekly usage by key, channel and model")


class UsageHourlyBySource(BySource, HourlyRollup):
    """What a chart of accounts or channels needs."""

    pk = models.CompositePrimaryKey("bucket", "source_id")

    class Meta:
        verbose_name = _("hourly usage by source")
        verbose_name_plural = _("hourly usage by source")


class UsageHourlyByModel(ByModel, HourlyRollup):
    """What a chart of all, or of models, needs."""

    pk = models.CompositePrimaryKey("bucket", "model_id")

    class Meta:
        verbose_name = _("hourly usage by model")
        verbose_name_plural = _("hourly usage by model")


class UsageHourlyByKey(ByKey, HourlyRollup):
    """When a key is used."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id")

    class Meta:
        verbose_name = _("hourly usage by key")
        verbose_name_plural = _("hourly usage by key")


class UsageDailyByModel(ByModel, DailyRollup):
    """What a sum of all needs."""

    pk = models.CompositePrimaryKey("bucket", "model_id")

    class Meta:
        verbose_name = _("daily usage by model")
        verbose_name_plural = _("daily usage by model")


class UsageDailyByKey(ByKey, DailyRollup):
    """Where nothing but client keys is asked for."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id")

    class Meta:
        verbose_name = _("daily usage by key")
        verbose_name_plural = _("daily usage by key")


class UsageHourlyByChannel(ByChannel, HourlyRollup):
    """What a chart of channels, or of all, needs."""

    pk = models.CompositePrimaryKey("bucket", "channel_id")

    class Meta:
        verbose_name = _("hourly usage by channel")
        verbose_name_plural = _("hourly usage by channel")


class UsageQuarterHourly(ByChannel, ByModel, QuarterHourlyRollup):
    """What is left of hours at the ends of a span, and of days that begin within an hour; of kept records alone."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "model_id")

    class Meta:
        verbose_name = _("usage by quarter of an hour")
        verbose_name_plural = _("usage by quarter of an hour")


class UsageQuarterHourlyByKey(ByKey, QuarterHourlyRollup):
    """The same of each key: days that begin within an hour would have to read a whole hour of records each."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id")

    class Meta:
        verbose_name = _("usage by quarter of an hour and API key")
        verbose_name_plural = _("usage by quarter of an hour and API key")


class UsageHourlyByChannelModel(ByChannel, ByModel, HourlyRollup):
    """What a chart of channels needs whose requests are priced anew: most models are of one channel."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "model_id")

    class Meta:
        verbose_name = _("hourly usage by channel and model")
        verbose_name_plural = _("hourly usage by channel and model")


class UsageDailyByChannelModel(ByChannel, ByModel, DailyRollup):
    """Which models the channels have, and which channels the models."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "model_id")

    class Meta:
        verbose_name = _("daily usage by channel and model")
        verbose_name_plural = _("daily usage by channel and model")


class UsageDailyByChannel(ByChannel, DailyRollup):
    """Where nothing but channels is asked for, or a sum of all."""

    pk = models.CompositePrimaryKey("bucket", "channel_id")

    class Meta:
        verbose_name = _("daily usage by channel")
        verbose_name_plural = _("daily usage by channel")


class UsageDailyByChannelKey(ByChannel, ByKey, DailyRollup):
    """Who used which channels: of accounts there are a hundred times as many."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "api_key_id")

    class Meta:
        verbose_name = _("daily usage by channel and key")
        verbose_name_plural = _("daily usage by channel and key")


class UsageFailures(BySource, ByModel, ByKey, ByStatus, HourlyRollup):
    """The failed ones among the hourly sums, by their status code and what upstream said too."""

    message_id = models.IntegerField(_("message"), default=NO_MESSAGE)
    pk = models.CompositePrimaryKey("bucket", "source_id", "model_id", "api_key_id", "status_code", "message_id")

    class Meta:
        verbose_name = _("hourly failures")
        verbose_name_plural = _("hourly failures")


class UsageDailyFailures(BySource, ByModel, ByStatus, DailyRollup):
    """The failed ones among the daily sums: all less these is what succeeded."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "model_id", "status_code")

    class Meta:
        verbose_name = _("daily failures")
        verbose_name_plural = _("daily failures")


class UsageDailyFailuresByKey(ByKey, ByStatus, DailyRollup):
    """Where nothing but client keys is asked of them."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id", "status_code")

    class Meta:
        verbose_name = _("daily failures by key")
        verbose_name_plural = _("daily failures by key")


class UsageDailyFailuresByChannelModel(ByChannel, ByModel, ByStatus, DailyRollup):
    """Which models fail: of their accounts there are a thousand."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "model_id", "status_code")

    class Meta:
        verbose_name = _("daily failures by channel and model")
        verbose_name_plural = _("daily failures by channel and model")


class UsageDailyFailuresBySourceKeyModel(BySource, ByKey, ByModel, ByStatus, DailyRollup):
    """Whose accounts fail: two thirds of what hours with all are, and what those by channel are made of."""

    pk = models.CompositePrimaryKey("bucket", "source_id", "api_key_id", "model_id", "status_code")

    class Meta:
        verbose_name = _("daily failures by source, key and model")
        verbose_name_plural = _("daily failures by source, key and model")


class UsageDailyFailuresByKeyChannelModel(ByKey, ByChannel, ByModel, ByStatus, DailyRollup):
    """Which models of whom fail: half of what hours with all are, and no channel is looked up."""

    pk = models.CompositePrimaryKey("bucket", "api_key_id", "channel_id", "model_id", "status_code")

    class Meta:
        verbose_name = _("daily failures by key, channel and model")
        verbose_name_plural = _("daily failures by key, channel and model")


class UsageFailuresByChannel(ByChannel, ByStatus, HourlyRollup):
    """What a chart of failures needs."""

    pk = models.CompositePrimaryKey("bucket", "channel_id", "status_code")

    class Meta:
        verbose_name = _("hourly failures by channel")
        verbose_name_plural = _("hourly failures by channel")


class UsageDailyFailureKinds(ByStatus, DailyRollup):
    """The failed ones by what upstream said alone: of a long span, hours would be a hundred times as many."""

    message_id = models.IntegerField(_("message"), default=NO_MESSAGE)
    pk = models.CompositePrimaryKey("bucket", "status_code", "message_id")

    class Meta:
        verbose_name = _("daily failures by kind")
        verbose_name_plural = _("daily failures by kind")


class RollupState(models.Model):
    """One row: by which definition the sums were made, and since when there are records to prove them by."""

    version = models.PositiveIntegerField(default=0)
    # How much later than UTC the days begin, in microseconds.
    day_offset = models.BigIntegerField(default=0)
    # Records before this were pruned; their sums stay.
    records_since = InstantField(_("records since"), null=True)

    def __str__(self) -> str:
        return f"{self.version}"
