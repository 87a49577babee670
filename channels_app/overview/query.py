"""What the address of the Overview asks for: figures and charts, and which channels are open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.urls import reverse

from channels_app.address import Address
from channels_app.dashboard.query import DashboardQuery, listed
from channels_app.filter_bar.scope import read_scope

# What the Channels page is sorted by for each card.
_SORTS = {"requests": "-requests", "success": "success", "tokens": "", "cost": "-cost", "cache": "-hit"}
_GROUPINGS = ("channel", "model", "key", "type")


@dataclass(frozen=True)
class OverviewQuery(DashboardQuery):
    """`open` are slugs of channels."""

    open: frozenset[str] = frozenset()

    @property
    def address(self) -> Address:
        return super().address.setting("open", ",".join(sorted(self.open)))

    def drill_down(self, key: str) -> str:
        """The Channels page with the same filters, sorted by the figure of a card."""
        sort = _SORTS.get(key)
        address = self.elsewhere.setting("sort", sort or "")
        return "" if sort is None else f"{reverse('channels_app:channels')}{address}".rstrip("?")

    def toggling(self, slug: str) -> OverviewQuery:
        return replace(self, open=self.open ^ {slug})


def read_overview_query(query: QueryDict, now: datetime) -> OverviewQuery:
    scope = read_scope(query, now)
    return OverviewQuery(scope, _GROUPINGS, warnings=scope.warnings, open=listed(query, "open")).read(query)
