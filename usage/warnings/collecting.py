"""Warnings about the way in: the collector, each server, and what may not have come (W01-W08, W12, W15-W17)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.report_zone import report_zone
from usage import formats
from usage.freshness import OFFLINE, Verdict, freshness, retention
from usage.models import CollectionGap, Instance
from usage.warnings.survey import Survey
from usage.warnings.warning import Action, Warning, connection_test, host_of, to_collector, to_settings, why

START = "python manage.py collect"
COMPLETE_ENOUGH = 0.98

_FULL_POLLS = 5
_CLOCK_OFFSET = timedelta(seconds=30)
_AHEAD = timedelta(minutes=2)
# Records of releases before this one do not tell cache writes (contract 0 and F).
_TELLS_TOKENS = (7, 0, 3)

State, Cause = Instance.State, CollectionGap.Cause


def stopped(survey: Survey) -> Iterator[Warning]:
    action = to_collector(_("How to start"), "collectors")
    if survey.pulse.last is None:
        text = _("No collector has run yet. Start one, and usage appears here within seconds.")
        yield Warning("W01", "warn", text, action=action, line=START)
    elif since := survey.pulse.stopped_at:
        text = _("Collector stopped at %(t)s. New usage is not being recorded.")
        facts = {"t": _time(survey, since)}
        yield Warning("W01", "fail", text % facts, action=action, line=START, incident=f"{since:%Y%m%d%H%M}")


def not_collecting(survey: Survey) -> Iterator[Warning]:
    """W02 to W04: the state of a server that gives us nothing."""
    for instance in survey.instances:
        if instance.state in OFFLINE:
            yield _unreachable(instance)
        elif instance.state in (State.KEY_REJECTED, State.BANNED):
            yield _locked_out(survey, instance)
        elif instance.state in (State.REMOTE_OFF, State.MANAGEMENT_OFF, State.UNSUPPORTED):
            yield _not_set_up(instance)
        elif instance.state == State.STATISTICS_OFF:
            yield _statistics_off(instance)


def _unreachable(instance: Instance) -> Warning:
    text = _("Can't reach CPA at %(host)s: %(reason)s") % {"host": host_of(instance), "reason": instance.state_text}
    return Warning("W02", "fail", text, instance, connection_test(instance), since=instance.state_since)


def _locked_out(survey: Survey, instance: Instance) -> Warning:
    if instance.state == State.KEY_REJECTED:
        text = _("CPA rejected the management key; collection is stopped until it is changed.")
    else:
        text = _("CPA banned this address until %(t)s.") % {"t": _time(survey, instance.retry_at or survey.now)}
    return Warning("W03", "fail", text, instance, to_settings(instance), why(instance), since=instance.state_since)


def _not_set_up(instance: Instance) -> Warning:
    text, line = str(instance.get_state_display()), ""
    if instance.state == State.REMOTE_OFF:
        text, line = _("Remote management is off in CPA."), "allow-remote: true"
    action = connection_test(instance)
    return Warning("W03", "fail", text, instance, action, why(instance), line, instance.state_since)


def _statistics_off(instance: Instance) -> Warning:
    text = _("Usage statistics are off in CPA. Nothing can be collected.")
    action = Action(_("Enable"), reverse("collector_statistics", args=[instance.pk]), for_staff=True)
    line = "usage-statistics-enabled: true"
    return Warning("W04", "fail", text, instance, action, line=line, since=instance.state_since)


def stale(survey: Survey) -> Iterator[Warning]:
    """W16 (`ui.md` 14): servers from which nothing has come for too long, though a collector lives and they answered last."""
    for instance in survey.instances:
        fresh = freshness(instance, survey.pulse, survey.now)
        is_silent = instance.state == State.OK and not survey.pulse.stopped_at and fresh.verdict == Verdict.OFFLINE
        if is_silent and fresh.seen_at:
            text = _("Showing data up to %(t)s.") % {"t": _time(survey, fresh.seen_at)}
            yield Warning("W16", "fail", text, instance, connection_test(instance), since=fresh.seen_at)


def delayed(survey: Survey) -> Iterator[Warning]:
    """W17 (`ui.md` 14): servers that are read too late, which is no reason for alarm yet."""
    for instance in survey.instances:
        fresh = freshness(instance, survey.pulse, survey.now)
        if fresh.verdict == Verdict.DELAYED and fresh.seen_at:
            text = _("Data is coming late. These figures are as of %(t)s.") % {"t": _time(survey, fresh.seen_at)}
            began = f"{instance.state_since:%Y%m%d%H%M}" if instance.state_since else ""
            yield Warning("W17", "info", text, instance, connection_test(instance), incident=began)


def gaps(survey: Survey) -> Iterator[Warning]:
    """W05, one for each server: its latest gap, and how many more there are."""
    for instance in survey.instances:
        if found := survey.gaps.get(instance.pk):
            latest, more = found[0], len(found) - 1
            details = [] if latest.cause == Cause.AWAY else [str(latest.get_cause_display())]
            if more:
                details.append(ngettext("%(n)s more gap", "%(n)s more gaps", more) % {"n": more})
            text, action = _gap(survey, instance, latest), to_collector(_("Gap details"), "gaps")
            yield Warning("W05", "warn", text, instance, action, tuple(details), incident=str(latest.pk))


def _gap(survey: Survey, instance: Instance, gap: CollectionGap) -> str:
    facts = {"a": _time(survey, gap.since), "b": _time(survey, gap.until)}
    if gap.cause != Cause.AWAY:
        return _("Usage between %(a)s and %(b)s may be lost.") % facts
    text = _(
        "Usage between %(a)s and %(b)s may be lost: the collector was away longer than CPA keeps records (%(n)s s)."
    )
    return text % (facts | {"n": retention(instance) // timedelta(seconds=1)})


def short_retention(survey: Survey) -> Iterator[Warning]:
    """By the interval that the operator set: the collector reads more often where it must (contract C)."""
    for instance in survey.instances:
        by_queue = instance.way in (Instance.Way.HTTP_QUEUE, Instance.Way.RESP_QUEUE)
        if by_queue and instance.retention_seconds and instance.retention_seconds < 3 * settings.POLL_SECONDS:
            text = _("CPA keeps records only %(n)s s. Set `redis-usage-queue-retention-seconds: 3600`.")
            line = "redis-usage-queue-retention-seconds: 3600"
            yield Warning("W06", "warn", text % {"n": instance.retention_seconds}, instance, line=line)


def overrun(survey: Survey) -> Iterator[Warning]:
    for instance in survey.instances:
        if instance.full_polls >= _FULL_POLLS:
            text = _("Backlog: CPA produces faster than we read.")
            yield Warning("W07", "warn", text, instance, to_settings(instance))


def others_read(survey: Survey) -> Iterator[Warning]:
    for instance in survey.instances:
        causes = {gap.cause for gap in survey.gaps.get(instance.pk, [])}
        whole = survey.completeness.get(instance.pk)
        complete = whole.share_of_counted if whole else None
        if causes & {Cause.DROPPED, Cause.SECOND_READER} or (complete is not None and complete < COMPLETE_ENOUGH):
            text = _(
                "Some records were missed, or another collector is reading the same queue. "
                "Use subscribe mode on all collectors."
            )
            yield Warning("W08", "warn", text, instance, to_collector(_("Details"), "completeness"))


def clocks(survey: Survey) -> Iterator[Warning]:
    for instance in survey.instances:
        offset = abs(timedelta(seconds=instance.clock_offset_seconds or 0))
        collection = getattr(instance, "collection", None)
        last = collection.last_requested_at if collection else None
        ahead = last - survey.now if last else timedelta()
        if offset > _CLOCK_OFFSET or ahead > _AHEAD:
            text = _("Clocks differ by %(n)s s.")
            seconds = max(offset, ahead) // timedelta(seconds=1)
            yield Warning("W12", "warn", text % {"n": formats.grouped(seconds)}, instance)


def old_versions(survey: Survey) -> Iterator[Warning]:
    for instance in survey.instances:
        numbers = _numbers_of(instance.version)
        if instance.source == Instance.Source.LEGACY or (numbers and numbers < _TELLS_TOKENS):
            text = _("Token details may be incomplete for CPA %(v)s.")
            yield Warning("W15", "info", text % {"v": instance.version or "< 6.3.36"}, instance)


def _numbers_of(version: str) -> tuple[int, ...]:
    """Read `v6.9.45-0`; a build without numbers (`dev`) gives none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()


def _time(survey: Survey, moment: datetime) -> str:
    return formats.minute(moment, report_zone(), survey.now)
