"""How long the intervals of a chart are: as is easy to read, unless the address asks for others (`ui.md` 5).

Sums are kept by hour and day, so that six hours are made of hours. What is shorter than an hour is read from the
records, and so only where these are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.buckets import AUTO, BUCKETS, MINUTES, choose
from channels_app.charts.timeline import Timeline
from channels_app.filter_bar.bar import Option
from channels_app.filter_bar.scope import Scope
from channels_app.period import Period
from channels_app.stats import EVERYTHING, Conditions, Span, aggregate, span_of
from channels_app.stats.percentiles import MOST_EXACT
from channels_app.stats.questions import DIMENSIONS, OF_FAILURES
from channels_app.stats.tables import are_hours_few, are_quarters_known
from channels_app.usage_api import since_the_first_record

PARAMETER = "bucket"
LABELS: dict[str, Promise] = {
    AUTO: gettext_lazy("Automatic"),
    "1m": gettext_lazy("Minute"),
    "5m": gettext_lazy("5 minutes"),
    "15m": gettext_lazy("15 minutes"),
    "1h": gettext_lazy("Hour"),
    "6h": gettext_lazy("6 hours"),
    "1d": gettext_lazy("Day"),
    "1w": gettext_lazy("Week"),
    "1M": gettext_lazy("Month"),
}
# So many rows of sums are read without being asked for, and so many records by each of several questions; and so many at all.
_FEW, _FEW_READ, MOST_READ = 50_000, 15_000, 200_000
_MOST_TIMED = timedelta(hours=48)
# Minutes of so short a period are few in any case.
_SHORT = timedelta(hours=2)


def interval_of(period: Period, asked: str, conditions: Conditions, by: Sequence[str] = ()) -> str:
    """Return the interval of a chart of `conditions` by some of stats.DIMENSIONS, of which it was `asked` for one or AUTO."""
    if asked != AUTO:
        return asked
    usual, span = choose(period), span_of(period)
    dimensions = [DIMENSIONS[name] for name in by if name not in OF_FAILURES]
    if usual in MINUTES and period.until - period.since > _SHORT and (records := _records(span)) > _FEW_READ:
        # Sums by quarter of an hour know some questions; all others are asked of the records.
        is_quick = records <= _FEW and len(dimensions) == len(by) and are_quarters_known(conditions, dimensions)
        return "15m" if is_quick else "1h"
    if usual == "6h" and not any(name in OF_FAILURES for name in by):
        is_quick = are_hours_few(span, conditions, dimensions, _FEW) or _records(span) <= _FEW
        return usual if is_quick else "1d"
    return usual


def of_percentiles(timeline: Timeline) -> Timeline:
    """Return coarser intervals where percentiles would take as long as all else together: of more hours, or minutes of
    which not every record is read.
    """
    if timeline.edges[-1] - timeline.edges[0] > _MOST_TIMED:
        return timeline if timeline.is_of_days else replace(timeline, bucket="1d")
    most = _FEW_READ if timeline.period.until - timeline.period.since > _SHORT else MOST_EXACT
    is_fine = timeline.bucket in MINUTES and _records(span_of(timeline.period)) > most
    return replace(timeline, bucket="1h") if is_fine else timeline


def offered(period: Period) -> dict[str, Promise]:
    """Return what can be asked for, with labels: one step finer than is easy to read, and all that are coarser."""
    names = list(BUCKETS)
    first = max(names.index(choose(period)) - 1, 0)
    if names[first] in MINUTES and period.until - period.since > _SHORT and _records(span_of(period)) > MOST_READ:
        first = names.index("1h")
    return {name: label for name, label in LABELS.items() if name == AUTO or names.index(name) >= first}


def read_interval(query: QueryDict, scope: Scope, warnings: list[str]) -> str:
    """Return what an address asks for; AUTO where it asks for nothing that can be shown."""
    asked = query.get(PARAMETER) or AUTO
    if asked == AUTO or asked in offered(since_the_first_record(scope.period)):
        return asked
    if asked in LABELS:
        warnings.append(
            _("Intervals of “%(interval)s” are too many for this period, or must be read from too many records.")
            % {"interval": LABELS[asked]}
        )
    else:
        warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": PARAMETER, "value": asked})
    return AUTO


def options(scope: Scope, address: Address, asked: str) -> list[Option]:
    """Return the same page with each of the other intervals."""
    return [
        Option(label, address.setting(PARAMETER, "" if name == AUTO else name), name == asked)
        for name, label in offered(since_the_first_record(scope.period)).items()
    ]


def _records(span: Span) -> int:
    return sum(requests for (requests,) in aggregate(span, EVERYTHING, (), ("requests",)))
