"""Judges suspicions by the server's own counters, and writes down the times in which records are missing."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _
from django.utils.translation import override

from usage.collection.reckoning import Cause, Reckoning, Suspicion, moment
from usage.collection.reconciliation import Comparison, Result, compare
from usage.models import CollectionGap, CollectionState, CollectorEvent, Instance, UsageRecord
from usage.models.fields import to_micros

# The surest cause of a loss comes first: what was lost is then its.
_SURE = (Cause.AWAY, Cause.STATISTICS_OFF)
_BY_CERTAINTY = (_SURE, (Cause.DROPPED,), (Cause.ANSWER_LOST,), (Cause.KILLED,), (Cause.RESTARTED,))
# What the end of a server takes along: it forgets what it held, whatever we suspected then.
_ENDED_BY_RESTART = {Cause.RESTARTED, Cause.DROPPED, Cause.ANSWER_LOST, Cause.KILLED}
# CPA counts some calls that it does not record; another reader takes a good part of everything.
_THEFT_ATTEMPTS, _THEFT_SHARE = 5, 0.25
# One release kept 1,000 details of a model only (contract B).
_CAPPED = {"6.6.96", "v6.6.96"}
# The rate before a gap is that of as long a time, or of the last hour if that was quiet (seconds).
_RATE_SPANS = (600.0, 3600.0)
_SHORTEST_RATE_SPAN, _LONGEST_RATE_SPAN = 5.0, 6 * 3600.0
_LEAST_RATE_SHARE = 0.5

# What might have come in the last moment is no loss worth a row. A subscription brings each record at once, but a busy
# machine may take its time with the last ones of a server that ends (seconds).
_A_MOMENT, _A_MOMENT_LISTENING = 0.1, 0.6


def judge(instance: Instance, reckoning: Reckoning) -> None:
    """Write the gaps that `reckoning` tells of; the same one judged twice changes nothing."""
    with transaction.atomic():
        counted_at = moment(reckoning.counted_at)
        recent = reckoning.suspicions + (reckoning.unconfirmed if reckoning.is_second else [])
        touch_was_lost = any(suspicion.cause in _ENDED_BY_RESTART for suspicion in recent)
        suspicions = [one for one in reckoning.suspicions if not one.is_idle] or reckoning.unconfirmed
        result = None
        if instance.source == Instance.Source.LEGACY:
            _end_when_gone(instance, reckoning.suspicions)
        if reckoning.counters:
            result = compare(instance, reckoning, reckoning.counters, touch_was_lost=touch_was_lost)
        if result is None or result.since is None:
            _write_unproven(instance, reckoning.suspicions)
        elif result.restarted:
            _write_restarted(instance, recent, result, counted_at)
        elif suspicions:
            _write_proven(instance, suspicions, result)
        else:
            _look_for_another_reader(instance, result, counted_at)


def _write_unproven(instance: Instance, suspicions: list[Suspicion]) -> None:
    """Without counters nothing refutes a suspicion; that the server was restarted is none that its absence confirms."""
    for suspicion in suspicions:
        lost = _estimated_loss(instance, suspicion)
        if suspicion.cause != Cause.RESTARTED and lost != 0:
            _write(instance, suspicion, lost, is_measured=False)


def _write_restarted(instance: Instance, suspicions: list[Suspicion], result: Result, now: datetime) -> None:
    """What was lost before the restart can be estimated only: the server's counters ended with it."""
    ended = [suspicion for suspicion in suspicions if suspicion.cause in _ENDED_BY_RESTART]
    if not ended and result.since:
        ended = [Suspicion(Cause.RESTARTED, result.since.timestamp(), now.timestamp())]
    # A restart breaks more than one thing; when we lost touch is the nearest to its moment, and first noticed counts.
    nearest = [suspicion for suspicion in ended if suspicion.cause == Cause.RESTARTED] or ended
    first = {one.since: one for one in sorted(nearest, key=lambda one: one.until, reverse=True)}
    a_moment = _A_MOMENT_LISTENING if instance.way == Instance.Way.SUBSCRIPTION else _A_MOMENT
    others = [suspicion for suspicion in suspicions if suspicion.cause not in _ENDED_BY_RESTART]
    measured = _write_proven(instance, others, result)
    for suspicion in (one for one in first.values() if one.until - one.since > a_moment):
        restarted = Suspicion(Cause.RESTARTED, suspicion.since, suspicion.until)
        if lost := _estimated_loss(instance, restarted, measured):
            _write(instance, restarted, lost, is_measured=False)
    _tell(instance, "info", _("CPA was restarted"))


