"""What the database knows of one server's collection: when it was read, by whom else, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.report_zone import report_zone
from usage import formats
from usage.completeness import completeness as measured_completeness
from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis
from usage.models import Account, CollectionGap, Instance

_RECENT = timedelta(days=7)
_COMPLETE_ENOUGH = 0.98
_NAMES_ARE_OLD = timedelta(hours=1)

Cause, State = CollectionGap.Cause, Instance.State


def collection(instance: Instance) -> Iterator[Diagnosis]:
    """What the collector last said of it: it may know of more than a look from here shows."""
    if instance.state not in (State.OK, State.NEW, State.KEY_REJECTED):
        text = _("The collector last said: %(words)s") % {"words": instance.state_text or instance.get_state_display()}
        yield Diagnosis(WARN, "state", text, _("If that is mended, the collector finds out at its next turn."))
    now = timezone.now()
    if instance.synced_at is None:
        yield Diagnosis(INFO, "synced", _("It has never been read."))
        return
    interval = settings.LEGACY_POLL_SECONDS if instance.source == Instance.Source.LEGACY else settings.POLL_SECONDS
    text = _("It was last read %(ago)s.") % {"ago": formats.ago(instance.synced_at, now)}
    if now - instance.synced_at > max(timedelta(seconds=3 * interval), timedelta(seconds=60)):
        mend = _("Without a collector, or while it fails, CPA forgets its records.")
        yield Diagnosis(WARN, "synced", text, mend)
    else:
        yield Diagnosis(OK, "synced", text)


def names(instance: Instance) -> Iterator[Diagnosis]:
    if instance.synced_at is None:
        return
    now = timezone.now()
    mend = _("Fetch them now: `manage.py backfill_channels`; the collector does it every few minutes.")
    if instance.names_at is None:
        text = _("The names of its accounts were never fetched: its usage stands under the unknown channel.")
        yield Diagnosis(WARN, "names", text, mend)
    elif now - instance.names_at > _NAMES_ARE_OLD:
        text = _("The names of its accounts were last fetched %(ago)s.") % {"ago": formats.ago(instance.names_at, now)}
        yield Diagnosis(WARN, "names", text, mend)
    else:
        accounts = Account.objects.filter(instance=instance).exclude(state=Account.State.REMOVED).count()
        text = ngettext("It lists %(count)s account.", "It lists %(count)s accounts.", accounts)
        yield Diagnosis(OK, "names", text % {"count": formats.grouped(accounts)})


def second_reader(instance: Instance) -> Iterator[Diagnosis]:
    gap = _gaps(instance).filter(cause=Cause.SECOND_READER).first()
    if gap:
        text = _("Another program reads the same queue, and takes records away; seen until %(time)s.")
        mend = _(
            "Let one program read this server, or let all of them subscribe (collection mode: %(where)s). "
            "Then acknowledge the gap in the admin."
        )
        facts = {"where": Instance.Mode.SUBSCRIBE.label}
        yield Diagnosis(FAIL, "second_reader", text % {"time": _minute(gap)}, mend % facts)


def gaps(instance: Instance) -> Iterator[Diagnosis]:
    found = list(_gaps(instance).exclude(cause=Cause.SECOND_READER))
    if not found:
        yield Diagnosis(OK, "gaps", _("No gap in the last 7 days that nobody has acknowledged."))
        return
    text = ngettext(
        "%(count)s gap in the last 7 days, until %(time)s: %(cause)s.",
        "%(count)s gaps in the last 7 days, the last until %(time)s: %(cause)s.",
        len(found),
    ) % {"count": len(found), "time": _minute(found[0]), "cause": found[0].get_cause_display()}
    yield Diagnosis(WARN, "gaps", text, _("Mend the cause, then acknowledge the gap in the admin."))


def completeness(instance: Instance) -> Iterator[Diagnosis]:
    """Of what CPA counted, what never came (contract C, several consumers), and what went with its restarts."""
    whole = measured_completeness([instance]).get(instance.pk)
    if whole is None or whole.share is None:
        return
    text = (
        _(
            "Of the %(counted)s requests that CPA counted since %(time)s, %(missing)s never reached us, and about "
            "%(estimated)s more went with its restarts: %(share)s complete."
        )
        if whole.estimated
        else _(
            "Of the %(counted)s requests that CPA counted since %(time)s, %(missing)s never reached us: "
            "%(share)s complete."
        )
    )
    text %= {
        "counted": formats.grouped(whole.counted),
        "time": formats.minute(whole.since, report_zone(), timezone.now()),
        "missing": formats.grouped(whole.missing),
        "estimated": formats.grouped(whole.estimated),
        "share": formats.percent(whole.share),
    }
    if whole.share >= _COMPLETE_ENOUGH:
        yield Diagnosis(OK, "completeness", text)
        return
    mend = _("Look for a second reader of this server, and at its gaps.")
    if whole.estimated and instance.mode != Instance.Mode.SUBSCRIBE:
        mend = _(
            "A subscription leaves nothing in the queue that a restart of CPA could empty: choose it as collection mode."
        )
    yield Diagnosis(WARN, "completeness", text, mend)


def _gaps(instance: Instance) -> QuerySet[CollectionGap]:
    """Those of the last days that nobody has acknowledged, newest first."""
    return instance.gaps.filter(acknowledged_at=None, until__gte=timezone.now() - _RECENT)


def _minute(gap: CollectionGap) -> str:
    return formats.minute(gap.until, report_zone(), timezone.now())


CHECKS = (collection, names, second_reader, gaps, completeness)
