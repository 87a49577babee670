"""Failures over time, by class."""

from __future__ import annotations

from django.utils.translation import gettext as _

from channels_app.chart_file import links_to_files
from channels_app.charts.stacked_bars import StackedBars
from channels_app.charts.time_chart import Series
from channels_app.charts.unit import REQUESTS
from channels_app.errors_page.answers import ErrorsAnswers
from channels_app.errors_page.classes import CLASSES, class_of


def failures_chart(answers: ErrorsAnswers) -> StackedBars:
    return StackedBars(
        id="failures",
        title=_("Failed requests by class"),
        unit=REQUESTS,
        timeline=answers.timeline,
        series=_series(answers),
        zoom=str(answers.query.anywhen),
        records=answers.query.scope.records(failed=True),
        links=links_to_files(answers.query.address),
    )


def _series(answers: ErrorsAnswers) -> list[Series]:
    """In the order of the classes, those without a failure left out."""
    query, timeline = answers.query, answers.timeline
    sums = {key: [0] * timeline.begun for key in CLASSES}
    for kind, line in answers.lines.items():
        into = sums[class_of(kind.code)]
        for at, value in enumerate(line[: timeline.begun]):
            into[at] += value
    return [
        Series(
            key,
            str(CLASSES[key].label),
            [None if not value and timeline.is_gap(at) else value for at, value in enumerate(values)],
            CLASSES[key].look,
            sum(values),
            key in query.hide,
            str(query.hiding(key).address),
        )
        for key, values in sums.items()
        if any(values)
    ]
