"""The main chart: usage over time, by channel, account, model, client key or kind of token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.chart_file import links_to_files
from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.mix import KINDS
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.time_chart import Link, Series
from channels_app.dashboard.answers import Answers
from channels_app.dashboard.query import METRICS, DashboardQuery
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.site import site
from channels_app.stats import name_groups
from channels_app.stats.questions import Group
from usage.models import Channel

_TITLES: dict[str, Promise] = {
    "channel": gettext_lazy("%(metric)s by channel"),
    "account": gettext_lazy("%(metric)s by account"),
    "model": gettext_lazy("%(metric)s by model"),
    "key": gettext_lazy("%(metric)s by API key"),
    "type": gettext_lazy("%(metric)s by type"),
}


class _Line(NamedTuple):
    key: str
    name: str
    look: Look
    values: Sequence[int]
    condition: str = ""


def usage_chart(answers: Answers, channels: dict[int, Channel]) -> StackedBars:
    """Return the chart that the address asks for; `channels` are all there are, by id."""
    query = answers.query
    metric = METRICS[query.metric]
    lines, others = _lines(answers, channels)
    keys = [line.key for line in lines]
    series = [_series(answers, line, keys) for line in lines]
    chart = StackedBars(
        id="usage",
        title=str(_TITLES[query.by]) % {"metric": metric.label},
        unit=metric.unit,
        timeline=answers.timeline,
        series=series,
        compared=_compared(answers),
        zoom=str(query.anywhen),
        records=query.scope.records(failed=query.metric == "failed"),
        links=[*_links(query)],
        is_share=query.stack == "share",
    )
    if others:
        largest = site().top_series
        chart.notes.append(_("The largest %(shown)s of %(of)s") % {"shown": largest, "of": largest + others})
    if hidden := [one.name for one in series if one.is_hidden]:
        chart.notes.append(_("Hidden: %(names)s") % {"names": _(", ").join(hidden)})
    return chart


def _links(query: DashboardQuery) -> Iterator[Link]:
    yield from links_to_files(query.address)
    view = {"view": query.stack} if query.stack else {}
    yield Link(_("Open in Explore"), query.exploring(metric=query.metric, by=query.by, **view))


def _series(answers: Answers, line: _Line, keys: Sequence[str]) -> Series:
    query, timeline = answers.query, answers.timeline
    values = [None if not value and timeline.is_gap(at) else value for at, value in enumerate(line.values)]
    return Series(
        line.key,
        line.name,
        values,
        line.look,
        sum(line.values),
        line.key in query.hide,
        str(query.hiding(line.key).address),
        str(query.showing(line.key, keys).address) if len(keys) > 1 else "",
        line.condition,
    )


def _compared(answers: Answers) -> Series | None:
    """The whole of the period before: what is hidden here is in it, so it then says nothing."""
    if answers.query.hide or not any(answers.line_before):
        return None
    return Series("before", _("Period before"), answers.line_before, Look("compared", "line-ttft"))


def _lines(answers: Answers, channels: dict[int, Channel]) -> tuple[list[_Line], int]:
    """Return what is stacked, the largest first, and how many others there are."""
    query = answers.query
    if query.shows_types:
        return list(_types(answers)), 0
    found = answers.lines_by(query.by)
    positions: dict[Group, int] = (
        {(pk,): channel.position for pk, channel in channels.items()} if query.by == "channel" else {}
    )
    groups = sorted(
        ((group, values) for group, values in found.items() if any(values)),
        key=lambda item: (-sum(item[1]), positions.get(item[0], 0)),
    )
    known = [item for item in groups if item[0] != (None,)]
    most = site().top_series
    # The others are one; where that would be one alone, it is shown itself.
    shown = known[:most] if len(known) > most + 1 else known
    lines = _named(query, [group for group, _values in shown], [values for _group, values in shown], channels)
    if rest := [values for _group, values in known[len(shown) :]]:
        name = _("Other (%(n)s)") % {"n": len(rest)}
        lines.append(_Line("other", name, look.OTHER, [sum(one) for one in zip(*rest, strict=True)]))
    unknown = _("Unknown account") if query.by == "account" else _("Unknown channel")
    asked = f"channel={UNKNOWN_CHANNEL}" if query.by == "channel" else ""
    lines += [_Line("unknown", unknown, look.UNKNOWN, values, asked) for group, values in groups if group == (None,)]
    return lines, len(known) - len(shown)


def _types(answers: Answers) -> Iterator[_Line]:
    for key, (name, its_look) in KINDS.items():
        values = [getattr(usage, key) for usage in answers.usage_by_time]
        if any(values):
            yield _Line(key, str(name), its_look, values)


def _look(channel: Channel) -> Look:
    return look.of_slot(channel.color_slot, channel.shape)


def _named(
    query: DashboardQuery, groups: Sequence[Group], values: Sequence[Sequence[int]], channels: dict[int, Channel]
) -> list[_Line]:
    if query.by == "channel":
        found = [channels[group[0] or 0] for group in groups]
        return [
            _Line(channel.slug, channel.name, _look(channel), line, f"channel={channel.slug}")
            for channel, line in zip(found, values, strict=True)
        ]
    names = name_groups([query.by], groups)
    named = [names[group][query.by] for group in groups]
    looks = look.of_names([str(name["id"]) for name in named])
    return [
        _Line(str(name["id"]), name["name"], its_look, line, urlencode({query.by: name["id"]}))
        for name, its_look, line in zip(named, looks, values, strict=True)
    ]
