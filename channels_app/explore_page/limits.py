"""What Explore cannot tell, and why: a wrong answer, or one that takes long, is none."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.charts.unit import NANOUSD
from channels_app.explore_page.intervals import timeline_of
from channels_app.explore_page.metrics import CallRate, PeakRate, Percentile, Presence
from channels_app.explore_page.outcomes import by_status
from channels_app.explore_page.question import dimensions
from channels_app.stats import EVERYTHING, aggregate, span_of
from channels_app.stats.calls_by_time import KNOWN_OF_ATTEMPTS
from channels_app.stats.peaks_by_time import MOST_READ, PeakQuestion
from channels_app.stats.remembering import once
from channels_app.stats.traits import MOST, TRAITS
from channels_app.usage_api import since_the_first_record
from usage import formats
from usage.ingest.rollup import records_since

if TYPE_CHECKING:
    from channels_app.explore_page.query import ExploreQuery


class Reason(NamedTuple):
    """In a few words, for a choice; and as a sentence."""

    short: Promise | str
    text: Promise | str


_NOT_BY_IT = gettext_lazy("not kept by it")
_TYPES = Reason(gettext_lazy("of tokens alone"), gettext_lazy("Types are those of tokens alone."))
_TIMED = Reason(gettext_lazy("only successes are timed"), gettext_lazy("Only what succeeded is timed."))
_WHOLE = Reason(
    gettext_lazy("a client request is one whole"),
    gettext_lazy("Client requests are told by server, channel, account, model and API key alone."),
)
_ITSELF = Reason(gettext_lazy("each is one"), gettext_lazy("Of each of these, one is active: itself."))
_TIMED_BY_TRAIT, _PEAKS_BY_TRAIT, _ACTIVE_BY_TRAIT = (
    Reason(_NOT_BY_IT, text)
    for text in (
        gettext_lazy("Percentiles are not kept by endpoint, effort or service tier."),
        gettext_lazy("Peaks are not kept by endpoint, effort or service tier."),
        gettext_lazy("What was active is not kept by endpoint, effort or service tier."),
    )
)
_CURRENT = Reason(
    gettext_lazy("not at current prices"),
    gettext_lazy("Costs at current prices are not told by endpoint, effort or service tier."),
)
_DELETED = Reason(
    gettext_lazy("records are deleted"),
    gettext_lazy("Some records of this period are deleted, which alone know endpoint, effort and service tier."),
)


def why_not(query: ExploreQuery, by: str, now: datetime, by2: str = "") -> Reason | None:
    """Return why the metric of `query` cannot be told by this grouping, divided once more by `by2`; None where it can."""
    metric = query.measured
    if by == "type" and query.metric != "tokens":
        return _TYPES
    if isinstance(metric, Percentile) and by in ("status", "code"):
        return _TIMED
    if isinstance(metric, CallRate) and by not in ("none", *KNOWN_OF_ATTEMPTS):
        return _WHOLE
    if isinstance(metric, Presence) and metric.counted in (by, by2):
        return _ITSELF
    if by in TRAITS:
        return _why_not_by_trait(query)
    return _why_no_peaks(query, by, by2, now) if isinstance(metric, PeakRate) else None


def _why_not_by_trait(query: ExploreQuery) -> Reason | None:
    metric, span = query.measured, span_of(since_the_first_record(query.scope.period))
    if isinstance(metric, Percentile):
        return _TIMED_BY_TRAIT
    if isinstance(metric, PeakRate):
        return _PEAKS_BY_TRAIT
    if isinstance(metric, Presence):
        return _ACTIVE_BY_TRAIT
    if metric.unit is NANOUSD and query.scope.is_current:
        return _CURRENT
    if span.since < once(records_since):
        return _DELETED
    requests = sum(count for (count,) in aggregate(span, EVERYTHING, (), ("requests",)))
    if requests <= MOST:
        return None
    text = _("Endpoint, effort and service tier are read from the records, of %(most)s at most; this period has %(n)s. Choose a shorter one.")  # fmt: skip
    return Reason(_("too many records"), text % {"most": formats.grouped(MOST), "n": formats.grouped(requests)})


def _why_no_peaks(query: ExploreQuery, by: str, by2: str, now: datetime) -> Reason | None:
    conditions, period = query.scope.conditions, since_the_first_record(query.scope.period)
    edges = timeline_of(period, query.bucket, by, query.measured, query.scope, now).micros
    parts = by_status(conditions) if by == "status" else [conditions]
    asked_by = [*dimensions(by), *([by2] if by2 else [])]
    if all(PeakQuestion(edges, part, asked_by).can_be_told for part in parts):
        return None
    text = _("Peaks are kept by server, channel, model, API key and status of failures, where no more is filtered; by the hour, of API keys by the day. What else is asked must be read from the records, of %(most)s at most: choose a shorter period, or longer intervals.")  # fmt: skip
    return Reason(_("no peaks are kept by it"), text % {"most": formats.grouped(MOST_READ)})
