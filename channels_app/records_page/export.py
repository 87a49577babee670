"""The list of records as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

from django.http import StreamingHttpResponse

from channels_app.csv_file import csv_answer
from channels_app.data_file import JSON, json_stream
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.record_costs import prices_of, told_by
from channels_app.records import records, tokens_per_second
from channels_app.records_page.query import RecordsQuery
from usage.models import UsageRecord

_MOST, _AT_ONCE = 1_000_000, 1_000
_HEADER = (
    "id", "requested_at", "server", "channel", "account", "model", "requested_as", "api_key", "failed", "status_code",
    "uncached_input", "cache_read", "cache_write", "answer_output", "reasoning", "unclassified", "total_tokens",
    "token_quality", "est_cost_usd", "ttft_ms", "latency_ms", "tokens_per_second", "endpoint", "reasoning_effort",
    "service_tier", "billed_tier", "request_id", "client_ip", "forwarded_for", "user_agent",
)  # fmt: skip


def export(query: RecordsQuery, file_format: str) -> StreamingHttpResponse:
    """Return up to a million records, sent while they are read; if there are more, the end of the file says so."""
    if file_format == JSON:
        return json_stream("records", query.scope, _HEADER, _rows(query), _MOST)
    return csv_answer("records", query.scope.period, _HEADER, _first(_rows(query)))


def _first(rows: Iterator[list[object]]) -> Iterator[list[object]]:
    yield from islice(rows, _MOST)
    if next(rows, None):
        yield [f"# only the first {_MOST} records"]


def _rows(query: RecordsQuery) -> Iterator[list[object]]:
    for rows in _pages(query):
        yield from (_values(row, query) for row in rows)


def _pages(query: RecordsQuery) -> Iterator[Iterable[UsageRecord]]:
    span, conditions, cursor = query.scope.span, query.conditions, None
    narrowing, prices = query.search.narrowing(span), prices_of(query.scope.basis)
    while True:
        page = records(span, conditions, query.sort, cursor, _AT_ONCE, narrowing)
        yield told_by(prices, page.rows)
        cursor = page.older
        if cursor is None:
            return


def _values(row: UsageRecord, query: RecordsQuery) -> list[object]:
    source, traits, client, speed = row.source, row.traits, row.client, tokens_per_second(row)
    channel = source.known_channel
    return [
        row.pk, row.requested_at.astimezone(query.scope.period.zone).isoformat(), source.instance.slug,
        channel.slug if channel else UNKNOWN_CHANNEL, str(source.account or source), row.model.name, row.alias.name,
        str(row.api_key or ""), str(row.failed).lower(), row.status_code, row.uncached_input, row.cache_read,
        row.cache_write, row.output, row.reasoning, row.unclassified, row.total_tokens,
        UsageRecord.Quality(row.quality).name.lower(), _usd(row.cost_nanousd), row.ttft_ms, row.latency_ms,
        None if speed is None else f"{speed:.1f}", traits.endpoint, traits.reasoning_effort, traits.service_tier,
        traits.billed_tier, row.request_id,
        *((client.shown_ip, client.shown_forwarded_for, client.user_agent) if client else (None, None, None)),
    ]  # fmt: skip


def _usd(nanousd: int | None) -> str | None:
    """All nine decimals: of a cent's thousandth six would leave nothing."""
    return None if nanousd is None else f"{Decimal(nanousd).scaleb(-9):.9f}"
