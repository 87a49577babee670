"""What the address of the Models page asks for, besides what pages with a table do: only what has no price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.http import QueryDict

from channels_app.address import Address
from channels_app.usage_table.list_query import ListQuery

USUAL = (
    "requests", "success", "tokens", "share", "input", "cached", "output", "hit", "cost", "blended", "p95", "speed",
    "trend",
)  # fmt: skip
OPTIONAL = ("written", "reasoning", "unclassified", "each", "size", "p50", "ttft")


@dataclass(frozen=True)
class ModelsQuery(ListQuery):
    table = "models"
    unpriced: bool = False

    @cached_property
    def address(self) -> Address:
        return super().address.setting("unpriced", "1" if self.unpriced else "")

    @property
    def all_or_unpriced(self) -> Address:
        """The same with all models, or only with those that have no price."""
        return replace(self, unpriced=not self.unpriced).address


def read_models_query(query: QueryDict, now: datetime) -> ModelsQuery:
    found = ModelsQuery.read(query, now, USUAL, OPTIONAL)
    return replace(found, unpriced=query.get("unpriced") == "1")
