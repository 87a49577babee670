"""What the address of Explore asks for where it shows single requests as points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.dashboard.query import one_of
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, default_range, read_scope
from channels_app.filter_bar.shift import exact
from channels_app.period import Period, PeriodError, read_period
from channels_app.records_page.search import PARAMETERS as BOUNDS
from channels_app.records_page.search import SIZES, Search, read_search
from usage.models.fields import to_micros

SCATTER = "scatter"
# Within which the period is a window: a range, or two moments.
_AROUND, _BETWEEN = "around", "~"
X: dict[str, Promise] = {"time": _("Time"), "input": _("Input"), "ttft": _("First token")}
Y: dict[str, Promise] = {
    "latency": _("Latency"),
    "tokens": _("Tokens"),
    "output": _("Output"),
    "ttft": _("First token"),
    "cost": _("Est. cost"),
    "speed": _("Speed"),
}
COLORS: dict[str, Promise] = {"channel": _("Channel"), "model": _("Model"), "key": _("API key")}
SCALES: dict[str, Promise] = {"log": _("Logarithmic"), "linear": _("Linear")}


@dataclass(frozen=True, slots=True)
class ScatterQuery:
    """`search` holds the bounds: the ones that the Records page knows too, so that an address leads from one to the other.
    `around` is the period of which the strip beneath shows more than this window, as the address says it.
    """

    scope: Scope
    x: str
    y: str
    color: str
    scale: str
    search: Search
    around: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        known: dict[str, tuple[str, Mapping[str, object]]] = {
            "x": (self.x, X), "y": (self.y, Y), "color": (self.color, COLORS), "scale": (self.scale, SCALES),
        }  # fmt: skip
        own = {"mode": SCATTER} | ({_AROUND: self.around} if self.around else {})
        own |= {name: value for name, (value, all_) in known.items() if value != next(iter(all_))}
        return self.scope.address.joined(own.items()).joined(self.search.parameters)

    @property
    def anywhen(self) -> Address:
        """The same without a period, for a window of the strip to be added."""
        return self.address.without(*PERIOD_PARAMETERS).setting(_AROUND, self.outermost)

    @property
    def outermost(self) -> str:
        """What the strip shows, as `around` says it."""
        period = self.scope.period
        return self.around or period.name or _BETWEEN.join(exact(period))

    @property
    def context(self) -> Period:
        """The period of the strip, of which that of the page is a part; relative ones go on, and may have left it behind."""
        period = self.scope.period
        if not self.around:
            return period
        around = _read_period(self.around, period)
        since, until = (around.since, period.since), (around.until, period.until)
        # Of one zone, Python would compare what the clock shows.
        return replace(around, since=min(since, key=to_micros), until=max(until, key=to_micros), name="")

    @property
    def whole(self) -> Address:
        """The same of all that the strip shows."""
        if not self.around:
            return self.address
        asked = {} if self.around == default_range() else _asked_by(self.around)
        return self.address.without(_AROUND, *PERIOD_PARAMETERS).joined(asked.items())

    @property
    def is_zoomed(self) -> bool:
        return bool(self.around or self.search)

    @property
    def unzoomed(self) -> Address:
        return self.whole.without(*BOUNDS)

    @property
    def is_log(self) -> bool:
        return self.scale == "log"


def read_scatter_query(query: QueryDict, now: datetime) -> ScatterQuery:
    scope, warnings = read_scope(query, now), list[str]()
    found = {
        name: one_of(query, name, known, warnings)
        for name, known in {"x": X, "y": Y, "color": COLORS, "scale": SCALES}.items()
    }
    asked = read_search(query)
    search = Search(asked.bounds, wrong=asked.wrong)
    warnings += search.warnings
    around = _read_around(query, scope, warnings)
    return ScatterQuery(
        scope, found["x"], found["y"], found["color"], found["scale"], search, around, (*scope.warnings, *warnings)
    )


def _read_around(query: QueryDict, scope: Scope, warnings: list[str]) -> str:
    """Return what the address says; nothing beside another range, which is no window."""
    text = query.get(_AROUND, "")
    if not text or not (scope.address.values("from") or scope.address.values("to")):
        return ""
    try:
        _read_period(text, scope.period)
    except PeriodError as error:
        warnings.append(gettext("%(problem)s. Ignored.") % {"problem": error})
        return ""
    return text


def _read_period(around: str, period: Period) -> Period:
    return read_period(_asked_by(around), period.zone, period.asked_at)


def _asked_by(around: str) -> dict[str, str]:
    """Return the parameters of a period that say the same."""
    since, between, until = around.partition(_BETWEEN)
    return {"from": since, "to": until} if between else {"range": around}


# What bounds count, by the axis.
SIZE_OF = {size.name: size for size in SIZES}
