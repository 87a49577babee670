"""What the Models page shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from django.utils.translation import gettext_lazy as _

from channels_app.charts.bubbles import Bubble, Bubbles
from channels_app.charts.look import Look
from channels_app.filter_bar.bar import Chip, FilterBar
from channels_app.models_page.query import OPTIONAL, USUAL, ModelsQuery
from channels_app.stats import Conditions, Timing, Usage, aggregate, breakdown, timing
from channels_app.stats.latest import Latest, latest
from channels_app.stats.questions import Group
from channels_app.usage_table.list_page import ListPage
from channels_app.usage_table.row import Row, looks_of_channels, rows_of
from channels_app.usage_table.table import Table
from usage.models import ModelName


class ModelsPage(ListPage):
    query: ModelsQuery
    by, usual, optional = "model", USUAL, OPTIONAL

    @cached_property
    def groups(self) -> dict[Group, Usage]:
        found = super().groups
        if not self.query.unpriced:
            return found
        return {group: usage for group, usage in found.items() if usage.priced_requests < usage.requests}

    @cached_property
    def bar(self) -> FilterBar:
        query = self.query
        chips = [Chip("unpriced", _("Unpriced only"), "", query.all_or_unpriced)] if query.unpriced else []
        return FilterBar(
            self.scope, self.address, template="usage_table/_columns.html", columns_of="models", chips=chips
        )

    @cached_property
    def table(self) -> Table:
        return Table(
            "models", _("Model"), self.table_columns, self._rows, self.usage, self.query.sort, self.address,
            "models/_name.html", self.timing, limit=self.query.limit,
        )  # fmt: skip

    @cached_property
    def _rows(self) -> list[Row]:
        rows = self.rows()
        for row in rows:
            row.details = {"channels": self._channels[row.group[0]], "names": self._names[row.group[0]]}
            if row.is_open:
                row.children = self._parts(row)
        self.tell([part for row in rows for part in row.children], ["model", "channel"], self._open_ones)
        return rows

    @property
    def timing(self) -> Timing | None:
        """Of all models that are shown."""
        if not self.query.unpriced or super().timing is None:
            return super().timing
        models = frozenset(pk for (pk,) in self.groups if pk)
        return timing(self.scope.span, replace(self.scope.conditions, models=models))

    @cached_property
    def _channels(self) -> Mapping[int | None, list[tuple[Look, int]]]:
        """By model: the looks of its channels, with their requests, the most first."""
        rows = aggregate(self.scope.span, self.scope.conditions, ("model_id", "channel_id"), ("requests",))
        looks = looks_of_channels({channel for _model, channel, _requests in rows})
        found = defaultdict[int | None, list[tuple[Look, int]]](list)
        for model, channel, requests in sorted(rows, key=lambda row: -row[2]):
            found[model].append((looks[channel,], requests))
        return found

    @cached_property
    def latest_names(self) -> Latest:
        return latest(self.scope.span, self.scope.conditions, ["model_id", "alias_id"])

    @cached_property
    def _names(self) -> Mapping[int | None, list[str]]:
        """By model: the other names by which its latest requests asked for it, the most frequent first."""
        others = [pair for pair, _count in self.latest_names.requests.most_common() if pair[0] != pair[1]]
        names = dict(ModelName.objects.filter(pk__in=[alias for _model, alias in others]).values_list("pk", "name"))
        found = defaultdict[int | None, list[str]](list)
        for model, alias in others:
            found[model].append(names[alias])
        return found

    def _parts(self, row: Row) -> list[Row]:
        """By channel."""
        scope = self.scope
        of_it: dict[Group, Usage] = {
            (channel,): usage for (model, channel), usage in self._by_channel.items() if (model,) == row.group
        }
        parts = rows_of("channel", of_it, row.usage, scope.address.setting("model", row.value), f"{row.key}-")
        for part in parts:
            part.group = (*row.group, *part.group)
        return parts

    @cached_property
    def _open_ones(self) -> Conditions:
        asked = self.scope.conditions
        return replace(asked, models=self.opened if asked.models is None else self.opened & asked.models)

    @cached_property
    def _by_channel(self) -> dict[Group, Usage]:
        return breakdown(self.scope.span, self._open_ones, ["model", "channel"], self.scope.basis)

    @cached_property
    def bubbles(self) -> Bubbles:
        """How fast models are, and what they cost."""
        some = [
            Bubble(row.name, row.look.fill if row.look else "", row.usage.total_tokens, row.usage.speed, row.usage.blended_price)
            for row in self._rows
        ]  # fmt: skip
        return Bubbles(some)
