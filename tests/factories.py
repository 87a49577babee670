"""Builds what a CPA server sends: records, details of a snapshot, lists of credentials; and books it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from hypothesis import settings

from usage.accounting.payload import Payload, Twins, Unreadable, read_detail, read_record
from usage.ingest.accounts import apply_listing
from usage.ingest.ledger import Counts, Ledger, Rejected
from usage.models import Instance, UsageDaily, UsageHourly, UsageRecord
from usage.models.fields import to_micros
from usage.upstream.names import fetch_names

# Machines of a CI are slow at times; that is no failure. Examples are found anew each time and leave no files.
settings.register_profile("tests", deadline=None, max_examples=60, database=None)
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
        priced = row.cost_nanousd is not None
        sums.update(
            requests=1, failed=int(row.failed), uncached_input=row.uncached_input, cache_read=row.cache_read,
            cache_write=row.cache_write, output=row.output, reasoning=row.reasoning, unclassified=row.unclassified,
            priced_requests=int(priced), priced_tokens=row.total_tokens if priced else 0,
            cost_nanousd=row.cost_nanousd or 0,
        )  # fmt: skip
    return dict(sums)


def rollup_rows() -> set[tuple[Any, ...]]:
    """The rollup, without the ids that another order of booking would change."""
    columns = (
        "bucket", "source__provider", "source__auth_index", "source__label", "model__name", "requests", "failed",
        "uncached_input", "cache_read", "cache_write", "output", "reasoning", "unclassified",
        "priced_requests", "priced_tokens", "cost_nanousd",
    )  # fmt: skip
    return {(model, *row) for model in (UsageHourly, UsageDaily) for row in model.objects.values_list(*columns)}


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
