"""The eight figures of a page and what stands below them as a file (`ui.md` 11.2, "Export")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.http.response import HttpResponseBase

from channels_app.comparison import OFF
from channels_app.dashboard.answers import Answers
from channels_app.dashboard.cards import Cards
from channels_app.data_file import data_file
from channels_app.period import Period
from channels_app.stats.peaks import Peak
from channels_app.usage_table.columns import usd
from usage.models.fields import from_micros

# What `section` asks for.
FIGURES = "figures"


def figures_file(answers: Answers, name: str, file_format: str) -> HttpResponseBase:
    """Return a row of the period and, where the page compares, one of the period before, each with when it was: tokens,
    USD, ms, rates from 0 to 1, requests and tokens a minute; empty where there is no such value. `name` says of what it is.
    """
    of_each = [answers]
    if answers.before and not Cards(answers).reason:
        of_each.append(_of_another(answers, answers.before))
    rows = [[figure(one) for figure in _FIGURES.values()] for one in of_each]
    return data_file(f"{name}-figures", answers.query.scope, [*_FIGURES], rows, file_format)


def _of_another(answers: Answers, period: Period) -> Answers:
    scope = replace(answers.query.scope, period=period, comparison=OFF)
    return replace(answers, query=replace(answers.query, scope=scope))


def _client_success(answers: Answers) -> float | None:
    return answers.calls.success_rate if answers.calls else None


def _value(peak: Peak) -> int | None:
    return None if peak.at is None else peak.value


def _at(peak: Peak) -> datetime | None:
    return None if peak.at is None else from_micros(peak.at)


def _a_minute(answers: Answers, amount: int) -> float | None:
    minutes = answers.elapsed.recorded
    return amount / minutes if minutes else None


# Each is called as tables call it. What is read of very many records is near: percentiles at most 5 % off, and a
# busiest minute perhaps not the busiest.
_FIGURES: dict[str, Callable[[Answers], object]] = {
    "since": lambda answers: answers.period.since,
    "until": lambda answers: answers.period.until,
    "requests": lambda answers: answers.usage.requests,
    "succeeded": lambda answers: answers.usage.succeeded,
    "failed": lambda answers: answers.usage.failed,
    "success_rate": lambda answers: answers.usage.success_rate,
    "client_success_rate": _client_success,
    "total_tokens": lambda answers: answers.usage.total_tokens,
    "input_tokens": lambda answers: answers.usage.input_tokens,
    "output_tokens": lambda answers: answers.usage.output_tokens,
    "est_cost_usd": lambda answers: usd(answers.usage.cost),
    "price_coverage": lambda answers: answers.usage.price_coverage,
    "cost_per_request_usd": lambda answers: usd(answers.usage.cost_per_request),
    "cache_hit_rate": lambda answers: answers.usage.cache_hit_rate,
    "cache_savings_usd": lambda answers: usd(answers.usage.saved),
    "latency_p50_ms": lambda answers: answers.timing.latency.percentile(50),
    "latency_p95_ms": lambda answers: answers.timing.latency.percentile(95),
    "ttft_p50_ms": lambda answers: answers.timing.ttft.percentile(50),
    "latency_is_exact": lambda answers: not answers.timing.latency.is_rough,
    "tokens_per_second": lambda answers: answers.usage.speed,
    "peak_rpm": lambda answers: _value(answers.peaks.requests),
    "peak_rpm_at": lambda answers: _at(answers.peaks.requests),
    "peak_rpm_is_exact": lambda answers: answers.peaks.requests.is_exact,
    "peak_tpm": lambda answers: _value(answers.peaks.tokens),
    "peak_tpm_at": lambda answers: _at(answers.peaks.tokens),
    "peak_tpm_is_exact": lambda answers: answers.peaks.tokens.is_exact,
    "average_rpm": lambda answers: _a_minute(answers, answers.usage.requests),
    "average_tpm": lambda answers: _a_minute(answers, answers.usage.total_tokens),
}