def _write_proven(instance: Instance, suspicions: list[Suspicion], result: Result) -> int:
    """Give what is lost to the surest causes, by the length of their times; what nothing was lost of is no gap.

    Return how many that are.
    """
    lost = sum(comparison.unusual for comparison in result.comparisons)
    surest = next(filter(None, ([one for one in suspicions if one.cause in causes] for causes in _BY_CERTAINTY)), [])
    if not lost or not surest:
        return 0
    for comparison in result.comparisons:
        _count_missing(comparison, comparison.unusual)
    measured = lost
    spans = _spans(surest)
    length = sum(span.until - span.since for span in spans)
    for span in spans:
        part = round(lost * (span.until - span.since) / length) if length else lost
        _write(instance, span, part, is_measured=True)
        lost, length = lost - part, length - (span.until - span.since)
    return measured


def _spans(suspicions: list[Suspicion]) -> list[Suspicion]:
    """One for each cause: between two suspicions that no comparison told apart, either may have taken what is lost.

    But one for each time in which nobody read or nothing was recorded: each lost what came, and nothing between them was.
    """
    spans: dict[tuple[Cause, float | None], Suspicion] = {}
    for one in suspicions:
        cause = Cause.ANSWER_LOST if one.cause == Cause.RESTARTED else one.cause
        key = (cause, one.since if cause in _SURE else None)
        span = spans.setdefault(key, Suspicion(cause, one.since, one.until))
        span.since, span.until = min(span.since, one.since), max(span.until, one.until)
    return list(spans.values())


def _look_for_another_reader(instance: Instance, result: Result, now: datetime) -> None:
    lost = sum(comparison.unusual for comparison in result.comparisons)
    counted = sum(comparison.counted for comparison in result.comparisons)
    # Who subscribes gets all, whoever else does.
    is_stealable = instance.way != Instance.Way.SUBSCRIPTION
    is_theft = is_stealable and lost >= _THEFT_ATTEMPTS and lost >= counted * _THEFT_SHARE
    for comparison in result.comparisons:
        _count_missing(comparison, comparison.unusual if is_theft else 0)
    if is_theft and result.since:
        theft = Suspicion(Cause.SECOND_READER, result.since.timestamp(), now.timestamp())
        _write(instance, theft, lost, is_measured=True)


def note_snapshot(instance: Instance, before: CollectionState | None, details: int, received_at: int) -> None:
    """Note how long a whole legacy snapshot was: a shorter one than before tells of a restart (contract K).

    `before` is the state before it was booked, `received_at` in microseconds since 1970 UTC.
    """
    last = to_micros(before.last_received_at) if before and before.last_received_at else None
    if last is not None and received_at < last:
        return  # an older one, which another process took
    if before and last is not None and details < before.snapshot_details and instance.version not in _CAPPED:
        restarted = Suspicion(Cause.RESTARTED, last / 1_000_000, received_at / 1_000_000)
        # All that the new snapshot holds came after the restart.
        lost = max(0, (_estimate(instance, restarted) or 0) - details)
        _write(instance, restarted, lost, is_measured=False)
    CollectionState.objects.filter(instance=instance).update(snapshot_details=details)


def _end_when_gone(instance: Instance, suspicions: list[Suspicion]) -> None:
    """Nothing was lost of a server that was gone: a gap that a snapshot told of ends when polls began to fail."""
    for gone in suspicions:
        until = moment(gone.until)
        restarts = CollectionGap.objects.filter(
            instance=instance, cause=Cause.RESTARTED, since__lt=until, until__gt=until
        )
        for gap in restarts:
            gap.lost = _estimate(instance, Suspicion(Cause.RESTARTED, gap.since.timestamp(), gone.until))
            gap.until = until
            gap.save(update_fields=["until", "lost"])


