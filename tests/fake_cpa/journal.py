"""Bookkeeping on disk: what a killed fake emitted and handed out is still known."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fake_cpa.bookkeeping import Bookkeeping

_STARTED = b"started"


class JournalBookkeeping(Bookkeeping):
    """One line an event, appended to `path` before anything else happens: `emitted` has the record, the others its
    digest. A line needs no newline inside: records are JSON."""

    def __init__(self, path: Path, keep: int | None) -> None:
        super().__init__(keep)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        # A killed predecessor may have left half a line.
        os.write(self._file, b"\n%b\n" % _STARTED)

    def note_emitted(self, record: bytes) -> None:
        super().note_emitted(record)
        os.write(self._file, b"emitted %b\n" % record)

    def note_handed_out(self, records: Iterable[bytes]) -> None:
        super().note_handed_out(records)
        self._append(b"handed_out", records)

    def note_written(self, records: Iterable[bytes]) -> None:
        super().note_written(records)
        self._append(b"written", records)

    def note_undelivered(self, records: Iterable[bytes]) -> None:
        super().note_undelivered(records)
        self._append(b"undelivered", records)

    def note_lost(self, records: Iterable[bytes]) -> None:
        super().note_lost(records)
        self._append(b"lost", records)

    def _append(self, event: bytes, records: Iterable[bytes]) -> None:
        lines = b"".join(b"%b %b\n" % (event, _digest(record)) for record in records)
        if lines:
            os.write(self._file, lines)


@dataclass(slots=True)
class Run:
    """What one life of the fake did, in the order in which it did it."""

    emitted: list[bytes] = field(default_factory=list)
    handed_out: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    undelivered: list[bytes] = field(default_factory=list)
    lost: list[bytes] = field(default_factory=list)

    @property
    def never_handed_out(self) -> list[bytes]:
        """Too old, or still in the queue when the fake died."""
        return _without(self.emitted, self.handed_out)

    @property
    def in_doubt(self) -> list[bytes]:
        """Handed out, and the fake died before it knew whether the socket took them."""
        return _without(self.handed_out, self.written + self.undelivered)


def read_journal(path: Path) -> list[Run]:
    """Every life so far; what a kill cut off is left out (it was handed to nobody)."""
    runs: list[Run] = []
    by_digest: dict[bytes, bytes] = {}
    with path.open("rb") as lines:
        for line in lines:
            event, _, content = line.rstrip(b"\n").partition(b" ")
            if event == _STARTED:
                runs.append(Run())
            elif event == b"emitted" and line.endswith(b"}\n"):
                by_digest[_digest(content)] = content
                runs[-1].emitted.append(content)
            elif content in by_digest:
                getattr(runs[-1], event.decode()).append(by_digest[content])
    return runs


def _digest(record: bytes) -> bytes:
    return hashlib.sha256(record).hexdigest()[:32].encode()


def _without(records: list[bytes], others: list[bytes]) -> list[bytes]:
    spared = Counter(others)
    left = []
    for record in records:
        if spared[record]:
            spared[record] -= 1
        else:
            left.append(record)
    return left
