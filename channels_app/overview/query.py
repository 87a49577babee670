"""What the address of the Overview asks for: figures and charts, and which channels are open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict

from channels_app.address import Address
from channels_app.dashboard.query import METRICS, Choice, DashboardQuery, listed, one_of
from channels_app.filter_bar.scope import read_scope

_GROUPINGS = ("channel", "model", "key", "type")


@dataclass(frozen=True)
class OverviewQuery(DashboardQuery):
    """`open` are slugs of channels; `own_heat` is the metric of the heat map, empty where it has that of the page."""

    open: frozenset[str] = frozenset()
    own_heat: str = ""

    @property
    def heat(self) -> str:
        return self.own_heat or self.metric

    @property
    def address(self) -> Address:
        address = super().address.setting("open", ",".join(sorted(self.open)))
        return address.setting("heat", self.heat if self.heat != self.metric else "")

    @property
    def heats(self) -> list[Choice]:
        """What the heat map may show."""
        return [
            Choice(metric.label, str(self.heating(key).address), key == self.heat) for key, metric in METRICS.items()
        ]

    def heating(self, metric: str) -> OverviewQuery:
        return replace(self, own_heat=metric)

    def toggling(self, slug: str) -> OverviewQuery:
        return replace(self, open=self.open ^ {slug})


def read_overview_query(query: QueryDict, now: datetime) -> OverviewQuery:
    scope = read_scope(query, now)
    found = OverviewQuery(scope, _GROUPINGS, warnings=scope.warnings, open=listed(query, "open")).read(query)
    warnings = [*found.warnings]
    heat = one_of(query, "heat", ("", *METRICS), warnings)
    return replace(found.heating(heat), warnings=tuple(warnings))
