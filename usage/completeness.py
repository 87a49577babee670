"""How complete the books of the servers are (metric M31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, QuerySet, Sum

from usage.models import CollectionGap, Instance, Reconciliation


@dataclass(frozen=True, slots=True)
class Completeness:
    """Since when CPA's counters are compared, and how many requests they counted, are booked and are missing.

    `estimated` are missing too: those that went with a restart of CPA, whose counters ended with it.
    """

    since: datetime
    counted: int
    booked: int
    missing: int
    estimated: int

    @property
    def share(self) -> float | None:
        """Share of what there was that is booked, 0 to 1; None where there was nothing."""
        return self._of(self.booked + self.missing + self.estimated)

    @property
    def share_of_counted(self) -> float | None:
        """The same without what went with restarts: less than all tells of another reader."""
        return self._of(self.booked + self.missing)

    def _of(self, there_was: int) -> float | None:
        return self.booked / there_was if there_was else None


def completeness(instances: Iterable[Instance] | QuerySet[Instance]) -> dict[int, Completeness]:
    """Return what is known of those of `instances` that have counters, by id."""
    rows = Reconciliation.objects.filter(account__instance__in=instances).values_list("account__instance")
    compared = rows.annotate(Min("since"), Sum("counted"), Sum("booked"), Sum("missing")).order_by()
    begun = {pk: since for pk, since, *_sums in compared}
    estimated: Counter[int] = Counter()
    gaps = CollectionGap.objects.filter(instance__in=begun, is_measured=False, lost__gt=0)
    for pk, until, lost in gaps.values_list("instance", "until", "lost"):
        if lost and until > begun[pk]:
            estimated[pk] += lost
    return {
        pk: Completeness(since, counted, booked, missing, estimated[pk])
        for pk, since, counted, booked, missing in compared
    }
