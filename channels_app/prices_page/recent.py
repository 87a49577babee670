"""What was used in the last 30 days, by model: what prices are for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from channels_app.stats import EVERYTHING, Conditions, Span, Usage, breakdown
from usage.models import ModelName
from usage.models.fields import to_micros

DAYS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Recent:
    """`models` are those that had requests, by name."""

    span: Span
    models: dict[str, Usage]

    @property
    def requests(self) -> int:
        return sum(usage.requests for usage in self.models.values())


def recent(now: datetime, conditions: Conditions = EVERYTHING) -> Recent:
    return used(now - DAYS, now, conditions)


def used(since: datetime, until: datetime, conditions: Conditions = EVERYTHING) -> Recent:
    span = Span(to_micros(since), to_micros(until))
    groups = breakdown(span, conditions, ["model"])
    names = dict(ModelName.objects.filter(pk__in=[pk for (pk,) in groups]).values_list("pk", "name"))
    named = ((names[pk], usage) for (pk,), usage in groups.items() if pk in names)
    return Recent(span, dict(sorted(named, key=lambda item: item[0])))
