"""The multipliers of accounts and channels as CSV."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from usage.models import PriceMultiplier
from usage.prices.csv_file import Table
from usage.prices.csv_import import Importer, LineForm
from usage.prices.multiplier_form import MultiplierForm


class _MultiplierLine(LineForm, MultiplierForm):
    def _post_clean(self) -> None:
        """Whoever names an owner that is not there has chosen one."""
        if not {"channel", "account"} & self.errors.keys():
            super()._post_clean()  # type: ignore[misc]


MULTIPLIERS = Importer(
    Table(("channel", "account", "effective_from", "factor"), required=("factor",)),
    _MultiplierLine,
    PriceMultiplier.objects.select_related("channel", "account__channel"),
    values=("factor",),
    written=("updated_at",),
    beside="effective_from",
    twice=_("line %(line)s has a multiplier for it from this moment on already"),
)
