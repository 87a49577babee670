from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from usage import session

logger = logging.getLogger(__name__)


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = _("Usage")

    def ready(self) -> None:
        connection_created.connect(session.set_up)
        post_migrate.connect(_renew_rollup, sender=self)


def _renew_rollup(**_signal: Any) -> None:
    """Sums of an older definition are made anew as soon as their tables are new."""
    from usage.ingest import grains, peaks, rollup

    outdated = rollup.outdated()
    if outdated:
        logger.info("%s sums made of the records", rollup.rebuild(grains=outdated))
    if outdated == grains.GRAINS:
        peaks.forget()  # the housekeeping finds them anew: of days that may begin at another time
