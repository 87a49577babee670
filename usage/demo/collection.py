"""How collecting went, as the Collector page can show it at its fullest."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from usage.models import (
    Account,
    CollectionGap,
    CollectionState,
    CollectorEvent,
    CollectorProcess,
    Instance,
    JobRun,
    QuarantinedPayload,
    Reconciliation,
)
from usage.secrets import encrypt

CLIENT_KEY = "plainword0000FAKEclientkey"
UPSTREAM_KEY = "sk-FAKE-upstream-0000000000000001"
# What upstream might send instead of a record: a wrong type, an answer that was cut, and something else altogether.
PAYLOADS = (
    f'{{"timestamp":"2026-11-23T10:00:00Z","model":"gpt-5.4","failed":"no","api_key":"{CLIENT_KEY}","tokens":{{"total_tokens":12}}}}',
    f'{{"timestamp":"2026-11-23T10:00:01Z","provider":"claude","source":"{UPSTREAM_KEY}","api_key":"{CLIENT_KEY[:20]}',
    f'"not a record, with {UPSTREAM_KEY} in it"',
)


def lead(now: datetime, *, ago: timedelta = timedelta(seconds=3), standby: bool = True) -> None:
    """Let one process lead, and another stand by."""
    roles = CollectorProcess.Role
    for name, role in (("meter-1:4211", roles.LEADING), ("meter-2:87", roles.STANDBY))[: 2 if standby else 1]:
        CollectorProcess.objects.create(name=name, role=role, started_at=now - timedelta(hours=5), seen_at=now - ago)  # type: ignore[misc]


def make_sample_collection(instance: Instance, now: datetime) -> None:
    """Everything is well now; there were gaps, something unreadable, and a job that failed."""
    Instance.objects.filter(pk=instance.pk).update(
        state=Instance.State.OK, state_since=now - timedelta(hours=5), synced_at=now - timedelta(seconds=8),
        names_at=now - timedelta(minutes=3), version="7.2.140", source="queue", way="subscription",
        statistics_enabled=True, retention_seconds=60, clock_offset_seconds=1, polls="oeooeelo" * 10 + "xxeooeooo",
    )  # fmt: skip
    counts = {"duplicates": 3, "quarantined": 3, "last_requested_at": now - timedelta(seconds=60)}
    CollectionState.objects.update_or_create(
        instance=instance,
        defaults=counts,
        create_defaults=counts | {"booked": 174},
    )
    _gaps(instance, now)
    _reconciliations(instance, now)
    _quarantine(instance, now)
    _events(instance, now)
    _jobs(now)


def _gaps(instance: Instance, now: datetime) -> None:
    causes = CollectionGap.Cause
    for hours, cause, lost, is_measured in (
        (1, causes.AWAY, 120, False), (7, causes.RESTARTED, 4, True), (30, causes.ANSWER_LOST, None, False),
    ):  # fmt: skip
        since = now - timedelta(hours=hours)
        CollectionGap.objects.create(  # type: ignore[misc]
            instance=instance, since=since, until=since + timedelta(minutes=14), cause=cause, lost=lost,
            is_measured=is_measured, acknowledged_at=now - timedelta(hours=20) if hours == 30 else None,
        )  # fmt: skip


def _reconciliations(instance: Instance, now: datetime) -> None:
    for number, account in enumerate(Account.objects.filter(instance=instance).order_by("pk")):
        Reconciliation.objects.create(  # type: ignore[misc]
            account=account, since=now - timedelta(days=2), checked_at=now - timedelta(minutes=2),
            counted=1000, booked=1000 - 4 * (number == 0), missing=4 * (number == 0),
            counter=1000, sum_booked=0, day=now, ceiling=0,
        )  # fmt: skip


def _quarantine(instance: Instance, now: datetime) -> None:
    reasons = ("Expected `bool`, got `str` - at `$.failed`", "the answer breaks off", "Expected `object`, got `str`")
    for payload, reason in zip(PAYLOADS, reasons, strict=True):
        QuarantinedPayload.objects.create(  # type: ignore[misc]
            instance=instance, received_at=now - timedelta(minutes=30), reason=reason, size=len(payload),
            encrypted_payload=encrypt(payload),
            payload_digest=hashlib.blake2b(payload.encode(), digest_size=16).digest(),
        )  # fmt: skip


def _events(instance: Instance, now: datetime) -> None:
    for minutes, level, message, params in (
        (400, "ok", "Collecting", {}),
        (90, "fail", "no connection (%(reason)s); is CPA running, and the URL right?", {"reason": "refused"}),
        (61, "ok", "Collecting", {}),
    ):
        CollectorEvent.objects.create(  # type: ignore[misc]
            instance=instance, at=now - timedelta(minutes=minutes), level=level, message=message, params=params
        )


# The message of usage/housekeeping/jobs.py.
_NAMES_RESULT = "%(asked)s servers asked, %(sources)s sources resolved, %(records)s records named"


def _jobs(now: datetime) -> None:
    for job, minutes, outcome, result, params in (
        ("names", 12, "ok", _NAMES_RESULT, {"asked": 0, "sources": 1, "records": 12}),
        ("prices", 4, "failed", "OperationalError: database is locked", {}),
        ("peaks", 600, "ok", "%(peaks)s busiest minutes found anew", {"peaks": 0}),
    ):
        started = now - timedelta(minutes=minutes)
        JobRun.objects.create(  # type: ignore[misc]
            job=job, driver="collector", started_at=started, outcome=outcome, result=result, params=params,
            finished_at=started + timedelta(milliseconds=420),
        )  # fmt: skip
