"""The CPA servers that we read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from usage.models.fields import InstantField
from usage.models.slugs import free_slug
from usage.secrets import decrypt, encrypt


def _validate_base_url(text: str) -> None:
    """Django's URLValidator wants a dot in each name, which the service names of containers have not."""
    try:
        address = urlsplit(text)
        is_valid = address.scheme in ("http", "https") and address.hostname and (address.port or 1) and " " not in text
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValidationError(_("Enter an address such as http://127.0.0.1:8317 or https://cpa.example."))


class Instance(models.Model):
    """One CPA server, how to reach it, and what the last look at it found."""

    class Source(models.TextChoices):
        """Where this server's records come from (contract section 0)."""

        UNKNOWN = "", _("Not probed yet")
        QUEUE = "queue", _("Usage queue")
        LEGACY = "legacy", _("Usage snapshot")
        RESP = "resp", _("RESP only")

    class Mode(models.TextChoices):
        """How the operator wants its records taken."""

        AUTO = "auto", _("Automatic")
        SUBSCRIBE = "subscribe", _("Subscription")
        QUEUE = "queue", _("Usage queue")
        LEGACY = "legacy", _("Usage snapshot")

    class Way(models.TextChoices):
        """How its records are taken now."""

        NONE = "", _("Not at all")
        SUBSCRIPTION = "subscription", _("Subscription (RESP)")
        HTTP_QUEUE = "http_queue", _("Usage queue (HTTP)")
        RESP_QUEUE = "resp_queue", _("Usage queue (RESP)")
        SNAPSHOT = "snapshot", _("Usage snapshot (HTTP)")

    class State(models.TextChoices):
        NEW = "new", _("Not asked yet")
        OK = "ok", _("Collecting")
        STATISTICS_OFF = "statistics_off", _("Usage statistics are off")
        KEY_REJECTED = "key_rejected", _("Management key rejected")
        BANNED = "banned", _("Banned by CPA")
        REMOTE_OFF = "remote_off", _("Remote management is off")
        MANAGEMENT_OFF = "management_off", _("Management is off")
        UNSUPPORTED = "unsupported", _("No way to collect")
        UNREACHABLE = "unreachable", _("Unreachable")
        FAULTY = "faulty", _("Faulty answers")
        DISK_FULL = "disk_full", _("Disk full")

    name = models.CharField(_("name"), max_length=100, unique=True)
    slug = models.SlugField(_("slug"), max_length=100, unique=True, editable=False)
    base_url = models.CharField(
        _("URL"), max_length=300, unique=True, validators=[_validate_base_url],
        help_text=_("Where CPA listens, such as http://127.0.0.1:8317"),
    )  # fmt: skip
    encrypted_key = models.TextField(editable=False)
    verify_tls = models.BooleanField(_("check the TLS certificate"), default=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    mode = models.CharField(
        _("collection mode"), max_length=10, choices=Mode, default=Mode.AUTO,
        help_text=_("A subscription shows records within a second, but takes them from every other reader of the queue."),
    )  # fmt: skip

    source = models.CharField(
        _("records from"), max_length=10, choices=Source, default=Source.UNKNOWN, blank=True, editable=False
    )
    version = models.CharField(_("CPA version"), max_length=40, blank=True, editable=False)
    statistics_enabled = models.BooleanField(_("usage statistics are on"), null=True, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.NEW, editable=False)
    # A message of our catalogue and its parameters: each reader gets it in the own language.
    reason = models.TextField(blank=True, editable=False)
    reason_params = models.JSONField(default=dict, editable=False)
    state_since = InstantField(_("state since"), null=True, editable=False)
    retry_at = InstantField(_("not to be asked before"), null=True, editable=False)
    names_at = InstantField(_("names fetched"), null=True, editable=False)
    # How often people have changed what its sources mean: what collectors know of them is old then.
    meanings_changed = models.PositiveIntegerField(default=0, editable=False)
    # The end of the last successful poll; of a subscription, the last message or pong.
    synced_at = InstantField(_("last synced"), null=True, editable=False)
    way = models.CharField(_("taken by"), max_length=20, choices=Way, default=Way.NONE, blank=True, editable=False)
    retention_seconds = models.PositiveIntegerField(_("CPA keeps records (s)"), null=True, editable=False)
    # CPA's clock minus ours, by the Date of its answers: whole seconds.
    clock_offset_seconds = models.IntegerField(_("clock offset (s)"), null=True, editable=False)
    # How many polls in a row brought as many records as were asked for.
    full_polls = models.PositiveIntegerField(default=0, editable=False)
    # The last polls, newest last: o brought records, e none, x an error, l came late.
    polls = models.CharField(max_length=90, blank=True, editable=False)
    # Digest of the key that CPA refused: it is not sent a second time, since five refusals ban this machine for half
    # an hour (contract A).
    rejected_key = models.BinaryField(null=True, editable=False)

    class Meta:
        verbose_name = _("CPA server")
        verbose_name_plural = _("CPA servers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.base_url = self.base_url.rstrip("/")
        self.slug = self.slug or free_slug(Instance, slugify(self.name) or "server")
        super().save(*args, **kwargs)

    @property
    def management_key(self) -> str:
        """CPA's `remote-management.secret-key`, encrypted in the database. Raises UnreadableSecret."""
        return decrypt(self.encrypted_key)

    @management_key.setter
    def management_key(self, key: str) -> None:
        self.encrypted_key = encrypt(key)
        self.rejected_key = None  # entered again, it may be right by now

    @property
    def state_text(self) -> str:
        """Why it is in this state and what to do, in the reader's language; empty when all is well."""
        text = gettext(self.reason) if self.reason else ""
        return text % self.reason_params if self.reason_params else text

    def enter(self, state: State, **facts: Any) -> None:
        """Record `state` and other `facts`, touching no column that an operator may be editing meanwhile."""
        facts = {"state": state, "reason": "", "reason_params": {}, "retry_at": None} | facts
        if state != self.state:
            facts["state_since"] = timezone.now()
            self._note_event(state, facts["reason"], facts["reason_params"])
        for name, value in facts.items():
            setattr(self, name, value)
        Instance.objects.filter(pk=self.pk).update(**facts)

    def _note_event(self, state: State, reason: str, params: dict[str, Any]) -> None:
        with override("en"):  # the catalogue's own words, which each reader gets translated
            message = reason or str(self.State(state).label)
        level = "ok" if state == self.State.OK else "fail"
        self.events.create(at=timezone.now(), level=level, message=message, params=params)  # type: ignore[misc]
