"""The whole-history answer of `GET /usage` (contract B): kept as rendered details, written out piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from tests.fake_cpa import go_json
from tests.fake_cpa.record import Measured
from tests.fake_cpa.versions import Profile

_DETAILS_PER_PIECE = 500
_T = TypeVar("_T")


@dataclass(slots=True)
class _Model:
    requests: int = 0
    tokens: int = 0
    details: list[bytes] = field(default_factory=list)


class LegacySnapshot:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._apis: dict[str, dict[str, _Model]] = {}
            self._failures = 0
            self._requests_by_day: Counter[str] = Counter()
            self._requests_by_hour: Counter[str] = Counter()
            self._tokens_by_day: Counter[str] = Counter()
            self._tokens_by_hour: Counter[str] = Counter()

    def add(self, measured: Measured, detail: bytes) -> None:
        attempt, total = measured.attempt, measured.counts.total
        identifier = attempt.client_key or attempt.endpoint or measured.upstream.provider
        day, hour = measured.timestamp[:10], measured.timestamp[11:13]
        with self._lock:
            model = self._apis.setdefault(identifier, {}).setdefault(attempt.model or "unknown", _Model())
            model.requests += 1
            model.tokens += total
            model.details.append(detail)
            if self._profile.does("legacy keeps 1000 details"):
                del model.details[:-1000]
            self._failures += attempt.failed
            self._requests_by_day[day] += 1
            self._requests_by_hour[hour] += 1
            self._tokens_by_day[day] += total
            self._tokens_by_hour[hour] += total

    def answer(self) -> Iterator[bytes]:
        """The pieces of `GET /usage`."""
        with self._lock:
            failures, usage = self._failures, self._usage()
        head = b'"failed_requests":%d,' % failures if self._profile.does("legacy failures") else b""
        yield b"{" + head + b'"usage":'
        yield from usage
        yield b"}"

    def export(self, exported_at: str) -> Iterator[bytes]:
        """The pieces of `GET /usage/export`."""
        with self._lock:
            usage = self._usage()
        yield b'{"version":1,"exported_at":"%s","usage":' % exported_at.encode()
        yield from usage
        yield b"}"

    def _usage(self) -> Iterator[bytes]:
        """Freeze the numbers and the lists of details; the writing needs no lock."""
        models = [model for api in self._apis.values() for model in api.values()]
        requests = sum(model.requests for model in models)
        head = {
            "total_requests": requests,
            "success_count": requests - self._failures,
            "failure_count": self._failures,
            "total_tokens": sum(model.tokens for model in models),
        }
        tail = {
            "requests_by_day": dict(sorted(self._requests_by_day.items())),
            "requests_by_hour": dict(sorted(self._requests_by_hour.items())),
            "tokens_by_day": dict(sorted(self._tokens_by_day.items())),
            "tokens_by_hour": dict(sorted(self._tokens_by_hour.items())),
        }
        apis = {
            identifier: {name: _Model(model.requests, model.tokens, model.details[:]) for name, model in api.items()}
            for identifier, api in self._apis.items()
        }
        return _write_usage(head, apis, tail)


def _write_usage(
    head: dict[str, int], apis: dict[str, dict[str, _Model]], tail: dict[str, dict[str, int]]
) -> Iterator[bytes]:
    yield go_json.encode(head)[:-1] + b',"apis":{'
    for comma, (identifier, api) in _commas(apis):
        numbers = {
            "total_requests": sum(model.requests for model in api.values()),
            "total_tokens": sum(model.tokens for model in api.values()),
        }
        yield comma + go_json.encode(identifier) + b":" + go_json.encode(numbers)[:-1] + b',"models":{'
        for inner_comma, (name, model) in _commas(api):
            yield inner_comma + go_json.encode(name) + b":"
            yield from _write_model(model)
        yield b"}}"
    yield b"}," + go_json.encode(tail)[1:]


def _write_model(model: _Model) -> Iterator[bytes]:
    numbers = {"total_requests": model.requests, "total_tokens": model.tokens}
    yield go_json.encode(numbers)[:-1] + b',"details":['
    for start in range(0, len(model.details), _DETAILS_PER_PIECE):
        piece = b",".join(model.details[start : start + _DETAILS_PER_PIECE])
        yield piece if start == 0 else b"," + piece
    yield b"]}"


def _commas(mapping: dict[str, _T]) -> Iterator[tuple[bytes, tuple[str, _T]]]:
    """Sorted items as Go writes a map, with the comma that goes before each."""
    for position, item in enumerate(sorted(mapping.items())):
        yield (b"," if position else b""), item
