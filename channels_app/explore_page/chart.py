"""The chart of Explore: bars, shares, lines or a running total."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.chart_file import links_to_files
from channels_app.charts.lines import Lines
from channels_app.charts.log_lines import LogLines
from channels_app.charts.look import Look
from channels_app.charts.signed_lines import SignedLines
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.success_rate import SuccessRate
from channels_app.charts.time_chart import Series, TimeChart
from channels_app.explore_page.answers import ExploreAnswers
from channels_app.explore_page.groups import Groups, Shown
from channels_app.explore_page.query import ExploreQuery
from channels_app.filter_bar.bar import words_of

_ID = "explore"
_TITLES: dict[str, Promise | str] = {
    "none": "%(metric)s",
    "channel": gettext_lazy("%(metric)s by channel"),
    "account": gettext_lazy("%(metric)s by account"),
    "model": gettext_lazy("%(metric)s by model"),
    "key": gettext_lazy("%(metric)s by API key"),
    "server": gettext_lazy("%(metric)s by server"),
    "type": gettext_lazy("%(metric)s by type"),
    "status": gettext_lazy("%(metric)s by outcome"),
    "code": gettext_lazy("%(metric)s by status of failures"),
    "endpoint": gettext_lazy("%(metric)s by endpoint"),
    "effort": gettext_lazy("%(metric)s by effort"),
    "tier": gettext_lazy("%(metric)s by service tier"),
}


def explore_chart(answers: ExploreAnswers, found: Groups) -> TimeChart:
    query = answers.query
    keys = [one.key for one in found.shown]
    series = [_series(answers, one, keys) for one in found.shown]
    notes = []
    if found.others:
        notes.append(_("The largest %(shown)s of %(of)s") % {"shown": found.count - found.others, "of": found.count})
    if hidden := [one.name for one in series if one.is_hidden]:
        notes.append(_("Hidden: %(names)s") % {"names": _(", ").join(hidden)})
    title, unit, zoom, records = (
        title_of(answers),
        query.measured.unit,
        str(query.anywhen),
        query.scope.records(failed=query.metric == "failed"),
    )
    links = links_to_files(query.address)
    if query.is_stacked:
        return StackedBars(
            id=_ID, title=title, unit=unit, timeline=answers.timeline, series=series, zoom=zoom, notes=notes,
            is_share=query.view == "share", records=records, links=links,
        )  # fmt: skip
    return _lines(query)(
        id=_ID,
        title=title,
        unit=unit,
        timeline=answers.timeline,
        series=series,
        zoom=zoom,
        notes=notes,
        records=records,
        links=links,
    )


def _lines(query: ExploreQuery) -> type[Lines]:
    """Success rates are near to 100 %: their axis begins where they do. Where writing cost more than reading saved, the
    cache saved less than nothing.
    """
    if query.log:
        return LogLines
    if query.metric == "saved":
        return SignedLines
    return SuccessRate if query.metric in ("success", "client_success") else Lines


def title_of(answers: ExploreAnswers) -> str:
    """Metric, grouping and period in words."""
    title = str(_TITLES[answers.query.by]) % {"metric": answers.query.measured.label}
    if answers.query.view == "sum":
        title = _("%(title)s, running total") % {"title": title}
    return f"{title} · {words_of(answers.query.scope.period)}"


def _series(answers: ExploreAnswers, one: Shown, keys: Sequence[str]) -> Series:
    query, look, values = answers.query, one.look, one.line.values
    if query.view == "sum":
        values = _running(values)
    if not query.is_stacked:
        look = Look(f"{look.fill} dash-{look.shape}", look.shape)  # lines are told apart without colour too
    return Series(
        one.key, one.name, values, look, one.line.total, one.key in query.hide, str(query.hiding(one.key)),
        str(query.showing(one.key, keys)) if len(keys) > 1 else "", urlencode({query.by: one.value}) if one.value else "",
    )  # fmt: skip


def _running(values: Sequence[int | None]) -> list[int | None]:
    return [*accumulate(value or 0 for value in values)]
