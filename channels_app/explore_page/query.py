"""What the address of Explore asks for, and the addresses of its neighbouring states.

What does not go together is left out: shares of what does not add up, kinds of token of what is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.buckets import AUTO
from channels_app.dashboard.query import alone, listed, one_of
from channels_app.explore_page.limits import Reason, why_not
from channels_app.explore_page.meanings import MEANINGS
from channels_app.explore_page.metrics import METRICS, AnyMetric
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, read_scope
from channels_app.interval import read_interval
from channels_app.stats.traits import TRAITS

GROUPINGS: dict[str, Promise] = {
    "channel": gettext_lazy("Channel"),
    "none": gettext_lazy("Nothing"),
    "account": gettext_lazy("Account"),
    "model": gettext_lazy("Model"),
    "key": gettext_lazy("API key"),
    "server": gettext_lazy("Server"),
    "type": gettext_lazy("Type of token"),
    "status": gettext_lazy("Outcome"),
    "code": gettext_lazy("Status of failures"),
    "endpoint": gettext_lazy("Endpoint"),
    "effort": gettext_lazy("Effort"),
    "tier": gettext_lazy("Service tier"),
}
# What rows can be divided by once more.
DIVISIONS = {
    "": gettext_lazy("Nothing"),
    **{key: GROUPINGS[key] for key in ("channel", "account", "model", "key", "server")},
}
VIEWS: dict[str, Promise] = {
    "bars": gettext_lazy("Bars"),
    "share": gettext_lazy("Shares"),
    "lines": gettext_lazy("Lines"),
    "sum": gettext_lazy("Running total"),
}
LIMITS = ("8", "5", "12")
DEFAULTS = {"metric": "tokens", "by": "channel", "by2": "", "bucket": AUTO, "view": "bars", "limit": LIMITS[0]}
PARAMETERS = (*DEFAULTS, "log")


@dataclass(frozen=True, slots=True)
class ExploreQuery:
    """`hide` are keys of series; `by2` divides the rows of the table alone."""

    scope: Scope
    metric: str = "tokens"
    by: str = "channel"
    by2: str = ""
    bucket: str = AUTO
    view: str = "bars"
    limit: str = LIMITS[0]
    log: bool = False
    hide: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        own = {
            name: "" if getattr(self, name) == default else getattr(self, name) for name, default in DEFAULTS.items()
        }
        own |= {"log": "1" if self.log else "", "hide": ",".join(sorted(self.hide))}
        return self.scope.address.joined((name, value) for name, value in own.items() if value)

    @property
    def anywhen(self) -> Address:
        """The same without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    @property
    def meaning(self) -> Promise | str:
        return MEANINGS[self.metric]

    @property
    def measured(self) -> AnyMetric:
        return METRICS[self.metric]

    @property
    def is_stacked(self) -> bool:
        return self.view in ("bars", "share")

    def hiding(self, key: str) -> Address:
        return replace(self, hide=self.hide ^ {key}).address

    def showing(self, key: str, keys: Iterable[str]) -> Address:
        """One of these series alone; all again where it is."""
        return replace(self, hide=alone(self.hide, key, keys)).address


def read_explore_query(query: QueryDict, now: datetime) -> ExploreQuery:
    scope, warnings = read_scope(query, now), list[str]()
    found = ExploreQuery(
        scope,
        metric=one_of(query, "metric", METRICS, warnings),
        by=one_of(query, "by", GROUPINGS, warnings),
        by2=one_of(query, "by2", DIVISIONS, warnings),
        view=one_of(query, "view", VIEWS, warnings),
        limit=one_of(query, "limit", LIMITS, warnings),
        log=query.get("log") == "1",
        hide=listed(query, "hide"),
    )
    found = replace(found, bucket=read_interval(query, scope, warnings))
    return replace(_fitting(found, now, warnings), warnings=(*scope.warnings, *warnings))


def _fitting(query: ExploreQuery, now: datetime, warnings: list[str]) -> ExploreQuery:
    """Leave out what the metric cannot be, and say so."""
    query = _grouped(query, now, warnings)
    if query.by2 and (query.by2 == query.by or query.by in ("none", "type", "status", *TRAITS)):
        query = replace(query, by2="")
    if query.by2 and (reason := why_not(query, query.by, now, query.by2)):
        warnings.append(_told(reason, _("Rows are not divided.")))
        query = replace(query, by2="")
    if not query.measured.adds_up and query.view != "lines":
        query = replace(query, view="lines")
    return query if query.view in ("lines", "sum") else replace(query, log=False)


def _grouped(query: ExploreQuery, now: datetime, warnings: list[str]) -> ExploreQuery:
    """Return the same by the next grouping by which its metric can be told."""
    reason = why_not(query, query.by, now)
    if reason is None:
        return query
    for by, told in (("channel", _("Grouped by channel.")), ("none", _("Not grouped."))):
        if not why_not(query, by, now):
            warnings.append(_told(reason, told))
            return replace(query, by=by, by2="")
    warnings.append(_told(reason, _("Requests are shown instead.")))
    return replace(query, metric="requests")


def _told(reason: Reason, consequence: str) -> str:
    return _("%(reason)s %(consequence)s") % {"reason": reason.text, "consequence": consequence}
