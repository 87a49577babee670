"""The jobs of the housekeeping: what each does, how often, and how long it may take.

A job says in a line what it did, numbers first, or raises; JobFailed where it found what its operator must mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from usage.collection import refresh_names
from usage.housekeeping.gaps import estimate_losses
from usage.ingest import attempts, distribution, grains, rollup
from usage.ingest.compaction import compact
from usage.ingest.courtesy import let_others_write
from usage.ingest.peaks import follow_names
from usage.ingest.prices import complement_prices, price_unpriced
from usage.ingest.pruning import prune as prune_records
from usage.ingest.sources import heal
from usage.models import CollectorEvent, CollectorProcess, Instance, JobRun, UsageDaily
from usage.models.fields import from_micros, to_micros
from usage.price_lists.listed import BadPriceList
from usage.price_lists.sync import apply, preview_published
from usage.retention import records_kept_days

HISTORY = timedelta(days=90)
_DAY = timedelta(days=1)
_IN_USE = timedelta(days=30)
# Who collects fetches the names every few minutes: only where nobody does are they older.
_NAMES_ARE_OLD = timedelta(minutes=30)
# Of other servers the collector asks for more than names, and says what is wrong.
_WELL = (Instance.State.OK, Instance.State.STATISTICS_OFF)
_DIFFERENCES = 10


class Report(str):
    """What a job did: a message of our catalogue, and its parameters. Numbers and names, no secrets."""

    params: dict[str, Any]

    def __new__(cls, message: str, **params: Any) -> Report:
        report = super().__new__(cls, message)
        report.params = params
        return report

    @property
    def text(self) -> str:
        return str(self) % self.params if self.params else str(self)


class JobFailed(Exception):
    """A job did its work and found something to mend, which the report says."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.text)
        self.report = report


@dataclass(frozen=True, slots=True)
class Job:
    """`run` is due `every` so long; a run that is older than `longest` and has no end died with its process."""

    name: str
    title: str | Promise
    run: Callable[[], Report]
    every: timedelta
    longest: timedelta = timedelta(hours=1)


def names() -> Report:
    """Fetch the names that nobody else keeps fresh; name the records that came before their names."""
    asked, healed, named = 0, 0, 0
    errors = []
    for instance in Instance.objects.filter(enabled=True):
        is_old = _has_old_names(instance)
        (sources, records), error = refresh_names(instance) if is_old else (heal(instance), "")
        errors += [f"{instance.name}: {error}"] * bool(error)
        asked += is_old
        healed += sources
        named += records
    if errors:
        raise JobFailed(Report("; ".join(errors)))
    message = gettext_noop("%(asked)s servers asked, %(sources)s sources resolved, %(records)s records named")
    return Report(message, asked=asked, sources=healed, records=named)


def _has_old_names(instance: Instance) -> bool:
    is_old = instance.names_at is None or instance.names_at < timezone.now() - _NAMES_ARE_OLD
    return is_old and instance.state in _WELL


def gaps() -> Report:
    return Report(gettext_noop("%(gaps)s gaps sized"), gaps=estimate_losses(timezone.now()))


def prices() -> Report:
    return Report(gettext_noop("%(records)s records priced"), records=price_unpriced())


def catalog() -> Report:
    """Add what this version of the catalog says more, or otherwise, of the models that are in use.

    Booking asks it only of models without any price: to start it takes half a second.
    """
    recent = UsageDaily.objects.filter(bucket__gte=timezone.now() - _IN_USE)
    added = complement_prices(recent.values_list("model__name", "source__provider").distinct())
    return Report(gettext_noop("%(prices)s prices added"), prices=added)


def price_list() -> Report:
    """Take over what is new and changed in the price list that the operator chose."""
    try:
        preview = preview_published(settings.PRICE_SOURCE, settings.PRICE_URL)
    except BadPriceList as error:
        raise JobFailed(Report(str(error))) from None
    counts, written = preview.counts, len(apply(preview))
    message = gettext_noop(
        "%(new)s models new, %(changed)s changed, %(ambiguous)s ambiguous, %(locked)s locked; %(written)s prices written"
    )
    return Report(message, **counts, written=written)


