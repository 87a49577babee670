"""What tokens cost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from usage.accounting.hours import Hours
from usage.accounting.pricing import Price
from usage.models.fields import (
    EPOCH,
    ExactDecimalField,
    FactorField,
    InstantField,
    UsdField,
    UsdPerMillionField,
    from_micros,
    time_from_micros,
    time_to_micros,
    to_micros,
)
from usage.models.identity import Account, Channel

# Which requests, and from when on. Only owners may be NULL, which would not be equal to itself.
_OWNERS = ("account", "channel")
_IDENTITY = (
    "pattern", *_OWNERS, "provider", "service_tier", "daily_from", "daily_until", "above_input_tokens", "effective_from",
)  # fmt: skip


class ModelPrice(models.Model):
    """Prices of a model, or of all models that a pattern with `*` fits, under conditions; USD per 1M tokens.

    Of several that fit a request the PriceBook says which counts.
    """

    class Origin(models.TextChoices):
        MANUAL = "manual", _("Manual")
        CATALOG = "genai-prices", "genai-prices"
        MODELS_DEV = "models.dev", "models.dev"
        LITELLM = "litellm", "LiteLLM"

    LISTS = (Origin.MODELS_DEV, Origin.LITELLM)

    id = models.AutoField(primary_key=True)
    pattern = models.CharField(
        _("model or pattern"), max_length=300, help_text=_("A model's name, or a pattern such as claude-opus-*")
    )
    provider = models.CharField(
        _("provider"), max_length=100, blank=True, help_text=_("As CPA calls it, such as codex. Empty: any")
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("channel"),
        help_text=_("Empty: any"),
    )  # fmt: skip
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account"),
        help_text=_("Empty: any"),
    )  # fmt: skip
    service_tier = models.CharField(
        _("service tier"), max_length=40, blank=True,
        help_text=_("Such as priority: the one billed, else the one asked for. Empty: any"),
    )  # fmt: skip
    daily_from = models.TimeField(
        _("daily from"), default=time.min, blank=True, help_text=_("UTC, such as 16:30. Empty: midnight")
    )
    daily_until = models.TimeField(
        _("daily until"), default=time.min, blank=True,
        help_text=_("UTC; may be after midnight: 16:30 to 00:30. Both empty: all day"),
    )  # fmt: skip
    above_input_tokens = models.PositiveBigIntegerField(
        _("above input tokens"), default=0, blank=True,
        help_text=_("For requests with more input than this, cached included: all of their tokens. 0: any"),
    )  # fmt: skip
    effective_from = InstantField(
        _("effective from"), default=EPOCH, help_text=_("1970-01-01: since ever. Times are UTC.")
    )
    input = UsdPerMillionField(_("input"))
    cached_input = UsdPerMillionField(_("cached input"), null=True, blank=True, help_text=_("Empty: as input"))
    cache_write = UsdPerMillionField(_("cache write"), null=True, blank=True, help_text=_("Empty: as input"))
    output = UsdPerMillionField(_("output"))
    reasoning = UsdPerMillionField(_("reasoning"), null=True, blank=True, help_text=_("Empty: as output"))
    per_request = UsdField(
        _("per request"), default=Decimal(0), blank=True, help_text=_("USD for each request, beside its tokens")
    )
    multiplier = FactorField(
        _("multiplier"), default=Decimal(1), blank=True,
        help_text=_("Of the prices of tokens: 0.3 for an account bought at 0.3 of the list price"),
    )  # fmt: skip
    origin = models.CharField(_("origin"), max_length=20, choices=Origin, default=Origin.MANUAL, editable=False)
    catalog_name = models.CharField(_("name in the catalog"), max_length=300, blank=True, editable=False)
    locked = models.BooleanField(_("locked"), default=True, help_text=_("No source changes what this model costs."))
    updated_at = InstantField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("model price")
        verbose_name_plural = _("model prices")
        ordering = [models.F(name).asc(nulls_first=True) if name in _OWNERS else name for name in _IDENTITY]
        constraints = [
            models.UniqueConstraint(
                *(Coalesce(name, 0) if name in _OWNERS else models.F(name) for name in _IDENTITY),
                name="price_identity",
                violation_error_message=_(
                    "There is a price for this model under these conditions from this moment on already."
                ),
            )
        ]

    def __str__(self) -> str:
        above = f"> {self.above_input_tokens:,}" if self.above_input_tokens else ""
        whose = (str(self.account or ""), str(self.channel or ""), self.provider)
        words = (self.pattern, *whose, self.service_tier, str(self.hours), above)
        return " · ".join(word for word in words if word)

    @property
    def hours(self) -> Hours:
        return Hours(time_to_micros(self.daily_from), time_to_micros(self.daily_until))

    def clean(self) -> None:
        """Raises ValidationError for conditions that say nothing, or something else than they seem to."""
        if self.channel_id is not None and self.account_id is not None:
            raise ValidationError(
                {"account": gettext("An account is of one channel: choose the channel or the account.")}
            )
        if self.daily_from == self.daily_until != time.min:
            text = gettext("From %(clock)s until %(clock)s is no time of day; leave both empty for all day.")
            raise ValidationError({"daily_until": text % {"clock": f"{self.daily_from:%H:%M}"}})

    @property
    def identity(self) -> tuple[Any, ...]:
        """What no other row has: its conditions, and from when on it holds."""
        return tuple(getattr(self, f"{name}_id" if name in _OWNERS else name) for name in _IDENTITY)

    @classmethod
    def of(cls, price: Price, **others: Any) -> ModelPrice:
        """Return a new row that says what `price` says."""
        values = {name: _from_units(name, getattr(price, name)) for name in _SHARED}
        values["effective_from"] = from_micros(price.effective_from)
        return cls(**values, **others)

    def note_edit(self, columns: Collection[str]) -> None:
        """A person changed these columns: whatever a source said, it is their price now, unless they only (un)locked it."""
        if set(columns) - {"locked"}:
            self.origin, self.locked = self.Origin.MANUAL, True
        self.updated_at = timezone.now()

    @property
    def price(self) -> Price:
        """What this row says, in integers."""
        values = {name: _to_units(name, getattr(self, name)) for name in _SHARED}
        return Price(effective_from=to_micros(self.effective_from), id=self.pk, **values)


_SHARED = (
    "pattern", "account_id", "channel_id", "provider", "service_tier", "daily_from", "daily_until", "above_input_tokens",
    "input", "output", "cached_input", "cache_write", "reasoning", "per_request", "multiplier",
)  # fmt: skip


def _to_units(name: str, value: Any) -> Any:
    if isinstance(value, time):
        return time_to_micros(value)
    field = ModelPrice._meta.get_field(name)
    return field.get_prep_value(value) if isinstance(field, ExactDecimalField) else value


def _from_units(name: str, value: Any) -> Any:
    field = ModelPrice._meta.get_field(name)
    if isinstance(field, models.TimeField):
        return time_from_micros(value)
    return field.from_db_value(value) if isinstance(field, ExactDecimalField) else value
