"""What the operator says of the whole site on the Settings page."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.models.fields import RateField


class SiteSettings(models.Model):
    """The only row. What is empty is as it is without it; what the environment says comes first (channels_app/site.py)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    site_name = models.CharField(_("site name"), max_length=60, blank=True)
    # USD or CNY; a rate and its day belong to CNY.
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    cny_per_usd = RateField(_("yuan per US dollar"), null=True, blank=True)
    rate_date = models.DateField(_("day of the rate"), null=True, blank=True)
    # As Python counts weekdays: Monday is 0.
    week_start = models.PositiveSmallIntegerField(
        _("first day of the week"), choices=[(0, _("Monday")), (6, _("Sunday")), (5, _("Saturday"))], default=0
    )
    # How many of the largest a chart shows by themselves.
    top_series = models.PositiveSmallIntegerField(
        _("series of a chart"), choices=[(number, str(number)) for number in range(5, 9)], default=7
    )
    # 0: for ever. None: as the environment says.
    records_kept_days = models.PositiveIntegerField(
        _("records kept, days"), null=True, blank=True, validators=[MaxValueValidator(36_500)]
    )

    class Meta:
        verbose_name = _("site settings")
        verbose_name_plural = _("site settings")

    def __str__(self) -> str:
        return self.site_name
