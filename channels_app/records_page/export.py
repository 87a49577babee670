"""The list of records as a CSV file that spreadsheets open as it is (`ui.md` 15)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.http import StreamingHttpResponse

from channels_app.filter_bar.shift import exact
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.record_costs import prices_of, told_by
from channels_app.records import records, tokens_per_second
from channels_app.records_page.query import RecordsQuery
from usage import formats
from usage.models import UsageRecord

CSV = "csv"
_MOST, _AT_ONCE = 1_000_000, 1_000
# A spreadsheet would take a text that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HEADER = (
    "id", "requested_at", "server", "channel", "account", "model", "requested_as", "api_key", "failed", "status_code",
    "uncached_input", "cache_read", "cache_write", "answer_output", "reasoning", "unclassified", "total_tokens",
    "token_quality", "est_cost_usd", "ttft_ms", "latency_ms", "tokens_per_second", "endpoint", "reasoning_effort",
    "service_tier", "billed_tier", "request_id",
)  # fmt: skip


class _Echo:
    """What a csv.writer writes is returned instead of kept."""

    def write(self, text: str) -> str:
        return text


def export(query: RecordsQuery) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(_lines(query), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{_file_name(query)}"'
    return answer


def _file_name(query: RecordsQuery) -> str:
    period = query.scope.period
    since, until = (end.replace(":", "").replace("-", "") for end in exact(period))
    days = f"{since}-{until}" if period.has_start else period.name
    return f"usage-records_{days}_{formats.utc_offset(period.last_moment).replace(formats.MINUS, '-')}.csv"


def _lines(query: RecordsQuery) -> Iterator[str]:
    """Yield a mark by which spreadsheets know UTF-8, then lines; the last one says so if there were more."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(_HEADER)
    written = 0
    for rows in _pages(query):
        for row in rows:
            if written == _MOST:
                yield writer.writerow([f"# only the first {_MOST} records"])
                return
            yield writer.writerow([_inert(value) for value in _values(row, query)])
            written += 1


def _pages(query: RecordsQuery) -> Iterator[Iterable[UsageRecord]]:
    span, conditions, cursor = query.scope.span, query.scope.conditions, None
    narrowing, prices = query.search.narrowing(span), prices_of(query.scope.basis)
    while True:
        page = records(span, conditions, query.sort, cursor, _AT_ONCE, narrowing)
        yield told_by(prices, page.rows)
        cursor = page.older
        if cursor is None:
            return


def _values(row: UsageRecord, query: RecordsQuery) -> list[object]:
    source, traits, speed = row.source, row.traits, tokens_per_second(row)
    channel = source.known_channel
    return [
        row.pk, row.requested_at.astimezone(query.scope.period.zone).isoformat(), source.instance.slug,
        channel.slug if channel else UNKNOWN_CHANNEL, str(source.account or source), row.model.name, row.alias.name,
        str(row.api_key or ""), str(row.failed).lower(), row.status_code, row.uncached_input, row.cache_read,
        row.cache_write, row.output, row.reasoning, row.unclassified, row.total_tokens,
        UsageRecord.Quality(row.quality).name.lower(), _usd(row.cost_nanousd), row.ttft_ms, row.latency_ms,
        None if speed is None else f"{speed:.1f}", traits.endpoint, traits.reasoning_effort, traits.service_tier,
        traits.billed_tier, row.request_id,
    ]  # fmt: skip


def _usd(nanousd: int | None) -> str | None:
    """All nine decimals: of a cent's thousandth six would leave nothing."""
    return None if nanousd is None else f"{Decimal(nanousd).scaleb(-9):.9f}"


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
