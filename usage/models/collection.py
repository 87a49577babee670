"""How collection goes: what came in, what is missing and why, who collects, and what the housekeeping did."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.identity import Account
from usage.models.instance import Instance


class CollectionState(models.Model):
    """What was booked of one server; written in the transaction that books, so that it equals the ledger."""

    instance = models.OneToOneField(
        Instance, models.CASCADE, primary_key=True, related_name="collection", verbose_name=_("CPA server")
    )
    booked = models.BigIntegerField(_("records booked"), default=0)
    duplicates = models.BigIntegerField(_("duplicates dropped"), default=0)
    quarantined = models.BigIntegerField(_("payloads quarantined"), default=0)
    last_received_at = InstantField(_("last answer booked"), null=True)
    last_requested_at = InstantField(_("last record"), null=True)
    # Details in the last whole legacy snapshot: fewer than before means that the server was restarted (contract K).
    snapshot_details = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("collection state")
        verbose_name_plural = _("collection states")

    def __str__(self) -> str:
        return str(self.instance)


class CollectionGap(models.Model):
    """A time in which records of a server may be missing, and about how many."""

    class Cause(models.TextChoices):
        AWAY = "away", _("We were away longer than CPA keeps records")
        RESTARTED = "restarted", _("CPA was restarted and forgot what it held")
        DROPPED = "dropped", _("CPA dropped the subscription because it was read too slowly")
        ANSWER_LOST = "answer_lost", _("An answer was lost on its way")
        KILLED = "killed", _("The collector died while an answer was on its way")
        SECOND_READER = "second_reader", _("Another program seems to read the same queue")
        STATISTICS_OFF = "statistics_off", _("Usage statistics were off in CPA")

    instance = models.ForeignKey(Instance, models.CASCADE, related_name="gaps", verbose_name=_("CPA server"))
    since = InstantField(_("from"))
    until = InstantField(_("to"))
    cause = models.CharField(_("cause"), max_length=20, choices=Cause)
    # Null: nobody knows.
    lost = models.BigIntegerField(_("records lost (estimate)"), null=True)
    # Whether `lost` is the difference to CPA's own counters, and no estimate from the rate before.
    is_measured = models.BooleanField(_("measured"), default=False)
    acknowledged_at = InstantField(_("acknowledged"), null=True, blank=True)

    class Meta:
        verbose_name = _("collection gap")
        verbose_name_plural = _("collection gaps")
        ordering = ["-since", "-id"]
        indexes = [models.Index(fields=["until"], name="gap_until")]
        # A note of the spool may be read twice.
        constraints = [models.UniqueConstraint(fields=["instance", "cause", "since"], name="gap_identity")]

    def __str__(self) -> str:
        return f"{self.instance} {self.since:%Y-%m-%d %H:%M:%S}"

    @property
    def length(self) -> timedelta:
        return self.until - self.since  # type: ignore[no-any-return]


class Reconciliation(models.Model):
    """CPA's own count of an account's attempts beside ours: what it counted and we did not book is missing."""

    account = models.OneToOneField(
        Account, models.CASCADE, primary_key=True, related_name="reconciliation", verbose_name=_("account")
    )
    since = InstantField(_("since"))
    checked_at = InstantField(_("compared"))
    counted = models.BigIntegerField(_("counted by CPA"), default=0)
    booked = models.BigIntegerField(_("booked"), default=0)
    # Attempts that CPA counted and that never reached us, in a time in which something went wrong.
    missing = models.BigIntegerField(_("missing"), default=0)
    # The same when nothing did: CPA counts some calls that it does not record, such as the counting of tokens.
    unrecorded = models.BigIntegerField(_("counted, but never recorded"), default=0)
    # CPA's counter when it was last read: a lower one means that the server was restarted.
    counter = models.BigIntegerField()
    # Our sum at that time, over the days from `day` (its first microsecond, UTC) on: older ones no longer change.
    sum_booked = models.BigIntegerField()
    day = InstantField()
    # The most that counter minus sum can be if nothing is lost from now on.
    ceiling = models.BigIntegerField()

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")

    def __str__(self) -> str:
        return str(self.account)

    @property
    def completeness(self) -> float | None:
        """Share of what there was that is booked, 0 to 1; None where there was nothing."""
        there_was = self.booked + self.missing
        return self.booked / there_was if there_was else None


class CollectorProcess(models.Model):
    """A process that collects, or stands by; its row says when it last was alive."""

    class Role(models.TextChoices):
        LEADING = "leading", _("Collecting")
        STANDBY = "standby", _("Standing by")

    name = models.CharField(_("process"), max_length=200, unique=True)
    role = models.CharField(_("role"), max_length=10, choices=Role)
    started_at = InstantField(_("started"))
    seen_at = InstantField(_("last seen"))

    class Meta:
        verbose_name = _("collector")
        verbose_name_plural = _("collectors")

    def __str__(self) -> str:
        return self.name


class CollectorEvent(models.Model):
    """Something that happened to a server's collection: a new state, a lost connection, a new leader."""

    class Level(models.TextChoices):
        OK = "ok", _("OK")
        INFO = "info", _("Info")
        WARN = "warn", _("Warning")
        FAIL = "fail", _("Failure")

    instance = models.ForeignKey(
        Instance, models.CASCADE, null=True, blank=True, related_name="events", verbose_name=_("CPA server")
    )
    at = InstantField(_("time"), db_index=True)
    level = models.CharField(_("level"), max_length=10, choices=Level)
    # A message of our catalogue and its parameters: each reader gets it in the own language.
    message = models.TextField()
    params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("collector event")
        verbose_name_plural = _("collector events")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        text = gettext(self.message)
        return text % self.params if self.params else text


class JobRun(models.Model):
    """One run of a job of the housekeeping, with its outcome."""

    class Outcome(models.TextChoices):
        RUNNING = "running", _("Running")
        OK = "ok", _("Done")
        FAILED = "failed", _("Failed")

    class Driver(models.TextChoices):
        COLLECTOR = "collector", _("Collector")
        CRON = "cron", _("Cron")
        COMMAND = "command", _("Command")

    job = models.CharField(_("job"), max_length=40)
    driver = models.CharField(_("started by"), max_length=10, choices=Driver)
    started_at = InstantField(_("started"))
    finished_at = InstantField(_("finished"), null=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, default=Outcome.RUNNING)
    # A message of our catalogue and its parameters: each reader gets it in the own language.
    result = models.TextField(_("result"), blank=True)
    params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["job", "-started_at"], name="job_latest")]

    def __str__(self) -> str:
        return f"{self.job} {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def text(self) -> str:
        """What came of it."""
        text = gettext(self.result) if self.result else ""
        return text % self.params if self.params else text

    @property
    def duration(self) -> timedelta | None:
        return None if self.finished_at is None else self.finished_at - self.started_at
