"""What the Errors page asks: each question once, when something is shown of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from channels_app.charts.timeline import Timeline
from channels_app.errors_page.query import ErrorsQuery
from channels_app.interval import interval_of
from channels_app.period import Period
from channels_app.records import records
from channels_app.stats import Conditions, Span, Usage, aggregate, series, span_of, totals
from channels_app.stats.client_requests import Calls, calls
from channels_app.stats.elapsed import gaps
from channels_app.stats.failures import Kind, Spreading, of_failures, spreading, whatever_became
from channels_app.usage_api import since_the_first_record
from usage.models import UsageRecord

# Of longer periods, this one figure would take as long as all else.
_MOST_CALLS = timedelta(days=8)
_SAMPLES = 3


class AccountKey(NamedTuple):
    """Ids; None is what is unknown."""

    channel: int | None
    account: int | None


class Attempts(NamedTuple):
    requests: int
    failed: int

    @property
    def error_rate(self) -> float | None:
        return self.failed / self.requests if self.requests else None


@dataclass
class ErrorsAnswers:
    query: ErrorsQuery
    now: datetime

    @cached_property
    def period(self) -> Period:
        return since_the_first_record(self.query.scope.period)

    @cached_property
    def span(self) -> Span:
        return span_of(self.period)

    @cached_property
    def conditions(self) -> Conditions:
        """Of the failures."""
        return of_failures(self._asked)

    @cached_property
    def _asked(self) -> Conditions:
        return self.query.scope.conditions

    @cached_property
    def timeline(self) -> Timeline:
        servers = self.query.scope.filters.servers or None
        return Timeline(
            self.period,
            interval_of(self.period, self.query.bucket, self.conditions),
            self.now,
            gaps(self.span, servers),
        )

    @cached_property
    def lines(self) -> dict[Kind, list[int]]:
        """How many failures of each kind there were in each interval of the timeline."""
        found = series(self.timeline.micros, self.conditions, ["code", "message"], ["requests"])
        return {
            Kind(code or 0, message or 0): [requests for (requests,) in line]
            for (code, message), line in found.groups.items()
        }

    @cached_property
    def counts(self) -> Counter[Kind]:
        return Counter({kind: sum(line) for kind, line in self.lines.items()})

    @cached_property
    def usage(self) -> Usage:
        """Of the failures: what upstream read before it failed is billed."""
        return totals(self.span, self.conditions, self.query.scope.basis)

    @cached_property
    def by_code(self) -> Counter[int]:
        found = Counter[int]()
        for kind, count in self.counts.items():
            found[kind.code] += count
        return found

    def spreading(self, kinds: Sequence[Kind]) -> dict[Kind, Spreading]:
        return spreading(self.span, self.conditions, kinds)

    @cached_property
    def by_account(self) -> dict[AccountKey, Attempts]:
        """Of all requests, whatever became of them, and of these the failures that are asked for."""
        rows = aggregate(self.span, whatever_became(self._asked), ("channel_id", "account_id"), ("requests", "failed"))
        if not self.conditions.codes:
            return {AccountKey(*key): Attempts(requests, failed) for *key, requests, failed in rows}
        failed = self.failed_by_account(self.conditions)
        return {AccountKey(*key): Attempts(requests, failed[AccountKey(*key)]) for *key, requests, _failed in rows}

    @cached_property
    def total(self) -> Attempts:
        requests = sum(one.requests for one in self.by_account.values())
        return Attempts(requests, self.counts.total())

    def failed_by_account(self, conditions: Conditions) -> Counter[AccountKey]:
        rows = aggregate(self.span, conditions, ("channel_id", "account_id"), ("requests",))
        return Counter({AccountKey(*key): requests for *key, requests in rows})

    def samples(self, kind: Kind) -> list[UsageRecord]:
        """The last failures of a kind."""
        return records(self.span, kind.among(self.conditions), limit=_SAMPLES).rows

    @cached_property
    def calls(self) -> Calls | None:
        """What became of the client requests that had such a failure; None of long periods."""
        is_long = self.period.until - self.period.since > _MOST_CALLS
        return None if is_long else calls(self.span, self.conditions)
