"""Who used it and through what: channels, accounts, client keys, and what records show of them."""

from __future__ import annotations

import re
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from usage import privacy
from usage.accounting.resolver import unknown_channel
from usage.models.fields import InstantField
from usage.models.instance import Instance
from usage.models.slugs import free_slug


class Channel(models.Model):
    """A way upstream: an OAuth provider or a configured API provider.

    `name` is what pages call it; under which names servers list it, its ChannelNames say. Its colour and shape are given
    once and kept, whatever its rank (`ui.md` 8.2).
    """

    class Kind(models.TextChoices):
        OAUTH = "oauth", _("OAuth")
        API_KEY = "api_key", _("API key")

    class Shape(models.TextChoices):
        CIRCLE = "circle", _("Circle")
        SQUARE = "square", _("Square")
        TRIANGLE = "triangle", _("Triangle")
        DIAMOND = "diamond", _("Diamond")

    name = models.CharField(_("name"), max_length=300)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    slug = models.SlugField(_("slug"), max_length=100, unique=True, editable=False)
    color_slot = models.PositiveSmallIntegerField(
        _("colour"), default=1, validators=[MinValueValidator(1), MaxValueValidator(8)]
    )
    shape = models.CharField(_("shape"), max_length=10, choices=Shape, default=Shape.CIRCLE)
    # Where channels stand in no other order; alike: by name.
    position = models.PositiveIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["position", "name", "id"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.slug:
            super().save(*args, **kwargs)
            return
        address = self.name.partition("://")[2] or self.name
        stem = slugify(re.sub(r"[./:]", "-", address)) or "channel"
        self.slug = free_slug(Channel, stem)
        self.color_slot, self.shape = self._marker()
        self.position = self.position or self._last_position()
        super().save(*args, **kwargs)
        ChannelName.objects.get_or_create(kind=self.kind, name=self.name, defaults={"channel": self})

    @staticmethod
    def _last_position() -> int:
        """Behind all others, once somebody has put them in an order."""
        last: int = Channel.objects.aggregate(last=models.Max("position"))["last"] or 0
        return last and last + 1

    def _marker(self) -> tuple[int, str]:
        if self.kind == self.Kind.OAUTH and (preset := _PRESET_MARKERS.get(self.name)):
            return preset
        used = list(Channel.objects.values_list("color_slot", "shape"))
        slots = [slot for slot, _shape in used]
        pairs = [(slot, shape) for shape in self.Shape.values for slot in range(1, 9)]
        # Another colour tells more than another shape.
        return min(pairs, key=lambda pair: (slots.count(pair[0]), used.count(pair)))


class ChannelName(models.Model):
    """A name under which servers list the accounts of a channel.

    A channel begins with one; those of channels that were merged into it come to it, so that their accounts stay there.
    """

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="listed_names", verbose_name=_("channel"))
    kind = models.CharField(_("kind"), max_length=10, choices=Channel.Kind)
    name = models.CharField(_("name"), max_length=300)
    # Of the channel that had this name and was merged: addresses that ask for it go on to mean something.
    former_slug = models.SlugField(_("former slug"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("listed name")
        verbose_name_plural = _("listed names")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="channel_name_identity")]

    def __str__(self) -> str:
        return self.name


_PRESET_MARKERS: dict[str, tuple[int, str]] = {
    "claude": (2, "circle"),
    "codex": (3, "square"),
    "gemini": (1, "triangle"),
    "gemini-cli": (1, "triangle"),
    "aistudio": (1, "triangle"),
    "vertex": (8, "diamond"),
    "antigravity": (6, "diamond"),
    "xai": (8, "square"),
    "kimi": (4, "triangle"),
    "qwen": (7, "circle"),
    "iflow": (7, "triangle"),
}


