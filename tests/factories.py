"""Builds what a CPA server sends: records, details of a snapshot, lists of credentials; and books it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import settings

from usage.accounting.payload import Payload, Twins, Unreadable, read_detail, read_record
from usage.ingest import grains
from usage.ingest.accounts import apply_listing
from usage.ingest.ledger import Counts, Ledger, Rejected
from usage.models import ApiKey, Channel, FailureMessage, Instance, ModelName, Source, UsageRecord
from usage.models.fields import to_micros
from usage.models.record import NO_KEY, NO_MESSAGE
from usage.models.rollup import NO_CHANNEL
from usage.upstream.names import fetch_names

# `EXAMPLES=10 make test` searches ten times as long. On PostgreSQL the same code runs a second time.
_SEARCH = float(os.environ.get("EXAMPLES", "1")) / (1 if connection.vendor == "sqlite" else 3)


def examples(count: int) -> int:
    """Return how many examples hypothesis shall try, where `count` are usual."""
    return max(3, round(count * _SEARCH))


def zones(*names: str) -> list[str]:
    """Return in which time zones a test shall run: on PostgreSQL in the last one, since no database is told of zones."""
    return [*names] if connection.vendor == "sqlite" else [names[-1]]


# Machines of a CI are slow at times; that is no failure. Examples are found anew each time and leave no files.
settings.register_profile("tests", deadline=None, max_examples=examples(40), database=None)
settings.load_profile("tests")

NOON = datetime(2026, 8, 22, 12, 0, tzinfo=UTC)
RECEIVED = to_micros(NOON + timedelta(hours=1))
CLIENT_KEY = "sk-team-frontend-FAKE-0001"
TOKENS = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    """Return the content of `tests/samples/<name>.json`."""
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def record(at: datetime = NOON, **fields: Any) -> bytes:
    """Return the raw bytes of a record of the usage queue; a field that is None is left out."""
    known = {
        "timestamp": at.isoformat(),
        "model": "gpt-5.4",
        "provider": "codex",
        "failed": False,
        "tokens": TOKENS,
        "api_key": CLIENT_KEY,
    }
    return json.dumps({name: value for name, value in (known | fields).items() if value is not None}).encode()


def payload(at: datetime = NOON, **fields: Any) -> Payload:
    return read_record(record(at, **fields), RECEIVED)


def detail(at: datetime = NOON, **fields: Any) -> dict[str, Any]:
    """Return one entry of a legacy snapshot."""
    known = {"timestamp": at.isoformat(), "tokens": TOKENS, "failed": False}
    return {name: value for name, value in (known | fields).items() if value is not None}


def legacy_payload(entry: dict[str, Any], identifier: str = CLIENT_KEY, model: str = "gpt-5.4") -> Payload:
    return read_detail(identifier, model, entry, Twins(), RECEIVED)


def read_all(raws: Iterable[bytes]) -> tuple[list[Payload], list[Rejected]]:
    """Return the records in `raws`, and the rest with its reason, as the collector does."""
    payloads, rejected = [], []
    for raw in raws:
        try:
            payloads.append(read_record(raw, RECEIVED))
        except Unreadable as error:
            rejected.append(Rejected(raw, str(error), RECEIVED))
    return payloads, rejected


def book(instance: Instance, *payloads: Payload) -> Counts:
    """Book `payloads` by the names and prices that are known now."""
    return Ledger(instance).book(payloads, ())


class Lists:
    """A server of which only the lists of credentials are asked: `auth-files` and each key list, by its path."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {name.replace("_", "-"): answer for name, answer in answers.items()}

    def get_json(self, path: str) -> Any:
        return self._answers.get(path.removeprefix("/"))


def auth_files(*files: dict[str, Any]) -> dict[str, Any]:
    return {"files": list(files)}


def auth_file(name: str, provider: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "provider": provider, "type": provider, **fields}


def list_names(instance: Instance, **answers: Any) -> None:
    """Make `instance` list these credentials, by the way the collector goes; lists are given by their envelope."""
    apply_listing(instance, fetch_names(Lists(**answers)))  # type: ignore[arg-type]


def sums_of(rows: Iterable[UsageRecord]) -> dict[str, int]:
    """Add up records in plain Python, by the names of the rollup's columns."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update(sums_of_one(row))
    return dict(sums)


def sums_of_one(row: UsageRecord) -> dict[str, int]:
    priced, answered = row.cost_nanousd is not None, row.generate and not row.failed
    latency, ttft, output = row.latency_ms or 0, row.ttft_ms or 0, row.output + row.reasoning
    timed = answered and ttft > 0 and latency - ttft >= 100 and output > 0
    return {
        "requests": 1, "failed": int(row.failed), "uncached_input": row.uncached_input, "cache_read": row.cache_read,
        "cache_write": row.cache_write, "output": row.output, "reasoning": row.reasoning,
        "unclassified": row.unclassified, "priced_requests": int(priced),
        "priced_succeeded": int(priced and not row.failed), "priced_tokens": row.total_tokens if priced else 0,
        "cost_nanousd": row.cost_nanousd or 0, "saved_nanousd": row.saved_nanousd or 0, "timed_output": output if timed else 0,
        "timed_ms": latency - ttft if timed else 0, "without_usage": int(answered and row.total_tokens == 0),
        "unused_failures": int(row.failed and row.total_tokens == 0),
        "estimated_requests": int(row.quality == UsageRecord.Quality.ESTIMATED),
        "unclassified_requests": int(row.quality == UsageRecord.Quality.UNCLASSIFIED),
        "inconsistent_requests": int(row.quality == UsageRecord.Quality.INCONSISTENT),
        "without_request_id": int(not row.request_id),
    }  # fmt: skip


def rollup_rows() -> set[tuple[Any, ...]]:
    """The rollup, without the ids that another order of booking would change."""
    sources = {row.pk: (row.provider, row.auth_index, row.label) for row in Source.objects.all()}
    models = dict(ModelName.objects.values_list("pk", "name"))
    keys = {NO_KEY: ""} | dict(ApiKey.objects.values_list("pk", "key_mask"))
    channels = {NO_CHANNEL: ""} | dict(Channel.objects.values_list("pk", "name"))
    messages = {NO_MESSAGE: ""} | dict(FailureMessage.objects.values_list("pk", "text"))
    words: dict[str, Mapping[int, object]] = {
        "source_id": sources, "model_id": models, "api_key_id": keys, "channel_id": channels, "message_id": messages,
    }  # fmt: skip
    found = set()
    for grain in grains.GRAINS:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(grain.columns)} FROM {grain.table}")
            for row in cursor.fetchall():
                named = (words.get(name, {}).get(value, value) for name, value in zip(grain.columns, row, strict=True))
                found.add((grain.table, *named))
    return found


class _Undo(Exception):
    pass


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block does to the database: an example of hypothesis must not meet the one before it."""
    try:
        with transaction.atomic():
            yield
            raise _Undo
    except _Undo:
        pass


def before_next(module: ModuleType, name: str, happens: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
    """Have something happen once, when `module` next calls its function `name`, and before that does anything."""
    do = getattr(module, name)

    def after_it_happened(*args: Any) -> Any:
        patch.setattr(module, name, do)
        happens()
        return do(*args)

    patch.setattr(module, name, after_it_happened)
