"""About how many records were lost in a gap, where nothing better is known: as many as came before it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min, Sum

from usage.models import CollectionGap, UsageHourlyBySource, UsageRecord

# What came shortly before the gap, or reaches us only now, is booked by then.
_SETTLED = timedelta(minutes=10)
_BEFORE = timedelta(days=1)


def estimate_losses(now: datetime) -> int:
    """Estimate the loss of gaps that have none, and ended a while ago; return how many were estimated."""
    unknown = CollectionGap.objects.filter(lost=None, is_measured=False, until__lt=now - _SETTLED)
    return sum(map(_estimate, unknown))


def _estimate(gap: CollectionGap) -> bool:
    """Take the rate of the day before; without a record in it nobody knows. Return whether there was one."""
    until = gap.since.replace(minute=0, second=0, microsecond=0)
    before = UsageHourlyBySource.objects.filter(
        source__instance=gap.instance_id, bucket__gte=until - _BEFORE, bucket__lt=until
    ).aggregate(first=Min("bucket"), requests=Sum("requests"))
    if not before["requests"]:
        return False
    # What waited in the queue meanwhile was booked after all.
    booked = UsageRecord.objects.filter(
        source__instance=gap.instance_id, requested_at__gte=gap.since, requested_at__lt=gap.until
    ).count()
    lost = max(0, round(before["requests"] * (gap.length / (until - before["first"]))) - booked)
    # Who counts the loss itself knows better.
    return CollectionGap.objects.filter(pk=gap.pk, lost=None, is_measured=False).update(lost=lost) > 0
