"""What the catalogue looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Count, F, QuerySet

from usage.completeness import Completeness, completeness
from usage.freshness import Pulse, pulse
from usage.ingest.grains import DAILY
from usage.models import CollectionGap, CollectorProcess, Instance, UsageDaily, UsageDailyByModel
from usage.models.fields import to_micros
from usage.storage import Backlog, spool_backlog

# What is older is history: the Collector page lists it, no banner tells it.
RECENT = timedelta(days=7)


class Survey:
    """Each part is read once, and only when it is asked for."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def instances(self) -> Sequence[Instance]:
        """The enabled servers."""
        return list(Instance.objects.filter(enabled=True).select_related("collection"))

    @cached_property
    def processes(self) -> list[CollectorProcess]:
        """Who leads comes first."""
        return list(CollectorProcess.objects.order_by("role", "-seen_at"))

    @cached_property
    def pulse(self) -> Pulse:
        return pulse(self.instances, self.processes, self.now)

    @cached_property
    def gaps(self) -> dict[int, list[CollectionGap]]:
        """The recent ones that nobody has acknowledged, by server, newest first."""
        found = defaultdict(list)
        for gap in CollectionGap.objects.filter(acknowledged_at=None, until__gte=self.now - RECENT):
            found[gap.instance_id].append(gap)
        return found

    @cached_property
    def completeness(self) -> dict[int, Completeness]:
        """How much of what there was is booked (metric M31), by server."""
        return completeness(Instance.objects.all())

    @cached_property
    def backlog(self) -> Backlog:
        return spool_backlog()

    @cached_property
    def unpriced_models(self) -> int:
        """How many models had requests without a price lately."""
        days = UsageDailyByModel.objects.filter(bucket__gte=self._first_recent_day, priced_requests__lt=F("requests"))
        found: int = days.aggregate(models=Count("model", distinct=True))["models"]
        return found

    @property
    def recent_days(self) -> QuerySet[UsageDaily]:
        return UsageDaily.objects.filter(bucket__gte=self._first_recent_day)

    @property
    def _first_recent_day(self) -> int:
        return DAILY.start_of(to_micros(self.now - RECENT))
