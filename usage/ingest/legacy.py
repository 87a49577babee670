"""Reads a legacy snapshot detail by detail, in memory that does not grow with it (contract B)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import IO, Any

import ijson
from ijson.common import ObjectBuilder


class BrokenSnapshot(ValueError):
    """The snapshot ends early or is no snapshot; what came before was yielded. The next one repeats it all."""


def read_details(file: IO[bytes]) -> Iterator[tuple[str, str, Any]]:
    """Yield (identifier, model, detail) for each entry of `usage.apis.*.models.*.details`. Raises BrokenSnapshot.

    The path is followed by keys and not by ijson's dotted prefixes, because identifiers and models hold dots.
    """
    try:
        yield from _walk(_with_floats(ijson.basic_parse(file)))
    except ijson.JSONError as error:
        raise BrokenSnapshot(f"the snapshot breaks off or is damaged ({type(error).__name__})") from None


def _with_floats(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Read fractions as floats. ijson would do that, but then also fail at an integer of more than 64 bits."""
    for event, value in events:
        yield event, float(value) if isinstance(value, Decimal) else value


def _walk(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    path: list[str | None] = []  # the key of each open container; None inside an array
    key: str | None = None
    for event, value in events:
        if event == "map_key":
            key = value
        elif _inside_details(path):
            if event == "end_array":
                path.pop()
            else:
                yield path[3] or "", path[5] or "", _build(events, event, value)
        elif event in ("start_map", "start_array"):
            path.append(key)
            key = None
        elif event in ("end_map", "end_array"):
            path.pop()


def _inside_details(path: list[str | None]) -> bool:
    """Whether the innermost container is a `details` array: root, usage, apis, identifier, models, model, details."""
    return len(path) == 7 and path[1] == "usage" and path[2] == "apis" and path[4] == "models" and path[6] == "details"


def _build(events: Iterator[tuple[str, Any]], event: str, value: Any) -> Any:
    """Build the JSON value that begins with (event, value)."""
    builder = ObjectBuilder()
    builder.event(event, value)
    open_containers = int(event in ("start_map", "start_array"))
    while open_containers:
        event, value = next(events)
        builder.event(event, value)
        open_containers += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
    return builder.value
