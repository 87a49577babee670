from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = _("Usage")

    def ready(self) -> None:
        post_migrate.connect(_renew_rollup, sender=self)


def _renew_rollup(**_signal: Any) -> None:
    """Sums of an older definition are made anew as soon as their tables are new."""
    from usage.ingest import peaks, rollup

    if rollup.is_outdated():
        have_days_moved = rollup.have_days_moved()
        logger.info("%s sums made of the records", rollup.rebuild())
        if have_days_moved:
            peaks.forget()  # the housekeeping finds them anew
