"""How long answers took, over time."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _

from channels_app.chart_file import LATENCY, links_to_files
from channels_app.charts.lines import Lines
from channels_app.charts.log_lines import LogLines
from channels_app.charts.look import Look
from channels_app.charts.time_chart import Link, Series
from channels_app.charts.unit import MILLISECONDS
from channels_app.dashboard.answers import Answers
from channels_app.stats import Timing


def latency_chart(answers: Answers) -> Lines:
    whole, is_log = answers.timing, answers.query.log
    return (LogLines if is_log else Lines)(
        id="latency",
        title=_("Latency"),
        unit=MILLISECONDS,
        timeline=answers.timing_timeline,
        series=[
            _series(answers, "p95", _("p95"), whole, lambda timing: timing.latency.percentile(95)),
            _series(answers, "p50", _("p50"), whole, lambda timing: timing.latency.percentile(50)),
            _series(answers, "ttft", _("First token p50"), whole, lambda timing: timing.ttft.percentile(50)),
        ],
        band=("p95", "p50"),
        is_labelled=True,
        samples=_samples(answers),
        zoom=str(answers.query.anywhen),
        records=answers.query.scope.records(),
        links=[
            *links_to_files(answers.query.address, LATENCY),
            Link(_("Linear scale") if is_log else _("Log scale"), answers.query.other_scale),
            Link(_("Open in Explore"), answers.query.exploring(metric="p95", by="none")),
        ],
    )


def _samples(answers: Answers) -> list[int]:
    found = [timing.latency.samples for timing in answers.timing_by_time]
    return found + [0] * (answers.timing_timeline.begun - len(found))


def _series(answers: Answers, key: str, name: str, whole: Timing, percentile: Callable[[Timing], int | None]) -> Series:
    values = [percentile(timing) for timing in answers.timing_by_time]
    values += [None] * (answers.timing_timeline.begun - len(values))
    return Series(key, name, values, Look(f"line-{key}", f"line-{key}"), percentile(whole))
