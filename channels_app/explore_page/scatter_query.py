"""What the address of Explore asks for where it shows single requests as points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.dashboard.query import one_of
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, read_scope
from channels_app.records_page.search import SIZES, Search, read_search

SCATTER = "scatter"
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
    """`search` holds the bounds: the ones that the Records page knows too, so that an address leads from one to the other."""

    scope: Scope
    x: str
    y: str
    color: str
    scale: str
    search: Search
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """This very state."""
        known: dict[str, tuple[str, Mapping[str, object]]] = {
            "x": (self.x, X), "y": (self.y, Y), "color": (self.color, COLORS), "scale": (self.scale, SCALES),
        }  # fmt: skip
        own = {"mode": SCATTER} | {name: value for name, (value, all_) in known.items() if value != next(iter(all_))}
        return self.scope.address.joined(own.items()).joined(self.search.parameters)

    @property
    def anywhen(self) -> Address:
        """The same without a period, for one to be added."""
        return self.address.without(*PERIOD_PARAMETERS)

    @property
    def is_log(self) -> bool:
        return self.scale == "log"


def read_scatter_query(query: QueryDict, now: datetime) -> ScatterQuery:
    scope, warnings = read_scope(query, now), list[str]()
    found = {
        name: one_of(query, name, known, warnings)
        for name, known in {"x": X, "y": Y, "color": COLORS, "scale": SCALES}.items()
    }
    search = Search(read_search(query, warnings.append).bounds)
    return ScatterQuery(
        scope, found["x"], found["y"], found["color"], found["scale"], search, (*scope.warnings, *warnings)
    )


# What bounds count, by the axis.
SIZE_OF = {size.name: size for size in SIZES}