def client_requests() -> Report:
    """Find out which records served one call of a client; the hour that goes on would be stale again at once."""
    now = to_micros(timezone.now())
    hours = attempts.derive(now - now % grains.HOUR, between=let_others_write)
    return Report(gettext_noop("%(hours)s hours looked through"), hours=hours)


def peaks() -> Report:
    """Find the busiest minutes of channels anew where sources have come or gone."""
    return Report(gettext_noop("%(peaks)s busiest minutes found anew"), peaks=follow_names())


def channels() -> Report:
    """Move the sums of sources that mean another channel by now."""
    return Report(gettext_noop("%(sources)s sources moved to their channel"), sources=rollup.follow_names())


def distributions() -> Report:
    """Take the newest records into the distributions, so that percentiles need not read them one by one."""
    folded = distribution.fold(between=let_others_write)
    compact(to_micros(timezone.now()), let_others_write)
    return Report(gettext_noop("%(records)s records taken in"), records=folded)


def verify() -> Report:
    """Prove that the sums and distributions equal the records (invariant 2)."""
    found = rollup.differences(_DIFFERENCES)
    found += [(distribution.TABLE, key) for _kind, key in distribution.differences(_DIFFERENCES)]
    if found:
        table, (bucket, *_dimensions) = found[0]
        message = gettext_noop(
            "%(sums)s sums or more differ from the records, one of them in %(table)s at %(time)s UTC; "
            "`manage.py rebuild_rollups` restores them"
        )
        raise JobFailed(Report(message, sums=len(found), table=table, time=f"{from_micros(bucket):%Y-%m-%d %H:%M}"))
    return Report(gettext_noop("0 sums differ from the records"))


def records() -> Report:
    """Delete records that are older than the operator keeps them; their sums stay."""
    days = records_kept_days()
    deleted = prune_records(timezone.now() - timedelta(days=days)) if days else 0
    return Report(gettext_noop("%(records)s records deleted"), records=deleted)


def prune() -> Report:
    """Delete what only grows and nobody asks for any more; records and their gaps stay."""
    now = timezone.now()
    old = {
        "events": CollectorEvent.objects.filter(at__lt=now - HISTORY),
        "job_runs": JobRun.objects.filter(started_at__lt=now - HISTORY),
        "collectors": CollectorProcess.objects.filter(seen_at__lt=now - _DAY),
        "sessions": Session.objects.filter(expire_date__lt=now),
        "failed_logins": AccessAttempt.objects.filter(attempt_time__lt=now - _DAY),
        "logins": AccessLog.objects.filter(attempt_time__lt=now - HISTORY),
    }
    deleted = {name: rows.delete()[0] for name, rows in old.items()}
    message = gettext_noop(
        "%(events)s events, %(job_runs)s job runs, %(collectors)s collectors, %(sessions)s sessions, "
        "%(failed_logins)s failed logins, %(logins)s logins deleted"
    )
    return Report(message, **deleted)


RECORDS = Job("records", _("Deletion of old records"), records, timedelta(days=1), longest=timedelta(hours=6))
JOBS = (
    Job("names", _("Names of accounts"), names, timedelta(hours=1)),
    Job("gaps", _("Size of gaps"), gaps, timedelta(minutes=10)),
    Job("prices", _("Prices of unpriced records"), prices, timedelta(minutes=10)),
    Job("catalog", _("Prices of the catalog"), catalog, timedelta(days=1)),
    # Nobody who has not chosen a list asks the internet.
    *((Job("price_list", _("Price list"), price_list, timedelta(days=1)),) if settings.PRICE_SOURCE else ()),
    Job("client_requests", _("Attempts of client requests"), client_requests, timedelta(minutes=5)),
    Job("channels", _("Sums of channels"), channels, timedelta(minutes=10)),
    Job("peaks", _("Busiest minutes"), peaks, timedelta(minutes=10)),
    Job("distributions", _("Distribution of latencies"), distributions, timedelta(minutes=10)),
    Job("prune", _("Deletion of old entries"), prune, timedelta(days=1)),
    RECORDS,
    # Reads every record.
    Job("verify", _("Proof of the sums"), verify, timedelta(days=1), longest=timedelta(hours=6)),
)
