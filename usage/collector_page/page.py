"""What the Collector page shows: one block for each server, then the tables of all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from html import escape
from typing import NamedTuple

from django.db.models import F, Min, QuerySet, Sum
from django.utils.safestring import SafeString, mark_safe

from usage import storage
from usage.collector_page.meanings import MEANINGS
from usage.collector_page.quarantine import samples
from usage.collector_page.reasons import in_words
from usage.collector_page.server import ServerBlock
from usage.collector_page.volume import Quality, Volume, quality, volumes
from usage.freshness import freshness
from usage.housekeeping.runner import Standing, standings
from usage.models import (
    CollectionGap,
    CollectorEvent,
    CollectorProcess,
    Instance,
    QuarantinedPayload,
    Reconciliation,
    Source,
    UsageDaily,
    UsageRecord,
)
from usage.retention import how_long, records_kept_days
from usage.warnings import Survey, Warning, all_warnings
from usage.warnings.collecting import START

# Rows of each table; all of them are in the admin.
ROWS = 20


class Quarantined(NamedTuple):
    row: QuarantinedPayload
    sample: str

    @property
    def reason(self) -> SafeString:
        """In the language of the reader, as far as that is known; what it quotes, and what is not known, is English."""
        text = in_words(self.row.reason)
        shown = re.sub("`([^`]+)`", r'<code lang="en">\1</code>', escape(text))
        return mark_safe(f'<span lang="en">{shown}</span>' if text == self.row.reason else shown)  # noqa: S308


class Unmatched(NamedTuple):
    """A source of which nobody knows the channel, and its requests of the last days."""

    source: Source
    requests: int


class Storage(NamedTuple):
    database: int
    records: int
    oldest: datetime | None
    kept: str
    backlog: storage.Backlog
    disk: storage.Disk


class CollectorPage:
    """Every part is read once, when the template comes to it."""

    meanings = MEANINGS
    rows = ROWS
    start = START

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.survey = Survey(now)

    @cached_property
    def servers(self) -> list[ServerBlock]:
        """The enabled ones first."""
        everyone = Instance.objects.select_related("collection").order_by("-enabled", "name")
        volume, shares = volumes(self.now), {pk: whole.share for pk, whole in self.survey.completeness.items()}
        return [
            ServerBlock(
                instance,
                freshness(instance, self.survey.pulse, self.now),
                volume.get(instance.pk, Volume.none()),
                shares.get(instance.pk),
                [warning for warning in self._warnings if warning.instance == instance],
                self.survey.pulse.stopped_at is not None,
                self.now,
            )
            for instance in everyone
        ]

    @cached_property
    def many_servers(self) -> bool:
        return len(self.servers) > 1

    @property
    def warnings(self) -> list[Warning]:
        """What is wrong with no server in particular."""
        return [warning for warning in self._warnings if warning.instance is None]

    @cached_property
    def _warnings(self) -> list[Warning]:
        return all_warnings(self.survey)

    @property
    def processes(self) -> Sequence[CollectorProcess]:
        return self.survey.processes

    @cached_property
    def gaps(self) -> list[CollectionGap]:
        """Those that wait for somebody first."""
        order = (F("acknowledged_at").desc(nulls_first=True), "-since", "-id")
        return list(CollectionGap.objects.select_related("instance").order_by(*order)[:ROWS])

    @cached_property
    def reconciliations(self) -> list[Reconciliation]:
        """The accounts that miss most first."""
        rows = Reconciliation.objects.select_related("account__channel", "account__instance")
        return list(rows.order_by("-missing", "-counted")[:ROWS])

    @cached_property
    def unmatched(self) -> list[Unmatched]:
        days = self.survey.recent_days.filter(source__channel=None, source__account=None)
        sums = days.values("source").annotate(requests=Sum("requests")).order_by("-requests")[:ROWS]
        requests = {row["source"]: row["requests"] for row in sums}
        sources = Source.objects.select_related("instance").in_bulk(requests)
        return [Unmatched(sources[pk], number) for pk, number in requests.items()]

    @cached_property
    def quarantined(self) -> list[Quarantined]:
        found = QuarantinedPayload.objects.defer("encrypted_payload").select_related("instance").order_by("-id")
        rows = list(found[:ROWS])
        shown = samples(rows)
        return [Quarantined(row, shown.get(row.pk, "")) for row in rows]

    @property
    def jobs(self) -> list[Standing]:
        return standings()

    @cached_property
    def storage(self) -> Storage:
        oldest = UsageRecord.objects.aggregate(oldest=Min("requested_at"))["oldest"]
        records = UsageDaily.objects.aggregate(records=Sum("requests"))["records"] or 0
        kept = how_long(records_kept_days())
        return Storage(storage.database_bytes(), records, oldest, kept, self.survey.backlog, storage.disk())

    @cached_property
    def quality(self) -> Quality:
        return quality(self.now)

    @property
    def events(self) -> QuerySet[CollectorEvent]:
        return CollectorEvent.objects.select_related("instance")[:ROWS]
