"""Rows of the Overview: channels with their accounts, and the largest of models, keys and accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import nlargest

from django.utils.translation import gettext as _

from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.sparkline import Sparkline, sparkline, thinned
from channels_app.dashboard.answers import Answers, together
from channels_app.dashboard.query import METRICS
from channels_app.stats import UNKNOWN, ModelRow, Usage, name_groups
from channels_app.stats.questions import Group
from channels_app.usage_table.row import page_of
from usage.models import Channel

_SHOWN_CHANNELS, _SHOWN = 8, 5


@dataclass(frozen=True)
class Row:
    """`share` is the part of the whole, 0 to 1 (of an account in its channel: of that), in the chosen metric. With
    `models` it tells how far its cost can be trusted.
    """

    key: str
    name: str
    look: Look
    usage: Usage
    value: int | None
    share: float | None
    spark: Sparkline | None = None
    accounts: list[Row] = field(default_factory=list)
    account_count: int = 0
    is_open: bool = False
    models: list[ModelRow] | None = None
    # The address of its own page, and the filter that asks for it; empty where it has none.
    page: str = ""
    condition: tuple[str, str] = ("", "")

    @property
    def is_unknown(self) -> bool:
        return self.key == UNKNOWN

    @property
    def opens(self) -> bool:
        return self.account_count > 0


@dataclass
class Entities:
    answers: Answers
    channels: dict[int, Channel]
    open: frozenset[str]

    @cached_property
    def channel_rows(self) -> list[Row]:
        """The largest by the chosen metric, then the sum of the others, then the unknown channel."""
        by_channel = {group[0]: usage for group, usage in self.answers.by_channel.items()}
        unknown = by_channel.pop(None, None)
        ordered = sorted(
            by_channel.items(),
            key=lambda item: (-(self._value(item[1]) or 0), self.channels[item[0] or 0].position),
        )
        shown = ordered[:_SHOWN_CHANNELS] if len(ordered) > _SHOWN_CHANNELS + 1 else ordered
        rows = [self._channel_row(self.channels[pk or 0], usage) for pk, usage in shown]
        if others := ordered[len(shown) :]:
            name = _("Other (%(n)s)") % {"n": len(others)}
            rows.append(
                self._row("other", name, look.OTHER, together(usage for _pk, usage in others), self.answers.usage)
            )
        if unknown:
            row = self._row(UNKNOWN, _("Unknown channel"), look.UNKNOWN, unknown, self.answers.usage)
            rows.append(
                replace(
                    row, spark=self._spark((None,)), page=self._page("channel", UNKNOWN), condition=("channel", UNKNOWN)
                )
            )
        return rows

    def _channel_row(self, channel: Channel, usage: Usage) -> Row:
        accounts = self._by_channel[channel.pk]
        its_look, is_open = look.of_slot(channel.color_slot, channel.shape), channel.slug in self.open
        return replace(
            self._row(channel.slug, channel.name, its_look, usage, self.answers.usage),
            spark=self._spark((channel.pk,)),
            accounts=self._accounts(accounts, usage) if is_open else [],
            account_count=len(accounts),
            is_open=is_open,
            page=self._page("channel", channel.slug),
            condition=("channel", channel.slug),
        )

    @cached_property
    def _by_channel(self) -> Mapping[int | None, dict[Group, Usage]]:
        found = defaultdict[int | None, dict[Group, Usage]](dict)
        for group, usage in self._by_account.items():
            found[group[0]][group] = usage
        return found

    @cached_property
    def _by_account(self) -> dict[Group, Usage]:
        """By channel and account; only what ranks them where no channel is open."""
        return self.answers.by_account if self._opened else self.answers.ranked(["channel", "account"])

    @cached_property
    def _opened(self) -> set[int]:
        return {pk for pk, channel in self.channels.items() if channel.slug in self.open}

    def _accounts(self, accounts: Mapping[Group, Usage], whole: Usage) -> list[Row]:
        ordered = sorted(accounts.items(), key=lambda item: (item[0][1] is None, -(self._value(item[1]) or 0)))
        names = self._account_names
        return [self._account_row(group, names[group[1]], usage, whole) for group, usage in ordered]

    def _account_row(self, group: Group, name: str, usage: Usage, whole: Usage) -> Row:
        row = self._row(f"account-{group[1]}", name, self._look(group[0]), usage, whole)
        pk = group[1]
        return replace(row, page=self._page("account", pk), condition=("account", str(pk))) if pk else row

    @cached_property
    def _account_names(self) -> dict[int | None, str]:
        """Of the open channels' accounts, and of the largest."""
        asked = {(group[1],) for group in self._by_account if group[0] in self._opened}
        asked |= {(group[1],) for group, _usage in self._largest_accounts}
        return {group[0]: name["account"]["name"] for group, name in name_groups(["account"], asked).items()}

    @cached_property
    def total(self) -> Row:
        row = self._row("total", _("Total"), look.OTHER, self.answers.usage, self.answers.usage)
        names = name_groups(["model"], self.answers.by_model)
        return replace(
            row,
            models=[ModelRow(names[group]["model"]["name"], usage) for group, usage in self.answers.by_model.items()],
        )

    @cached_property
    def models(self) -> list[Row]:
        return self._top("model", self.answers.by_model)

    @cached_property
    def keys(self) -> list[Row]:
        return self._top("key", self.answers.ranked(["key"]))

    @cached_property
    def accounts(self) -> list[Row]:
        names, whole = self._account_names, self.answers.usage
        return [self._account_row(group, names[group[1]], usage, whole) for group, usage in self._largest_accounts]

    @cached_property
    def _largest_accounts(self) -> list[tuple[Group, Usage]]:
        return self._largest(self._by_account)

    def _top(self, by: str, groups: Mapping[Group, Usage]) -> list[Row]:
        largest = self._largest(groups)
        names = name_groups([by], [group for group, _usage in largest])
        named = [names[group][by] for group, _usage in largest]
        looks = look.of_names([str(name["id"]) for name in named])
        return [
            replace(
                self._row(f"{by}-{group[0]}", name["name"], its_look, usage, self.answers.usage),
                page=self._page(by, group[0]),
                condition=(by, str(name["id"])),
            )
            for name, its_look, (group, usage) in zip(named, looks, largest, strict=True)
        ]

    def _largest(self, groups: Mapping[Group, Usage]) -> list[tuple[Group, Usage]]:
        """Without a price is not without cost; but what is zero is not listed."""
        values = [(self._value(usage), group) for group, usage in groups.items()]
        largest = nlargest(_SHOWN, (item for item in values if item[0] != 0), key=lambda item: item[0] or 0)
        return [(group, groups[group]) for _value, group in largest]

    def _page(self, by: str, value: object) -> str:
        return page_of(by, value, self.answers.query.elsewhere)

    def _row(self, key: str, name: str, its_look: Look, usage: Usage, whole: Usage) -> Row:
        value, of = self._value(usage), self._value(whole)
        share = value / of if value is not None and of else None
        return Row(key, name, its_look, usage, value, share)

    def _value(self, usage: Usage) -> int | None:
        """The chosen metric; None where nothing is priced."""
        return METRICS[self.answers.query.metric].of(usage)

    def _look(self, channel: int | None) -> Look:
        found = self.channels.get(channel or 0)
        return look.of_slot(found.color_slot, found.shape) if found else look.UNKNOWN

    def _spark(self, group: Group) -> Sparkline | None:
        points = thinned(self.answers.lines.get(group, []), sum)
        return sparkline(points, METRICS[self.answers.query.metric].unit)
