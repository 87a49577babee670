"""How long answers took in whole hours, kept by the process: who looks at a day looks at it again within the minute.

Records are never changed in this, only added, so an hour that has as many as when it was read has the same ones. (Those
that are pruned are not asked for by the hour.)
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple


class Times(NamedTuple):
    """In milliseconds, each in order."""

    latency: array[int]
    ttft: array[int]

    @property
    def total(self) -> int:
        return len(self.latency) + len(self.ttft)


def times(latencies: Iterable[int], ttfts: Iterable[int]) -> Times:
    return Times(array("i", sorted(latencies)), array("i", sorted(ttfts)))


class _Hour(NamedTuple):
    requests: int
    times: Times


_NONE = times((), ())


@dataclass
class KeptHours:
    """What was asked for last, `most` times of 4 bytes at most. May be shared between threads."""

    most: int
    _hours: OrderedDict[tuple[Hashable, int], _Hour] = field(default_factory=OrderedDict)
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def of(
        self, asked: Hashable, requests: Mapping[int, int], read: Callable[[Sequence[int]], Mapping[int, Times]]
    ) -> dict[int, Times]:
        """Return the times of hours that have so many `requests` by now (by their starts, microseconds since 1970 UTC);
        `read` gives those of hours that are not kept, of which some may have none. What else they depend on is `asked`.
        """
        found = dict(self._known(asked, requests))
        if missing := sorted(requests.keys() - found.keys()):
            new = read(missing)
            for hour in missing:
                found[hour] = new.get(hour, _NONE)
                self._keep((asked, hour), _Hour(requests[hour], found[hour]))
        return found

    def forget(self) -> None:
        with self._lock:
            self._hours.clear()
            self._count = 0

    def _known(self, asked: Hashable, requests: Mapping[int, int]) -> Iterator[tuple[int, Times]]:
        with self._lock:
            for hour, count in requests.items():
                known = self._hours.get((asked, hour))
                if known and known.requests == count:
                    self._hours.move_to_end((asked, hour))
                    yield hour, known.times

    def _keep(self, key: tuple[Hashable, int], hour: _Hour) -> None:
        with self._lock:
            if before := self._hours.pop(key, None):
                self._count -= before.times.total
            self._hours[key] = hour
            self._count += hour.times.total
            while self._count > self.most and len(self._hours) > 1:
                _key, oldest = self._hours.popitem(last=False)
                self._count -= oldest.times.total
