"""What the address of a page of figures asks for, and the addresses of its neighbouring states.

The address is the page's whole state; what it says wrongly is dropped with a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address
from channels_app.buckets import AUTO
from channels_app.charts.unit import NANOUSD, REQUESTS, TOKENS, Unit
from channels_app.filter_bar.bar import Option
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope
from channels_app.filter_bar.shift import written
from channels_app.interval import options, read_interval
from channels_app.stats import Usage


@dataclass(frozen=True, slots=True)
class Metric:
    """What the main chart and the lists show: the sum of these sums. As a value of usage, which asks for sums `besides`, None
    is what has no price.
    """

    label: Promise
    unit: Unit
    sums: tuple[str, ...]
    of: Callable[[Usage], int | None]
    besides: tuple[str, ...] = ()


METRICS = {
    "tokens": Metric(gettext_lazy("Tokens"), TOKENS, ("total_tokens",), lambda usage: usage.total_tokens),
    "cost": Metric(
        gettext_lazy("Est. cost"),
        NANOUSD,
        ("cost_nanousd",),
        lambda usage: usage.cost,
        ("requests", "priced_requests", "priced_tokens"),
    ),
    "requests": Metric(gettext_lazy("Requests"), REQUESTS, ("requests",), lambda usage: usage.requests),
    "failed": Metric(gettext_lazy("Errors"), REQUESTS, ("failed",), lambda usage: usage.failed),
}
GROUPINGS = {
    "channel": gettext_lazy("Channel"),
    "account": gettext_lazy("Account"),
    "model": gettext_lazy("Model"),
    "key": gettext_lazy("API key"),
    "type": gettext_lazy("Type"),
}
# Where each card leads to: a page, and what it is asked for besides.
_CARDS: dict[str, tuple[str, dict[str, str]]] = {
    "requests": ("records", {}),
    "success": ("channels_app:errors", {}),
    "tokens": ("channels_app:explore", {"by": "type"}),
    "cost": ("channels_app:explore", {"metric": "cost"}),
    "cache": ("channels_app:models", {"sort": "-hit"}),
    "latency": ("channels_app:explore", {"mode": "scatter", "y": "latency"}),
    "speed": ("channels_app:models", {"sort": "-speed"}),
}
_HALF_AN_HOUR = timedelta(minutes=30)
STACKS = {"": gettext_lazy("Bars"), "share": gettext_lazy("Shares")}


class Choice(NamedTuple):
    """A way to see the same thing: a link, unless it is the present one."""

    label: Promise | str
    address: str
    is_present: bool


@dataclass(frozen=True)
class DashboardQuery:
    """`groupings` are those of GROUPINGS that the page offers; without `by` it shows the first. `hide` are keys of series, and
    `log` is how latencies are drawn.
    """

    scope: Scope
    groupings: tuple[str, ...]
    metric: str = "tokens"
    by: str = ""
    stack: str = ""
    bucket: str = AUTO
    hide: frozenset[str] = frozenset()
    log: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        own = {
            "metric": self.metric if self.metric != "tokens" else "",
            "by": self.by if self.by != self.groupings[0] else "",
            "stack": self.stack,
            "bucket": "" if self.bucket == AUTO else self.bucket,
            "hide": ",".join(sorted(self.hide)),
            "log": "1" if self.log else "",
        }
        return self.asked.joined((name, value) for name, value in own.items() if value)

    @property
    def asked(self) -> Address:
        """What the address says of the scope."""
        return self.scope.address

    @property
    def elsewhere(self) -> Address:
        """What other pages of the same usage are asked with."""
        return self.scope.address

    @property
    def anywhen(self) -> Address:
        """The same without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    def exploring(self, **asked: str) -> str:
        """Explore with the same scope, asked for this metric and grouping."""
        return f"{reverse('channels_app:explore')}{self.elsewhere.joined(asked.items())}"

    def drill_down(self, key: str) -> str:
        """Return where a card leads to, with the same filters (`ui.md` 11.2)."""
        page, asked = _CARDS[key]
        return f"{reverse(page)}{self.elsewhere.joined(asked.items())}".rstrip("?")

    def around(self, moment: datetime) -> str:
        """Requests by the minute in the hour around a moment."""
        since, until = written(moment - _HALF_AN_HOUR, moment + _HALF_AN_HOUR)
        address = self.elsewhere.without(*PERIOD_PARAMETERS).setting("from", since).setting("to", until)
        return f"{reverse('channels_app:explore')}{address.setting('metric', 'requests')}"

    @property
    def metric_label(self) -> Promise:
        return METRICS[self.metric].label

    @property
    def shows_types(self) -> bool:
        return self.by == "type"

    def measuring(self, metric: str) -> Self:
        """Types are those of tokens alone."""
        by = self.groupings[0] if self.shows_types and metric != "tokens" else self.by
        return replace(self, metric=metric, by=by, hide=self.hide if by == self.by else frozenset())

    def grouping(self, by: str) -> Self:
        return replace(self, by=by, metric="tokens" if by == "type" else self.metric, hide=frozenset())

    def stacking(self, stack: str) -> Self:
        return replace(self, stack=stack)

    @property
    def other_scale(self) -> str:
        """The address with latencies on the other scale."""
        return str(replace(self, log=not self.log).address)

    def hiding(self, key: str) -> Self:
        return replace(self, hide=self.hide ^ {key})

    def showing(self, key: str, keys: Iterable[str]) -> Self:
        """One of these series alone; all again where it is."""
        return replace(self, hide=alone(self.hide, key, keys))

    def read(self, query: QueryDict) -> Self:
        """Return this state with what an address says of the charts."""
        warnings = [*self.warnings]
        found = replace(
            self,
            by=one_of(query, "by", self.groupings, warnings),
            stack=one_of(query, "stack", STACKS, warnings),
            bucket=read_interval(query, self.scope, warnings),
            hide=listed(query, "hide"),
            log=query.get("log") == "1",
        )
        found = found.measuring(one_of(query, "metric", METRICS, warnings))
        return replace(found, warnings=tuple(warnings))

    @property
    def intervals(self) -> list[Option]:
        return options(self.scope, self.address, self.bucket)

    # The switches of the main chart.

    @property
    def metrics(self) -> list[Choice]:
        return [
            Choice(metric.label, str(self.measuring(key).address), key == self.metric)
            for key, metric in METRICS.items()
        ]

    @property
    def ways_to_group(self) -> list[Choice]:
        return [Choice(GROUPINGS[key], str(self.grouping(key).address), key == self.by) for key in self.groupings]

    @property
    def stacks(self) -> list[Choice]:
        return [Choice(label, str(self.stacking(key).address), key == self.stack) for key, label in STACKS.items()]


def alone(hidden: frozenset[str], key: str, keys: Iterable[str]) -> frozenset[str]:
    """Return what is to be hidden of `keys` for one to be shown alone; nothing where it is already."""
    others = frozenset(keys) - {key}
    return frozenset() if hidden == others else others


def one_of(query: QueryDict, name: str, known: Iterable[str], warnings: list[str]) -> str:
    """Return a value that is known; the first of these where none is asked for."""
    first, *_others = known
    value = query.get(name) or first
    if value in known:
        return value
    warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": name, "value": value})
    return first


def listed(query: QueryDict, name: str) -> frozenset[str]:
    return frozenset(key for key in query.get(name, "").split(",") if key)
