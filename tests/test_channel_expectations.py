"""The samples of the contract: every record finds the channel, the account and the tokens that are expected of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from channels_app.period import Period
from channels_app.stats import channel_report
from tests.factories import NOON, RECEIVED, list_names, sample
from usage.accounting.payload import read_record
from usage.ingest import rollup
from usage.ingest.ledger import Ledger
from usage.models import Instance, UsageRecord

BUCKETS = ("uncached_input", "cache_read", "cache_write", "visible_output", "reasoning", "unclassified")
LISTS = (
    "claude_api_key", "codex_api_key", "gemini_api_key", "interactions_api_key", "vertex_api_key", "xai_api_key",
    "openai_compatibility",
)  # fmt: skip


def test_every_sample_record_finds_its_channel_account_and_tokens(instance: Instance) -> None:
    list_names(instance, auth_files=sample("auth_files_v7"), **{name: sample(f"key_list_{name}") for name in LISTS})
    cases = list(_cases())
    payloads = {case: read_record(raw, RECEIVED) for case, raw, _ in cases}
    counts = Ledger(instance).book(list(payloads.values()), ())
    assert counts.new == len(cases) == 16

    rows = UsageRecord.objects.select_related("source__channel", "source__account__channel")
    by_key = {bytes(row.dedup_key): row for row in rows}
    found = {case: _found(by_key[payload.dedup_key]) for case, payload in payloads.items()}
    assert found == {case: expected for case, _, expected in cases}
    assert rollup.differences() == []
    assert _reported() == _tokens_by_channel(found)


def _cases() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield (name, raw record, what is expected of it)."""
    records, expectations = sample("usage_queue_v7_2"), sample("channel_expectations")
    tokens = {case["index"]: case["expected_tokens"] for case in expectations["records"]}
    for case in expectations["records"]:
        yield (
            f"record {case['index']}",
            json.dumps(records[case["index"]]).encode(),
            _expected(case, tokens[case["index"]]),
        )
    for case in expectations["source_fallback_cases"]:
        changed = records[case["set"]["index"]] | {"auth_index": case["set"]["auth_index"]}
        yield case["case"], json.dumps(changed).encode(), _expected(case, tokens[case["set"]["index"]])


def _expected(case: dict[str, Any], tokens: dict[str, int]) -> dict[str, Any]:
    return {
        "channel": case["expected_channel"],
        "account": case.get("account_unique", case["expected_account"]),
        "is known account": case["match"] != "unknown" and not case.get("ambiguous", False),
        "match": case["match"],
        "tokens": tokens,
    }


def _found(record: UsageRecord) -> dict[str, Any]:
    source = record.source
    channel = source.known_channel
    values = (record.uncached_input, record.cache_read, record.cache_write, record.output, record.reasoning, record.unclassified)  # fmt: skip
    return {
        "channel": channel.name if channel else str(source).partition(" · ")[0],  # as the pages show it
        "account": str(source.account) if source.account else source.label or None,
        "is known account": source.account is not None,
        "match": source.match,
        "tokens": dict(zip(BUCKETS, values, strict=True)) | {"total": record.total_tokens},
    }


def _tokens_by_channel(found: dict[str, Any]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for case in found.values():
        sums["unknown" if case["match"] == "unknown" else case["channel"]] += case["tokens"]["total"]
    return dict(sums)


def _reported() -> dict[str, int]:
    day = Period(NOON - timedelta(days=1), NOON + timedelta(days=1), ZoneInfo("UTC"), NOON)
    return {
        "unknown" if channel.is_unknown else channel.name: channel.usage.total_tokens
        for channel in channel_report(day).channels
    }