class Account(models.Model):
    """One credential in a channel: an OAuth login or one upstream API key, listed by its server now or once."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DISABLED = "disabled", _("Disabled")
        COOLING = "cooling", _("Cooling down")
        REMOVED = "removed", _("Removed")

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="accounts", verbose_name=_("channel"))
    instance = models.ForeignKey(Instance, models.PROTECT, related_name="accounts", verbose_name=_("CPA server"))
    label = models.CharField(_("name"), max_length=300)
    # What the operator calls it instead.
    alias = models.CharField(_("alias"), max_length=100, blank=True)
    # Tells two accounts of one e-mail apart: the plan, the project, or the file.
    qualifier = models.CharField(_("told apart by"), max_length=300, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE)
    retry_at = InstantField(_("cooling down until"), null=True, blank=True)
    # What its server tells besides, where it does: the subscription, how early it is chosen, and the operator's words.
    plan = models.CharField(_("plan"), max_length=100, blank=True)
    priority = models.IntegerField(_("priority"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)

    # What identifies it upstream (contract G, H).
    listed_in = models.CharField(_("listed in"), max_length=40)
    provider = models.CharField(_("provider"), max_length=100)
    auth_index = models.CharField(_("auth index"), max_length=64, blank=True)
    file_name = models.CharField(_("file"), max_length=300, blank=True)
    email = models.CharField(_("e-mail"), max_length=300, blank=True)
    project = models.CharField(_("project"), max_length=300, blank=True)
    base_url = models.CharField(_("base URL"), max_length=300, blank=True)
    key_digest = models.BinaryField(max_length=16, blank=True, default=b"", editable=False)
    key_mask = models.CharField(_("key"), max_length=20, blank=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["channel", "label"]

    def __str__(self) -> str:
        return self.name_of(self.pk, self.alias, self.label, self.qualifier, self.provider)

    # Where there are thousands, a name is made without their objects, of these columns.
    NAMED_BY = ("pk", "alias", "label", "qualifier", "provider")

    @classmethod
    def name_of(cls, pk: int, alias: str, label: str, qualifier: str, provider: str) -> str:
        return privacy.alias(alias or cls.listed_name_of(label, qualifier), provider, pk)

    @staticmethod
    def listed_name_of(label: str, qualifier: str) -> str:
        return f"{label} ({qualifier})" if qualifier else label

    @property
    def listed_name(self) -> str:
        """What its server calls it."""
        return self.listed_name_of(self.label, self.qualifier)


class Source(models.Model):
    """What records show of the credential that answered, and the account that this means as far as we know.

    Records point here and not to accounts, so that a name learned later names all of the past by changing one row. Four bytes
    tell them apart, which each record and each sum repeats.
    """

    class Match(models.TextChoices):
        AUTH_INDEX = "auth_index", _("By auth index")
        SOURCE = "source", _("By source")
        BY_HAND = "by_hand", _("By hand")
        UNKNOWN = "unknown", _("Unknown")

    id = models.AutoField(primary_key=True)
    instance = models.ForeignKey(Instance, models.PROTECT, related_name="sources", verbose_name=_("CPA server"))
    provider = models.CharField(_("provider"), max_length=100, blank=True)
    auth_index = models.CharField(_("auth index"), max_length=300, blank=True)
    # Empty when the record shows no source, or only the client's own key (contract H).
    source_digest = models.BinaryField(max_length=16, default=b"", editable=False)
    auth_type = models.CharField(_("kind of login"), max_length=20, blank=True)
    label = models.CharField(_("source"), max_length=300, blank=True)

    match = models.CharField(_("match"), max_length=10, choices=Match, default=Match.UNKNOWN)
    # With a channel but no account: several of its accounts fit.
    channel = models.ForeignKey(Channel, models.PROTECT, null=True, blank=True, verbose_name=_("channel"))
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="sources", verbose_name=_("account")
    )
    # In the peaks of which channel (0: the unknown one) its records are; None: in none yet (usage/ingest/peaks.py).
    peaks_channel_id = models.IntegerField(null=True, editable=False)
    # The same of the sums by channel (usage/ingest/placing.py).
    sums_channel_id = models.IntegerField(null=True, editable=False)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "provider", "auth_index", "source_digest"], name="source_identity"
            )
        ]

    def __str__(self) -> str:
        provider = self.provider and unknown_channel(self.provider)
        name = " · ".join(part for part in (provider, self.label, self.auth_index) if part) or "—"
        return privacy.alias(name, provider or "?", self.pk)

    @property
    def name(self) -> str:
        """What tells it from the others of its channel."""
        return privacy.alias(self.label, self.provider or "?", self.pk) if self.label else str(self)

    @property
    def known_channel(self) -> Channel | None:
        """The account's channel, or the one that is sure although the account is not; None is the unknown channel."""
        return self.account.channel if self.account else self.channel

    @property
    def known_channel_id(self) -> int | None:
        return self.account.channel_id if self.account else self.channel_id


# What all are called in privacy mode.
_KEY = _("Key")


class ApiKey(models.Model):
    """A client's key, known by its digest and shown by its mask or the name that the operator gave it."""

    id = models.AutoField(primary_key=True)
    key_digest = models.BinaryField(max_length=16, unique=True, editable=False)
    key_mask = models.CharField(_("key"), max_length=20)
    alias = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return privacy.alias(self.alias or self.key_mask, _KEY, self.pk)
