"""The columns that tables of usage can have: each once, for the page, its order and its files (`ui.md` 6 and 9.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from channels_app.dashboard.delta import delta
from channels_app.stats import Share, Spread, Usage
from channels_app.templatetags import formats as written
from channels_app.templatetags.charts import spark
from channels_app.templatetags.marks import bar
from channels_app.usage_table.row import Row
from usage import formats

# Fewer samples make no percentile (`ui.md` M22).
_FEW_SAMPLES = 20
_DAY = timedelta(days=1)

Figure = float | int | datetime | None


@dataclass(frozen=True)
class Column:
    """`key` is the class of its cells, and what `sort` says; `field` is its name in files, empty where it is in none.

    `figure` is what rows are ordered by (None goes last), and what files say unless they say it otherwise (`told`).
    """

    key: str
    label: Promise | str
    figure: Callable[[Row], Figure]
    write: Callable[[Row], SafeString | str]
    note: Promise | str = ""
    field: str = ""
    told: Callable[[Row], object] | None = None
    is_sortable: bool = True

    def export(self, row: Row) -> object:
        return self.told(row) if self.told else self.figure(row)


def _of_usage(
    key: str,
    label: Promise,
    figure: Callable[[Usage], Figure],
    write: Callable[..., SafeString],
    note: Promise | str = "",
    field: str = "",
) -> Column:
    return Column(key, label, lambda row: figure(row.usage), lambda row: write(figure(row.usage)), note, field or key)


def _cost(row: Row) -> str:
    """Most have no badge: of hundreds of rows a template would take as long as the page."""
    told = written.cost(row.usage, row.models, row.key)
    return render_to_string("channels/_cost.html", told) if told["confidence"] else str(told["amount"])


def _success(row: Row) -> str:
    return written.success(row.usage)


def _nanousd(value: float | None) -> int | None:
    return None if value is None else round(value)


def usd(value: float | None) -> str | None:
    """All nine decimals: of a cent's thousandth six would leave nothing."""
    return None if value is None else f"{Decimal(round(value)).scaleb(-9):.9f}"


def _money(key: str, label: Promise, figure: Callable[[Usage], float | None], note: Promise, field: str) -> Column:
    return Column(
        key, label, lambda row: figure(row.usage), lambda row: written.money(_nanousd(figure(row.usage))), note, field,
        lambda row: usd(figure(row.usage)),
    )  # fmt: skip


def _time(
    key: str, label: Promise, spread: Callable[[Row], Spread | None], share: int, note: Promise, field: str
) -> Column:
    def figure(row: Row) -> int | None:
        found = spread(row)
        return found.percentile(share) if found else None

    return Column(key, label, figure, lambda row: _duration(spread(row), share), note, field)


def _duration(spread: Spread | None, share: int) -> SafeString:
    """Rough percentiles say that they are; of few samples that too."""
    text = written.milliseconds(spread.percentile(share) if spread else None)
    if spread is None or not spread.samples:
        return text
    if spread.samples < _FEW_SAMPLES:
        return format_html('<span class="none" title="{}">{}</span>', _("few requests"), text)
    return format_html("≈ {}", text) if spread.is_rough else text


_SHARES = {
    "requests": gettext_lazy("Share of requests"),
    "tokens": gettext_lazy("Share of tokens"),
    "cost": gettext_lazy("Share of cost"),
}
_SHARED = {"requests": "requests", "success": "requests", "failed": "requests", "cost": "cost"}


def share(sorted_by: str) -> Column:
    """Return the share of what the table is sorted by; of tokens where that has none."""
    of = _SHARED.get(sorted_by, "tokens")

    def figure(row: Row) -> float | None:
        found: float | None = getattr(Share.of(row.usage, row.whole), of)
        return found

    def write(row: Row) -> SafeString:
        part = figure(row)
        fill = row.look.fill if row.look else "f-other"
        title = format_html(' title="{}"', _("Share of the row that it is a part of")) if row.is_part else ""
        shown = '<span class="share-of"{}>{}<span>{}</span></span>'
        return format_html(shown, title, bar(part, fill), written.percent(part))

    note = gettext_lazy("Part of the total; of an indented row: of the row that it belongs to")
    return Column("share", _SHARES[of], figure, write, note, f"share_of_{of}", is_sortable=False)


def _detail(key: str, label: Promise, note: Promise, field: str) -> Column:
    """A number that only some pages know, and of some rows."""

    def write(row: Row) -> SafeString | str:
        return written.count(row.details[key]) if key in row.details else ""

    return Column(key, label, lambda row: row.details.get(key), write, note, field)


def _last_used(row: Row) -> SafeString | str:
    """How long ago, of the last day; else the day."""
    if row.seen is None:
        return ""
    now = timezone.now()
    return written.ago(row.seen.last) if now - row.seen.last < _DAY else written.day(row.seen.last)


def _change(row: Row) -> SafeString:
    found = delta(row.usage.total_tokens, row.previous.total_tokens) if row.previous else None
    if found is None:
        return written.no_data()
    sign = {"rises": "+", "falls": formats.MINUS}.get(found.direction, "")
    return format_html('<span title="{}">{}{}</span>', found.spoken, sign, found.text)


