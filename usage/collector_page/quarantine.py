"""Quarantined payloads: what people may see of one, and reading it again by today's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from usage.accounting.payload import Payload, Twins, Unreadable, read_detail, read_record
from usage.ingest.ledger import Ledger
from usage.models import QuarantinedPayload
from usage.models.fields import to_micros
from usage.redaction import redact
from usage.secrets import UnreadableSecret, decrypt

# A payload may have megabytes; of one that is larger than this no sample is made.
_LARGEST_SHOWN = 64_000
_SAMPLE = 240
# The fields of a record whose text is no secret (contract E); all other texts are left out.
_SHOWN = {
    "timestamp", "model", "alias", "provider", "executor_type", "auth_type", "auth_index", "endpoint", "request_id",
    "reasoning_effort", "service_tier", "response_service_tier",
}  # fmt: skip
_TEXT_OF_FIELD = re.compile(r'"(\w+)"\s*:\s*"(?:[^"\\]|\\.)*"?')


def samples(rows: Sequence[QuarantinedPayload]) -> dict[int, str]:
    """Return by id what people may see of `rows`; what is too large, or encrypted under another key, has none."""
    wanted = [row.pk for row in rows if row.size <= _LARGEST_SHOWN]
    stored = QuarantinedPayload.objects.filter(pk__in=wanted).values_list("pk", "encrypted_payload")
    return {pk: _sample(encrypted) for pk, encrypted in stored}


def _sample(encrypted: str) -> str:
    try:
        text = decrypt(encrypted)
    except UnreadableSecret:
        return ""
    return redact(_without_texts(text))[:_SAMPLE]


def _without_texts(text: str) -> str:
    """Leave out every text that might be a key: of JSON by its fields, of broken JSON by what looks like one."""
    try:
        return json.dumps(_masked(json.loads(text)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return _TEXT_OF_FIELD.sub(lambda found: found[0] if found[1] in _SHOWN else f'"{found[1]}": "…"', text)


def _masked(value: Any, field: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return "…" if isinstance(value, str) and field not in _SHOWN else value


def retry(row: QuarantinedPayload) -> str:
    """Book `row` if it can be read now, and remove it; else keep the new reason and return it."""
    try:
        payload = _read(decrypt(row.encrypted_payload), to_micros(row.received_at))
    except (Unreadable, UnreadableSecret) as error:
        QuarantinedPayload.objects.filter(pk=row.pk).update(reason=str(error))
        return str(error)
    ledger = Ledger(row.instance)
    with transaction.atomic():
        ledger.book([payload], [])
        row.delete()
    return ""


def _read(text: str, received_at: int) -> Payload:
    """Read an element of the queue, or the entry of a snapshot that lies here with its key and model."""
    match _loaded(text):
        case [str(identifier), str(model), detail]:
            return read_detail(identifier, model, detail, Twins(), received_at)
        case _:
            return read_record(text.encode(), received_at)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