def _count_missing(comparison: Comparison, missing: int) -> None:
    if not comparison.lost:
        return
    comparison.row.missing += missing
    comparison.row.unrecorded += comparison.lost - missing
    comparison.row.save(update_fields=["missing", "unrecorded"])


def _estimate(instance: Instance, suspicion: Suspicion) -> int | None:
    """Return how many records would have come between two moments at the rate of the time before; None: nobody knows."""
    since, length = suspicion.since, suspicion.until - suspicion.since
    for shortest in _RATE_SPANS:
        begin = since - min(max(shortest, length), _LONGEST_RATE_SPAN)
        first = _records(instance, begin, since).aggregate(Min("requested_at"))["requested_at__min"]
        if first:
            # Traffic may have begun within the span; but a burst of a second says nothing of a minute.
            seen, seconds = _seen_outside_gaps(instance, max(begin, first.timestamp()), since)
            return int(seen * (length / max(_SHORTEST_RATE_SPAN, length * _LEAST_RATE_SHARE, seconds)) + 0.5)
    return None


def _seen_outside_gaps(instance: Instance, since: float, until: float) -> tuple[int, float]:
    """Return how many records began between two moments, and in how many seconds: those of gaps tell of no rate."""
    gaps = CollectionGap.objects.filter(instance=instance, since__lt=moment(until), until__gt=moment(since))
    spans, last = list[tuple[float, float]](), since
    for gap in gaps.order_by("since"):
        spans.append((last, max(last, gap.since.timestamp())))
        last = min(until, max(last, gap.until.timestamp()))
    spans.append((last, until))
    if sum(end - begin for begin, end in spans) < _SHORTEST_RATE_SPAN:  # what came in the gaps is then all that we know
        spans = [(since, until)]
    return sum(_records(instance, *span).count() for span in spans), sum(end - begin for begin, end in spans)


def _estimated_loss(instance: Instance, suspicion: Suspicion, measured: int = 0) -> int | None:
    """Return how many of these we do not have: some came before touch was lost, and others waited in the queue.

    Of what is missing, `measured` are told by another gap: of a new run that nobody read for too long.

    Of n records that come independently the count scatters by the root of n: less than that is no loss.
    """
    estimate = _estimate(instance, suspicion)
    if estimate is None:
        return None
    here = _records(instance, suspicion.since, suspicion.until).count()
    lost = max(0, estimate - here - measured)
    return lost if lost * lost >= estimate else 0


def _records(instance: Instance, since: float, until: float) -> QuerySet[UsageRecord]:
    """Return what began between two moments of our clock; records bear those of the server's."""
    ahead = instance.clock_offset_seconds or 0
    return UsageRecord.objects.filter(
        source__instance=instance, requested_at__gte=moment(since + ahead), requested_at__lt=moment(until + ahead)
    )


def _write(instance: Instance, suspicion: Suspicion, lost: int | None, *, is_measured: bool) -> None:
    """Write a gap, or more of one.

    Who dies twice before reading again loses twice from the same moment on, and a loss is measured twice (intake.py).
    """
    until = moment(suspicion.until)
    gap, is_new = CollectionGap.objects.get_or_create(
        instance=instance,
        cause=suspicion.cause,
        since=moment(suspicion.since),  # type: ignore[misc]
        defaults={"until": until, "lost": lost, "is_measured": is_measured},
    )
    if not is_new and (is_measured or gap.until < until):
        gap.lost = (gap.lost or 0) + (lost or 0) if is_measured and gap.is_measured else lost
        gap.until, gap.is_measured = max(gap.until, until), is_measured
        gap.save(update_fields=["until", "lost", "is_measured"])
    if is_new:
        with override("en"):  # the catalogue's own words, which each reader gets translated
            _tell(instance, "warn", str(Cause(gap.cause).label))


def _tell(instance: Instance, level: str, message: str) -> None:
    CollectorEvent.objects.create(instance=instance, at=timezone.now(), level=level, message=message)  # type: ignore[misc]
