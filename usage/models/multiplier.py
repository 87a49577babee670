"""What a bought account or a resold channel costs of the list price."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from usage.accounting.multipliers import Multiplier
from usage.models.fields import EPOCH, FactorField, InstantField, to_micros
from usage.models.identity import Account, Channel


class PriceMultiplier(models.Model):
    """A factor on the prices of tokens of one channel or one account, from a moment on; 1 ends another."""

    id = models.AutoField(primary_key=True)
    channel = models.ForeignKey(
        Channel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("channel"),
        help_text=_("All of its accounts but those with a multiplier of their own"),
    )  # fmt: skip
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account"),
        help_text=_("Instead of a channel"),
    )  # fmt: skip
    factor = FactorField(
        _("multiplier"), help_text=_("0.3 for an account bought at 0.3 of the list price; 1 ends another")
    )
    effective_from = InstantField(
        _("effective from"), default=EPOCH, help_text=_("1970-01-01: since ever. Times are UTC.")
    )
    updated_at = InstantField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("price multiplier")
        verbose_name_plural = _("price multipliers")
        ordering = ["effective_from", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(channel=None, account__isnull=False) | models.Q(channel__isnull=False, account=None),
                name="multiplier_of_one",
            ),
            *(
                models.UniqueConstraint(
                    fields=[name, "effective_from"], name=f"multiplier_of_{name}",
                    violation_error_message=_("There is a multiplier for it from this moment on already."),
                )
                for name in ("channel", "account")
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.owner} × {self.factor.normalize():f}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.updated_at = timezone.now()
        super().save(*args, **kwargs)

    @property
    def owner(self) -> str:
        """The channel, or the account with its channel."""
        return f"{self.account.channel} · {self.account}" if self.account else str(self.channel)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What no other row has."""
        return self.channel_id, self.account_id, self.effective_from

    def note_edit(self, columns: Collection[str]) -> None:
        """A person changed these columns."""
        self.updated_at = timezone.now()

    def clean(self) -> None:
        """Raises ValidationError unless it is for one channel or one account."""
        if self.channel_id is None and self.account_id is None:
            raise ValidationError({"channel": gettext("Choose a channel or an account.")})
        if self.channel_id is not None and self.account_id is not None:
            raise ValidationError(
                {"account": gettext("An account is of one channel: choose the channel or the account.")}
            )

    @property
    def multiplier(self) -> Multiplier:
        """What this row says, in integers."""
        return Multiplier(
            FactorField().to_units(self.factor),
            self.channel_id,
            self.account_id,
            to_micros(self.effective_from),
            self.pk,
        )