def _grown(row: Row) -> float | None:
    before = row.previous.total_tokens if row.previous else 0
    return row.usage.total_tokens / before - 1 if before else None


_EVERY = (
    _of_usage(
        "requests", gettext_lazy("Requests"), lambda usage: usage.requests, written.count,
        gettext_lazy("Upstream attempts; a retried call counts each try"),
    ),
    Column(
        "failed", gettext_lazy("Failed"), lambda row: row.usage.failed, lambda row: written.count(row.usage.failed),
        gettext_lazy("Requests that did not succeed"), "failed",
    ),
    Column(
        "success", gettext_lazy("Success"), lambda row: row.usage.success_rate, _success,
        gettext_lazy("Succeeded ÷ requests"), "success_rate",
    ),
    _of_usage(
        "tokens", gettext_lazy("Tokens"), lambda usage: usage.total_tokens, written.tokens,
        gettext_lazy("Input + output + unclassified"), "total_tokens",
    ),
    _of_usage(
        "input", gettext_lazy("Input"), lambda usage: usage.input_tokens, written.tokens,
        gettext_lazy("Uncached + cached + cache write"), "input_tokens",
    ),
    _of_usage(
        "cached", gettext_lazy("Cached"), lambda usage: usage.cache_read, written.tokens,
        gettext_lazy("Input read from the cache"), "cache_read",
    ),
    _of_usage(
        "written", gettext_lazy("Cache write"), lambda usage: usage.cache_write, written.tokens,
        gettext_lazy("Input written to the cache"), "cache_write",
    ),
    _of_usage(
        "output", gettext_lazy("Output"), lambda usage: usage.output_tokens, written.tokens,
        gettext_lazy("Answer + reasoning"), "output_tokens",
    ),
    _of_usage(
        "reasoning", gettext_lazy("Reasoning"), lambda usage: usage.reasoning, written.tokens,
        gettext_lazy("Part of output"),
    ),
    _of_usage(
        "unclassified", gettext_lazy("Unclassified"), lambda usage: usage.unclassified, written.tokens,
        gettext_lazy("Total known, split unknown"),
    ),
    _of_usage(
        "hit", gettext_lazy("Cache hit"), lambda usage: usage.cache_hit_rate, written.percent,
        gettext_lazy("Cached ÷ input"), "cache_hit_rate",
    ),
    Column(
        "cost", gettext_lazy("Est. cost"), lambda row: row.usage.cost, _cost,
        gettext_lazy("At API list prices; an estimate, not a bill"), "est_cost_usd", lambda row: usd(row.usage.cost),
    ),
    _money(
        "blended", gettext_lazy("Cost / 1M"), lambda usage: usage.blended_price,
        gettext_lazy("Est. cost of a million priced tokens of any kind"), "blended_usd_per_million_tokens",
    ),
    _money(
        "each", gettext_lazy("Cost / request"), lambda usage: usage.cost_per_request,
        gettext_lazy("Est. cost ÷ succeeded priced requests"), "cost_per_request_usd",
    ),
    _of_usage(
        "size", gettext_lazy("Tokens / request"), lambda usage: usage.tokens_per_request,
        lambda value: written.tokens(_nanousd(value)), gettext_lazy("Tokens ÷ succeeded requests"), "tokens_per_request",
    ),
    _time(
        "p50", pgettext_lazy("of latency", "p50"), lambda row: row.timing.latency if row.timing else None, 50,
        gettext_lazy("Half of the answers took at most this long"), "latency_p50_ms",
    ),
    _time(
        "p95", pgettext_lazy("of latency", "p95"), lambda row: row.timing.latency if row.timing else None, 95,
        gettext_lazy("95 of 100 answers took at most this long"), "latency_p95_ms",
    ),
    _time(
        "ttft", gettext_lazy("TTFT p50"), lambda row: row.timing.ttft if row.timing else None, 50,
        gettext_lazy("Half of the first tokens came within this time"), "ttft_p50_ms",
    ),
    _of_usage(
        "speed", gettext_lazy("Speed, tok/s"), lambda usage: usage.speed, written.rate,
        gettext_lazy("Output tokens a second, from the first one on"), "tokens_per_second",
    ),
    Column(
        "delta", gettext_lazy("Δ tokens"), _grown, _change,
        gettext_lazy("Tokens against the period that is compared with"), "tokens_change",
    ),
    _detail("models", gettext_lazy("Models"), gettext_lazy("How many models were used"), "models_used"),
    _detail("channels", gettext_lazy("Channels"), gettext_lazy("How many channels answered"), "channels_used"),
    Column(
        "first", gettext_lazy("First used"), lambda row: row.seen.first if row.seen else None,
        lambda row: written.day(row.seen.first) if row.seen else "",
        gettext_lazy("The day of the first request ever"), "first_used",
    ),
    Column(
        "last", gettext_lazy("Last used"), lambda row: row.seen.last if row.seen else None, _last_used,
        gettext_lazy("The last request ever, whatever the period"), "last_used",
    ),
    Column(
        "trend", gettext_lazy("Trend"), lambda row: None, lambda row: spark(row.spark),
        gettext_lazy("What the table is sorted by, over the period"), is_sortable=False,
    ),
)  # fmt: skip
COLUMNS = {column.key: column for column in _EVERY}
