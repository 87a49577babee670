"""What the address of an entity's page asks for: the scope with the entity itself, the charts, and which table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict

from channels_app.address import Address
from channels_app.dashboard.query import DashboardQuery, one_of
from channels_app.entity_page.entity import Entity
from channels_app.filter_bar.scope import read_scope
from channels_app.usage_table.row import implied
from channels_app.usage_table.table import DEFAULT_SORT, LIMITS, read_limit, read_sort

COLUMNS = ("requests", "success", "tokens", "share", "input", "cached", "written", "output", "reasoning", "hit", "cost")


@dataclass(frozen=True, kw_only=True)
class EntityQuery(DashboardQuery):
    """`view` is what the table is broken down by. The filter for the entity is in the scope, and not in the page's address."""

    entity: Entity
    view: str = ""
    sort: str = DEFAULT_SORT
    limit: int = LIMITS[0]

    @property
    def usual_sort(self) -> str:
        return _usual_sort(self.view)

    @property
    def asked(self) -> Address:
        return self.scope.address.without(*implied(self.entity.dimension.name))

    @property
    def address(self) -> Address:
        first = self.entity.dimension.tabs[0]
        address = super().address.setting("view", "" if self.view == first else self.view)
        address = address.setting("limit", "" if self.limit == LIMITS[0] else str(self.limit))
        return address.setting("sort", "" if self.sort == self.usual_sort else self.sort)

    def viewing(self, view: str) -> EntityQuery:
        sort = _usual_sort(view) if self.sort == self.usual_sort else self.sort
        return replace(self, view=view, sort=sort, limit=LIMITS[0])


def read_entity_query(entity: Entity, query: QueryDict, now: datetime) -> EntityQuery:
    asked, dimension = query.copy(), entity.dimension
    for name in implied(dimension.name):
        asked.pop(name, None)
    asked[dimension.name] = entity.value
    scope = read_scope(asked, now)
    warnings = [*scope.warnings]
    view = one_of(query, "view", dimension.tabs, warnings)
    sort = read_sort(query.get("sort", ""), COLUMNS, warnings, _usual_sort(view))
    limit = read_limit(query, warnings)
    found = EntityQuery(
        scope, dimension.groupings, entity=entity, view=view, sort=sort, limit=limit, warnings=tuple(warnings)
    )
    return found.read(query)


def _usual_sort(view: str) -> str:
    """Failures hardly use tokens: what counts is how often."""
    return "-requests" if view == "code" else DEFAULT_SORT
