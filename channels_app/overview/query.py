"""What the address of the Overview asks for: figures and charts, and which channels are open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict

from channels_app.address import Address
from channels_app.dashboard.query import DashboardQuery, listed
from channels_app.filter_bar.scope import read_scope

_GROUPINGS = ("channel", "model", "key", "type")


@dataclass(frozen=True)
class OverviewQuery(DashboardQuery):
    """`open` are slugs of channels."""

    open: frozenset[str] = frozenset()

    @property
    def address(self) -> Address:
        return super().address.setting("open", ",".join(sorted(self.open)))

    def toggling(self, slug: str) -> OverviewQuery:
        return replace(self, open=self.open ^ {slug})


def read_overview_query(query: QueryDict, now: datetime) -> OverviewQuery:
    scope = read_scope(query, now)
    return OverviewQuery(scope, _GROUPINGS, warnings=scope.warnings, open=listed(query, "open")).read(query)
