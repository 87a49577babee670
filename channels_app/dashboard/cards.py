"""The eight figures at the top of a page (`ui.md` 9.1 and 11.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from channels_app.charts.sparkline import Sparkline, sparkline, thinned
from channels_app.dashboard.answers import Answers, together
from channels_app.dashboard.delta import Better, Delta, delta
from channels_app.stats import Spread, Usage
from channels_app.stats.peaks import Peak
from channels_app.stats.seen import first_day
from channels_app.templatetags.formats import count, duration, money, no_data, percent, tokens
from usage import formats
from usage.models.fields import from_micros

# Fewer samples make no percentile (ui.md M22).
_FEW_SAMPLES = 20
_COVERED = 0.995


@dataclass(frozen=True)
class Card:
    """`note` explains the figure, `details` stand below it; `few` says why to doubt the value."""

    key: str
    label: Promise
    note: Promise
    value: SafeString
    details: Sequence[str]
    delta: Delta | None = None
    spark: Sparkline | None = None
    address: str = ""
    few: str = ""
    warns: bool = False


@dataclass
class Cards:
    """Eight cards of the same answers."""

    answers: Answers

    def __iter__(self) -> Iterator[Card]:
        yield from (
            self._requests(), self._success(), self._tokens(), self._cost(),
            self._cache(), self._latency(), self._speed(), self._peak(),
        )  # fmt: skip

    @cached_property
    def reason(self) -> str:
        """Why nothing can be compared; empty where it can."""
        before, first = self.answers.before, first_day()
        if before is None:
            return _("no period to compare with")
        if first is None or before.since < first:
            return _("the period before has no records at its beginning")
        return _("the period before has a collection gap") if self.answers.gap_share_before > 0.05 else ""

    def _requests(self) -> Card:
        usage = self.answers.usage
        details = [
            _("%(n)s succeeded") % {"n": formats.count(usage.succeeded)},
            pgettext("of all requests", "%(n)s failed") % {"n": formats.count(usage.failed)},
        ]
        return Card(
            "requests", gettext_lazy("Requests"), gettext_lazy("Upstream attempts; a retried call counts each try."),
            count(usage.requests), details, self._delta(lambda usage: usage.requests),
            self._spark(lambda usage: usage.requests), self._more("requests"),
        )  # fmt: skip

    def _success(self) -> Card:
        calls = self.answers.calls
        rate = calls.success_rate if calls else None
        detail = _("client-level %(rate)s") % {"rate": formats.percent(rate)} if rate is not None else ""
        return Card(
            "success", gettext_lazy("Success rate"),
            gettext_lazy("Succeeded ÷ requests. Of client requests: those of which some attempt succeeded."),
            percent(self.answers.usage.success_rate), [detail],
            self._delta(lambda usage: usage.success_rate, Better.HIGHER, is_rate=True),
            self._spark(lambda usage: usage.success_rate), self._more("success"),
        )  # fmt: skip

    def _tokens(self) -> Card:
        usage = self.answers.usage
        details = [
            _("in %(n)s") % {"n": formats.compact(usage.input_tokens)},
            _("out %(n)s") % {"n": formats.compact(usage.output_tokens)},
        ]
        return Card(
            "tokens", gettext_lazy("Total tokens"), gettext_lazy("Input + output + unclassified"),
            tokens(usage.total_tokens), details, self._delta(lambda usage: usage.total_tokens),
            self._spark(lambda usage: usage.total_tokens), self._more("tokens"),
        )  # fmt: skip

    def _cost(self) -> Card:
        usage = self.answers.usage
        coverage, each = usage.price_coverage, usage.cost_per_request
        is_partial = coverage is not None and coverage < _COVERED
        detail = ""
        if is_partial:
            detail = _("covers %(share)s of tokens") % {"share": formats.percent(coverage or 0)}
        elif each is not None:
            detail = _("%(cost)s a request") % {"cost": formats.money(round(each))}
        return Card(
            "cost", gettext_lazy("Est. cost"), gettext_lazy("At API list prices; an estimate, not a bill"),
            cost_of(usage), [detail], self._delta(lambda usage: usage.cost, Better.NEITHER),
            self._spark(lambda usage: usage.cost_nanousd), self._more("cost"), warns=is_partial,
        )  # fmt: skip

    def _cache(self) -> Card:
        usage = self.answers.usage
        facts = {"cached": formats.compact(usage.cache_read), "input": formats.compact(usage.input_tokens)}
        details = [_("%(cached)s of %(input)s input") % facts]
        if usage.saved is not None:
            details.append(_("saved ≈ %(amount)s") % {"amount": formats.money(usage.saved)})
        return Card(
            "cache", gettext_lazy("Cache hit rate"), gettext_lazy("Cached input ÷ input"),
            percent(usage.cache_hit_rate), details,
            self._delta(lambda usage: usage.cache_hit_rate, Better.HIGHER, is_rate=True),
            self._spark(lambda usage: usage.cache_hit_rate), self._more("cache"),
        )  # fmt: skip

    def _latency(self) -> Card:
        found, before = self.answers.timing, self.answers.latency_before
        p95 = found.latency.percentile(95)
        details = [
            _("p50 %(time)s") % {"time": _time(found.latency, 50)},
            _("first token p50 %(time)s") % {"time": _time(found.ttft, 50)},
        ]
        points = thinned([one.latency.percentile(95) for one in self.answers.timing_by_time], _most)
        is_few = p95 is not None and found.latency.samples < _FEW_SAMPLES
        return Card(
            "latency", gettext_lazy("Latency p95"),
            gettext_lazy("95 of 100 answers took at most this long. First token: how long until it came."),
            duration(None if p95 is None else timedelta(milliseconds=p95)),
            details if p95 is not None else [_("no timed requests")],
            self._change(p95, before.percentile(95) if before else None, Better.LOWER),
            sparkline(points), self._more("latency"), few=_("few requests") if is_few else "",
        )  # fmt: skip

    def _speed(self) -> Card:
        usage = self.answers.usage
        speed = usage.speed
        value = no_data() if speed is None else format_html("{} <small>tok/s</small>", f"{speed:.1f}")
        detail = _("measured on %(n)s output tokens") % {"n": formats.compact(usage.timed_output)}
        return Card(
            "speed", gettext_lazy("Speed"), gettext_lazy("Output tokens a second, from the first one on"), value,
            [detail if speed is not None else _("no timed requests")],
            self._delta(lambda usage: usage.speed, Better.HIGHER), self._spark(lambda usage: usage.speed),
            self._more("speed"),
        )  # fmt: skip

    def _peak(self) -> Card:
        found, usage, minutes = self.answers.peaks, self.answers.usage, self.answers.elapsed.recorded
        details = []
        if found.tokens.at is not None:
            details.append(_("at most %(n)s TPM") % {"n": _peak_text(found.tokens, formats.compact)})
        if minutes:
            details.append(_("on average %(n)s RPM") % {"n": formats.per_minute(usage.requests / minutes)})
        return Card(
            "peak", gettext_lazy("Peak rate"),
            gettext_lazy("The most requests that began in one minute (RPM). Below: the most tokens of one (TPM)."),
            self._peak_value(found.requests), details, address=self._around(found.requests),
        )  # fmt: skip

    def _around(self, peak: Peak) -> str:
        if peak.at is None:
            return ""
        return self.answers.query.around(from_micros(peak.at).astimezone(self.answers.period.zone))

    def _peak_value(self, peak: Peak) -> SafeString:
        """The minute itself is its title."""
        if peak.at is None:
            return no_data()
        at = formats.minute(from_micros(peak.at), self.answers.period.zone, self.answers.now)
        text = _peak_text(peak, formats.count)
        return format_html('<span title="{}">{}</span> <small>RPM</small>', at, text)

    def _delta(
        self, figure: Callable[[Usage], float | None], better: Better = Better.NEITHER, *, is_rate: bool = False
    ) -> Delta | None:
        if self.reason:
            return None
        return delta(figure(self.answers.usage), figure(self.answers.usage_before), better, is_rate=is_rate)

    def _change(self, now: float | None, before: float | None, better: Better) -> Delta | None:
        return None if self.reason else delta(now, before, better)

    def _spark(self, figure: Callable[[Usage], float | None]) -> Sparkline | None:
        return sparkline([figure(usage) for usage in self._points])

    @cached_property
    def _points(self) -> list[Usage]:
        return thinned(self.answers.usage_by_time, together)

    def _more(self, key: str) -> str:
        return self.answers.query.drill_down(key)


def cost_of(usage: Usage) -> SafeString:
    if usage.pricing == "unpriced" and usage.total_tokens:
        return format_html("{}", _("unpriced"))
    least = "≥ " if usage.pricing == "partial" else ""
    return format_html("{}{}", least, money(usage.cost))


def _time(spread: Spread, share: int) -> str:
    """Rough percentiles say that they are."""
    found = spread.percentile(share)
    if found is None:
        return formats.NO_DATA
    return f"{'≈ ' if spread.is_rough else ''}{formats.duration(timedelta(milliseconds=found))}"


def _peak_text(peak: Peak, write: Callable[[int], str]) -> str:
    return write(peak.value) if peak.is_exact else f"≥ {write(peak.value)}"


def _most(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
