"""Keeps what came instead of a record, whole and encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from django.db import connection

from usage.ingest.dimensions import clean
from usage.models import Instance, QuarantinedPayload
from usage.secrets import encrypt

_COLUMNS = ("instance_id", "payload_digest", "received_at", "reason", "encrypted_payload", "size")
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"
_INTO = f"INSERT INTO {QuarantinedPayload._meta.db_table} ({', '.join(_COLUMNS)}) VALUES "
_ONCE = " ON CONFLICT (instance_id, payload_digest) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that are no record, and why. The reason names no values."""

    raw: bytes
    reason: str
    received_at: int  # microseconds since 1970 UTC


def keep(instance: Instance, rejected: Sequence[Rejected]) -> int:
    """Keep what is no record; return how much of it was not there yet: a snapshot shows the same damage each time."""
    if not rejected:
        return 0
    rows = sorted(_row(instance, item) for item in rejected)  # two writers then never wait in a circle
    with connection.cursor() as cursor:
        cursor.execute(f"{_INTO}{', '.join([_ROW] * len(rows))}{_ONCE}", list(chain(*rows)))
        return int(cursor.rowcount)


def _row(instance: Instance, item: Rejected) -> tuple[int | bytes | str, ...]:
    return (
        instance.pk, hashlib.blake2b(item.raw, digest_size=16).digest(), item.received_at,
        clean(item.reason, len(item.reason)), encrypt(item.raw.decode("utf-8", "backslashreplace")), len(item.raw),
    )  # fmt: skip
