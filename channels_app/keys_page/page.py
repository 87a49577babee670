"""What the API keys page shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from channels_app.charts.matrix import Axis, Matrix
from channels_app.dashboard.query import METRICS
from channels_app.filter_bar.bar import FilterBar
from channels_app.keys_page.query import OPTIONAL, USUAL, KeysQuery
from channels_app.stats import Usage, breakdown, name_groups
from channels_app.stats.questions import Group, aggregate
from channels_app.usage_table.list_page import ListPage
from channels_app.usage_table.row import Row, rows_of
from channels_app.usage_table.table import Table
from usage.models import ApiKey
from usage.models.record import NO_KEY


class KeysPage(ListPage):
    query: KeysQuery
    by, usual, optional = "key", USUAL, OPTIONAL

    @cached_property
    def bar(self) -> FilterBar:
        return FilterBar(self.scope, self.address, template="usage_table/_columns.html", columns_of="keys")

    @property
    def back(self) -> str:
        """Where one comes back to after a key was renamed."""
        return str(self.address)

    @cached_property
    def table(self) -> Table:
        return Table(
            "keys", _("API key"), self.table_columns, self._rows, self.usage, self.query.sort, self.address,
            "keys/_name.html", limit=self.query.limit,
        )  # fmt: skip

    @cached_property
    def _rows(self) -> list[Row]:
        rows = self.rows()
        keys = ApiKey.objects.in_bulk([pk for (pk,) in self.groups if pk])
        models = Counter(key for key, _model in self._by_model)
        channels = Counter(key for key, _channel in self._channels)
        for row in rows:
            pk = row.group[0] or NO_KEY
            row.details = {
                "models": models[pk], "channels": channels[pk], "key": keys.get(pk),
                "edit": self.query.renaming(pk), "is_edited": self.query.edit == str(pk),
            }  # fmt: skip
            if row.is_open:
                row.children = self._parts(row)
        return rows

    @cached_property
    def _cells(self) -> list[tuple[Any, ...]]:
        """Key, channel, model, the requests and the sum of the metric, if that is another; only these, since there are thousands."""
        scope, sums = self.scope, ("requests", *METRICS[self.query.metric].sums)
        return aggregate(
            scope.span,
            scope.conditions,
            ("api_key_id", "channel_id", "model_id"),
            scope.basis,
            tuple(dict.fromkeys(sums)),
        )

    @cached_property
    def _by_model(self) -> dict[Group, int]:
        """By key and model, the metric of the matrix."""
        values: dict[Group, int] = {}
        for row in self._cells:
            key, _channel, model = row[:3]
            values[key, model] = values.get((key, model), 0) + row[-1]
        return values

    @cached_property
    def _channels(self) -> set[tuple[int, int]]:
        """Keys with the channels that answered them; what is unknown is none of them."""
        return {row[:2] for row in self._cells if row[1] is not None}

    @cached_property
    def _parts_by_model(self) -> dict[Group, Usage]:
        """Of what is open."""
        asked = self.scope.conditions
        keys = self.opened if asked.api_keys is None else self.opened & asked.api_keys
        return breakdown(self.scope.span, replace(asked, api_keys=keys), ["key", "model"], self.scope.basis)

    def _parts(self, row: Row) -> list[Row]:
        """By model."""
        of_it: dict[Group, Usage] = {
            (model,): usage for (key, model), usage in self._parts_by_model.items() if (key,) == row.group
        }
        return rows_of("model", of_it, row.usage, self.scope.address.setting("key", row.value), f"{row.key}-")

    @cached_property
    def matrix(self) -> Matrix:
        """The metric of each key and model; what has no price is nothing."""
        metric = METRICS[self.query.metric]
        values = self._by_model
        keys = name_groups(["key"], {(key,) for key, _model in values})
        models = name_groups(["model"], {(model,) for _key, model in values})
        return Matrix(
            title=_("%(metric)s by API key and model") % {"metric": metric.label},
            unit=metric.unit,
            down=Axis(
                _("API key"), {group[0]: (str(name["key"]["id"]), name["key"]["name"]) for group, name in keys.items()}
            ),
            across=Axis(
                _("Model"), {group[0]: (name["model"]["id"], name["model"]["name"]) for group, name in models.items()}
            ),
            values=values,
            address=self._records,
        )

    def _records(self, key: str, model: str) -> str:
        return f"{self._path_of_records}{self.scope.address.setting('key', key).setting('model', model)}"

    @cached_property
    def _path_of_records(self) -> str:
        return reverse("records")
