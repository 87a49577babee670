"""What Explore can draw (`ui.md` 6): each metric as a whole number of its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.charts.unit import (
    ACTIVE,
    HUNDREDTHS_OF_A_PERCENT,
    MILLIONTHS_OF_RPM,
    MILLISECONDS,
    NANOUSD,
    REQUESTS,
    RPM,
    TENTHS,
    THOUSANDTHS_OF_TPM,
    TOKENS,
    TPM,
    Unit,
)
from channels_app.stats import Timing, Usage
from channels_app.stats.peaks import Peak, Peaks
from channels_app.stats.peaks_by_time import Highest
from usage.ingest.grains import TOKENS as TOKEN_KINDS

_INPUT = ("uncached_input", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True)
class Metric:
    """A value of usage that is told by these sums; None where there is none. What `adds_up` can be stacked and shared; of
    what does not, or may be less than 0, the sums tell the requests too. What `is_per_minute` is divided by the minutes that were recorded.
    """

    label: Promise
    unit: Unit
    sums: tuple[str, ...]
    of: Callable[[Usage], int | None]
    adds_up: bool = True
    is_per_minute: bool = False


@dataclass(frozen=True, slots=True)
class Percentile:
    """How long answers, or their first tokens, took: `of` a timing, in milliseconds."""

    label: Promise
    of: Callable[[Timing], int | None]
    unit: Unit = MILLISECONDS
    adds_up: bool = False


@dataclass(frozen=True, slots=True)
class CallRate:
    """How many client requests succeeded."""

    label: Promise
    unit: Unit = HUNDREDTHS_OF_A_PERCENT
    adds_up: bool = False


@dataclass(frozen=True, slots=True)
class PeakRate:
    """The most requests, or the most tokens, that began in one minute: `of` a minute."""

    label: Promise
    unit: Unit
    of: Callable[[Highest], int]
    peak_of: Callable[[Peaks], Peak]
    adds_up: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """How many of one of stats.DIMENSIONS had a request; what is unknown is none of them."""

    label: Promise
    counted: str
    unit: Unit = ACTIVE
    adds_up: bool = False


AnyMetric = Metric | Percentile | CallRate | PeakRate | Presence


def _count(label: Promise, *sums: str, unit: Unit = TOKENS) -> Metric:
    return Metric(label, unit, sums, lambda usage: sum(getattr(usage, name) for name in sums))


def _ratio(
    label: Promise, unit: Unit, sums: Sequence[str], figure: Callable[[Usage], float | None], scale: int = 1
) -> Metric:
    def of(usage: Usage) -> int | None:
        value = figure(usage)
        return (
            None if value is None else int(value * scale) if unit is HUNDREDTHS_OF_A_PERCENT else round(value * scale)
        )

    return Metric(label, unit, tuple(dict.fromkeys(("requests", *sums))), of, adds_up=False)


def _per_minute(label: Promise, unit: Unit, sums: Sequence[str], of: Callable[[Usage], int]) -> Metric:
    return Metric(label, unit, tuple(dict.fromkeys(("requests", *sums))), of, adds_up=False, is_per_minute=True)


_PRICED = ("requests", "priced_requests", "priced_succeeded", "priced_tokens", "cost_nanousd")

METRICS: dict[str, AnyMetric] = {
    "tokens": _count(_("Tokens"), *TOKEN_KINDS),
    "requests": _count(_("Requests"), "requests", unit=REQUESTS),
    "succeeded": Metric(_("Succeeded"), REQUESTS, ("requests", "failed"), lambda usage: usage.succeeded),
    "failed": _count(_("Failed"), "failed", unit=REQUESTS),
    "cost": Metric(_("Est. cost"), NANOUSD, _PRICED, lambda usage: usage.cost),
    "input": _count(_("Input"), *_INPUT),
    "cached": _count(_("Cached input"), "cache_read"),
    "written": _count(_("Cache write"), "cache_write"),
    "output": _count(_("Output"), "output", "reasoning"),
    "reasoning": _count(_("Reasoning"), "reasoning"),
    "unclassified": _count(_("Unclassified"), "unclassified"),
    "without_usage": _count(_("Without usage"), "without_usage", unit=REQUESTS),
    "success": _ratio(_("Success rate"), HUNDREDTHS_OF_A_PERCENT, ("requests", "failed"), lambda one: one.success_rate, 10_000),
    "client_success": CallRate(_("Client success rate")),
    "error_rate": _ratio(_("Error rate"), HUNDREDTHS_OF_A_PERCENT, ("requests", "failed"), lambda one: one.error_rate, 10_000),
    "hit": _ratio(_("Cache hit rate"), HUNDREDTHS_OF_A_PERCENT, _INPUT, lambda one: one.cache_hit_rate, 10_000),
    "coverage": _ratio(_("Price coverage"), HUNDREDTHS_OF_A_PERCENT, (*TOKEN_KINDS, "priced_tokens"), lambda one: one.price_coverage, 10_000),
    "per_request": _ratio(_("Cost per request"), NANOUSD, _PRICED, lambda one: one.cost_per_request),
    "blended": _ratio(_("Cost per million tokens"), NANOUSD, _PRICED, lambda one: one.blended_price),
    "saved": Metric(_("Saved by the cache"), NANOUSD, (*_PRICED, "saved_nanousd"), lambda usage: usage.saved, adds_up=False),
    "size": _ratio(_("Tokens per request"), TOKENS, (*TOKEN_KINDS, "requests", "failed"), lambda one: one.tokens_per_request),
    "speed": _ratio(_("Speed"), TENTHS, ("timed_output", "timed_ms"), lambda one: one.speed, 10),
    "p50": Percentile(_("Latency p50"), lambda timing: timing.latency.percentile(50)),
    "p95": Percentile(_("Latency p95"), lambda timing: timing.latency.percentile(95)),
    "ttft50": Percentile(_("First token p50"), lambda timing: timing.ttft.percentile(50)),
    "ttft95": Percentile(_("First token p95"), lambda timing: timing.ttft.percentile(95)),
    "rpm": _per_minute(_("Average RPM"), MILLIONTHS_OF_RPM, (), lambda one: 1_000_000 * one.requests),
    "tpm": _per_minute(_("Average TPM"), THOUSANDTHS_OF_TPM, TOKEN_KINDS, lambda one: 1_000 * one.total_tokens),
    "peak_rpm": PeakRate(_("Peak RPM"), RPM, lambda minute: minute.requests, lambda peaks: peaks.requests),
    "peak_tpm": PeakRate(_("Peak TPM"), TPM, lambda minute: minute.tokens, lambda peaks: peaks.tokens),
    "channels": Presence(_("Active channels"), "channel"),
    "accounts": Presence(_("Active accounts"), "account"),
    "models": Presence(_("Active models"), "model"),
    "keys": Presence(_("Active API keys"), "key"),
}  # fmt: skip
