"""What the address of the Overview asks for, and the addresses of its neighbouring states.

The address is the page's whole state; what it says wrongly is dropped with a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.charts.unit import NANOUSD, REQUESTS, TOKENS, Unit
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, read_scope
from channels_app.stats import Usage
from usage.ingest.rollup import TOKENS as TOKEN_KINDS


@dataclass(frozen=True, slots=True)
class Metric:
    """What the main chart and the lists show: the sum of these sums. As a value of usage, None is what has no price."""

    label: Promise
    unit: Unit
    sums: tuple[str, ...]
    of: Callable[[Usage], int | None]


METRICS = {
    "tokens": Metric(gettext_lazy("Tokens"), TOKENS, TOKEN_KINDS, lambda usage: usage.total_tokens),
    "cost": Metric(gettext_lazy("Est. cost"), NANOUSD, ("cost_nanousd",), lambda usage: usage.cost),
    "requests": Metric(gettext_lazy("Requests"), REQUESTS, ("requests",), lambda usage: usage.requests),
    "failed": Metric(gettext_lazy("Errors"), REQUESTS, ("failed",), lambda usage: usage.failed),
}
GROUPINGS = {
    "channel": gettext_lazy("Channel"),
    "model": gettext_lazy("Model"),
    "key": gettext_lazy("API key"),
    "type": gettext_lazy("Type"),
}
STACKS = {"": gettext_lazy("Bars"), "share": gettext_lazy("Shares")}


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """`hide` and `open` are keys of series and slugs of channels."""

    scope: Scope
    metric: str = "tokens"
    by: str = "channel"
    stack: str = ""
    hide: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        own = {
            "metric": self.metric if self.metric != "tokens" else "",
            "by": self.by if self.by != "channel" else "",
            "stack": self.stack,
            "hide": ",".join(sorted(self.hide)),
            "open": ",".join(sorted(self.open)),
        }
        return self.scope.address.joined((name, value) for name, value in own.items() if value)

    @property
    def elsewhere(self) -> Address:
        """What other pages of the same usage are asked with."""
        return self.scope.address

    @property
    def anywhen(self) -> Address:
        """The same without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    @property
    def shows_types(self) -> bool:
        return self.by == "type"

    def measuring(self, metric: str) -> OverviewQuery:
        """Types are those of tokens alone."""
        by = "channel" if self.shows_types and metric != "tokens" else self.by
        return replace(self, metric=metric, by=by, hide=self.hide if by == self.by else frozenset())

    def grouping(self, by: str) -> OverviewQuery:
        return replace(self, by=by, metric="tokens" if by == "type" else self.metric, hide=frozenset())

    def stacking(self, stack: str) -> OverviewQuery:
        return replace(self, stack=stack)

    def hiding(self, key: str) -> OverviewQuery:
        return replace(self, hide=self.hide ^ {key})

    def toggling(self, slug: str) -> OverviewQuery:
        return replace(self, open=self.open ^ {slug})


def read_overview_query(query: QueryDict, now: datetime) -> OverviewQuery:
    scope = read_scope(query, now)
    warnings = [*scope.warnings]
    found = OverviewQuery(
        scope,
        by=_one_of(query, "by", GROUPINGS, warnings),
        stack=_one_of(query, "stack", STACKS, warnings),
        hide=_listed(query, "hide"),
        open=_listed(query, "open"),
    )
    return replace(found.measuring(_one_of(query, "metric", METRICS, warnings)), warnings=tuple(warnings))


def _one_of(query: QueryDict, name: str, known: Iterable[str], warnings: list[str]) -> str:
    """Return a value that is known; the first of these where none is asked for."""
    first, *_others = known
    value = query.get(name) or first
    if value in known:
        return value
    warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": name, "value": value})
    return first


def _listed(query: QueryDict, name: str) -> frozenset[str]:
    return frozenset(key for key in query.get(name, "").split(",") if key)
