"""What the address of the API keys page asks for, besides what pages with a table do: the matrix, and who is renamed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.http import QueryDict

from channels_app.address import Address
from channels_app.dashboard.query import METRICS, Choice, one_of
from channels_app.usage_table.list_query import ListQuery

USUAL = (
    "requests", "success", "tokens", "share", "input", "cached", "output", "cost", "each", "models", "channels", "last",
    "trend",
)  # fmt: skip
OPTIONAL = ("written", "reasoning", "unclassified", "hit", "first")


@dataclass(frozen=True)
class KeysQuery(ListQuery):
    """`metric` is what the matrix shows; `edit` the id of the key that is being renamed, or empty."""

    table = "keys"
    metric: str = "tokens"
    edit: str = ""

    @cached_property
    def address(self) -> Address:
        return super().address.setting("metric", "" if self.metric == "tokens" else self.metric)

    @property
    def metrics(self) -> list[Choice]:
        return [
            Choice(metric.label, str(replace(self, metric=key).address), key == self.metric)
            for key, metric in METRICS.items()
        ]

    def renaming(self, pk: int) -> Address:
        return self.address.setting("edit", str(pk))


def read_keys_query(query: QueryDict, now: datetime) -> KeysQuery:
    found = KeysQuery.read(query, now, USUAL, OPTIONAL)
    warnings = [*found.warnings]
    metric = one_of(query, "metric", METRICS, warnings)
    return replace(found, metric=metric, edit=query.get("edit", ""), warnings=tuple(warnings))
