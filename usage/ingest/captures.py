"""Reads a capture into payloads, and into what is none with the reason why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from usage.accounting.payload import Payload, Twins, Unreadable, read_detail, read_record
from usage.ingest.elements import split_elements
from usage.ingest.ledger import Rejected
from usage.ingest.legacy import read_details
from usage.ingest.resp_elements import split_messages, split_popped
from usage.ingest.spool import Capture, Kind

Item = Payload | Rejected


def read_capture(capture: Capture) -> Iterator[Item]:
    """Yield the records that `capture` holds, in its order. Raises BrokenSnapshot where a snapshot ends early."""
    return _read_snapshot(capture) if capture.kind == Kind.SNAPSHOT else _read_elements(capture)


_SPLIT = {Kind.QUEUE: split_elements, Kind.POPPED: split_popped, Kind.MESSAGES: split_messages}


def _read_elements(capture: Capture) -> Iterator[Item]:
    elements, received_at = _SPLIT[capture.kind](capture.read()), capture.received_at
    for raw in elements.raw:
        try:
            yield read_record(raw, received_at)
        except Unreadable as error:
            yield Rejected(raw, str(error), received_at)
    if elements.rest:
        yield Rejected(elements.rest, elements.reason, received_at)


def _read_snapshot(capture: Capture) -> Iterator[Item]:
    twins, received_at = Twins(), capture.received_at
    with capture.path.open("rb") as file:
        for identifier, model, detail in read_details(file):
            try:
                yield read_detail(identifier, model, detail, twins, received_at)
            except Unreadable as error:
                yield Rejected(_dump([identifier, model, detail]), str(error), received_at)


def _dump(entry: list[Any]) -> bytes:
    try:
        return json.dumps(entry, default=str).encode()
    except RecursionError:
        return b"(nested too deeply to be written down; the server keeps it)"
