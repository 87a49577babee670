"""All checks, in the order in which one must be well for the next to make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from django.db import DatabaseError
from django.utils.translation import gettext as _

from usage.doctor import configuration, database, ledger, machine, processes, server
from usage.doctor.diagnosis import FAIL, INFO, WARN, Diagnosis
from usage.models import Instance
from usage.redaction import redact

Check = Callable[[], Iterable[Diagnosis]]

# What a check may meet that it did not look for: a disk, a row or a text that cannot be read.
_CAN_HAPPEN = (OSError, DatabaseError, ValueError)


def examine() -> Iterator[Diagnosis]:
    """Yield what each check found. Nothing is changed, except that a key which a server refuses is noted as refused."""
    for look in (*configuration.CHECKS, *machine.CHECKS):
        yield from _safely(look)
    found = list(_safely(database.look))
    yield from found
    if any(diagnosis.level == FAIL for diagnosis in found):
        yield Diagnosis(INFO, "database", _("Collection was not looked at: it is in the database."))
        return
    for look in processes.CHECKS:
        yield from _safely(look)
    yield from _safely(_servers)


def _servers() -> Iterator[Diagnosis]:
    instances = Instance.objects.all()
    if not instances:
        text, mend = (
            _("No CPA server is set up."),
            _("Add one on the pages, or set CPA_BASE_URL and CPA_MANAGEMENT_KEY."),
        )
        yield Diagnosis(WARN, "servers", text, mend)
    for instance in instances:
        for diagnosis in _instance(instance):
            yield replace(diagnosis, instance=instance.name)


def _instance(instance: Instance) -> Iterator[Diagnosis]:
    if not instance.enabled:
        yield Diagnosis(INFO, "enabled", _("This server is switched off: it is not read."))
        return
    for look in (server.look, *ledger.CHECKS):
        yield from _safely(partial(look, instance))


def _safely(look: Check) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except _CAN_HAPPEN as error:
        reason = redact(f"{type(error).__name__}: {error}")
        mend = _("Mend what it says, then run this again.")
        yield Diagnosis(FAIL, "doctor", _("A check could not be made: %(reason)s") % {"reason": reason}, mend)
