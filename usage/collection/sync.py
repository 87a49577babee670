"""One turn of a server here and now: what commands, pages and the API ask for."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from usage.collection.board import Board
from usage.collection.booker import Booker, Named, Progress
from usage.collection.taker import Taker
from usage.ingest.ledger import Counts
from usage.ingest.prices import price_unpriced
from usage.ingest.sources import heal
from usage.ingest.spool import Spool
from usage.models import Instance

_WAIT_SECONDS, _LOOK_SECONDS = 30.0, 0.05


@dataclass(slots=True)
class Outcome:
    """What one turn did with one server; `error` is empty when it went well."""

    instance: str
    counts: Counts = field(default_factory=Counts)
    named: int = 0
    priced: int = 0
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            **asdict(self.counts),
            "named": self.named,
            "priced": self.priced,
            "error": self.error,
        }


def sync_all(progress: Progress = lambda records: None) -> list[Outcome]:
    """Give each enabled server its turn; one that fails does not stop the rest."""
    return [sync_instance(instance, progress) for instance in Instance.objects.filter(enabled=True)]


def sync_instance(instance: Instance, progress: Progress = lambda records: None) -> Outcome:
    """Take what `instance` has and book it; `progress` is told of each batch, in records."""
    board, outcome = Board(), Outcome(instance.name)
    booker, taker = Booker(board, progress), Taker(instance, board, may_subscribe=False)
    outcome.counts.add(booker.book(instance.pk))  # what an earlier process took and could not book
    taker.begin()
    taker.turn()
    taker.end()
    outcome.counts.add(_book_all(booker, instance.pk))
    board.flush()
    outcome.named = (booker.named(instance.pk) + Named(*heal(instance))).records
    outcome.priced = price_unpriced()
    outcome.error = taker.error or booker.damage(instance.pk)
    return outcome


def _book_all(booker: Booker, pk: int) -> Counts:
    """Book what lies there now; what another process has in hand, or keeps from its turn so, is waited for a while."""
    counts, deadline = Counts(), time.monotonic() + _WAIT_SECONDS
    ours = set(Spool(pk).names())
    while True:
        counts.add(booker.book(pk))
        if not ours & set(Spool(pk).names()) or time.monotonic() > deadline:
            return counts
        time.sleep(_LOOK_SECONDS)


def check(instance: Instance) -> bool:
    """Look at `instance` and note what it is; false when it cannot be asked, which its state then says."""
    board = Board()
    taker = Taker(instance, board)
    taker.look()
    board.flush()
    return not taker.error


def refresh_names(instance: Instance) -> tuple[Named, str]:
    """Fetch what `instance` lists and name its past by it; return what that named, and the error in words or nothing."""
    board = Board()
    taker, booker = Taker(instance, board), Booker(board)
    taker.take_names()
    board.flush()
    booker.book(instance.pk)
    return booker.named(instance.pk) + Named(*heal(instance)), taker.error
