"""Books what lies in the spool, in its order: records into the ledger, names, counters, gaps."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.utils import timezone

from usage.accounting.payload import Payload
from usage.collection.board import Board
from usage.collection.gaps import judge, note_snapshot
from usage.collection.reckoning import decode
from usage.collection.rhythm import Timer
from usage.ingest.accounts import apply_listing
from usage.ingest.captures import Item, read_capture
from usage.ingest.ledger import BATCH, Counts, Ledger, Rejected
from usage.ingest.legacy import BrokenSnapshot
from usage.ingest.sources import heal
from usage.ingest.spool import Capture, Kind, Spool
from usage.models import CollectionState, Instance
from usage.upstream.names import Listed

logger = logging.getLogger(__name__)

# Each capture in hand is an open file, and a process may have but 1,024 of them.
_MOST_IN_HAND = 200
# How long prices that others brought may be unknown here.
_PRICES_SECONDS = 1.0
_MERGED = {Kind.QUEUE, Kind.POPPED, Kind.MESSAGES}
_listing = msgspec.json.Decoder(list[Listed])

Progress = Callable[[int], None]


class Named(NamedTuple):
    """Sources that now have a name, and earlier records that have it by them."""

    sources: int = 0
    records: int = 0

    def __add__(self, other: Named) -> Named:  # type: ignore[override]
        return Named(self.sources + other.sources, self.records + other.records)


def servers_with_captures() -> list[int]:
    """Return the ids of the servers of which something lies in the spool."""
    folders = settings.SPOOL_DIR.iterdir() if settings.SPOOL_DIR.is_dir() else ()
    pks = sorted(int(folder.name) for folder in folders if folder.name.isdigit())
    return [pk for pk in pks if not Spool(pk).is_empty()]


class Booker:
    """Books for one thread. `progress` is told of each batch, in records; `is_late` says when to leave off."""

    def __init__(
        self, board: Board, progress: Progress = lambda records: None, is_late: Callable[[], bool] = lambda: False
    ) -> None:
        self._board = board
        self._progress = progress
        self._is_late = is_late
        self._desks: dict[int, _Desk] = {}

    def book(self, pk: int) -> Counts:
        """Book what lies there of one server, and is not being written or booked by others."""
        names = Spool(pk).names()
        desk = self._desk(pk) if names else None
        return desk.book(names) if desk else Counts()

    def _desk(self, pk: int) -> _Desk | None:
        """Return the desk of a server; None where it was removed, and its records with it."""
        desk = self._desks.get(pk)
        instance = Instance.objects.filter(pk=pk).first()
        if instance is None:
            return None
        if desk is None:
            desk = self._desks[pk] = _Desk(instance, self._board, self._progress, self._is_late)
        desk.keep_up(instance)
        return desk

    def named(self, pk: int) -> Named:
        """Return what names brought to earlier records in the last `book` of a server."""
        return self._desks[pk].named if pk in self._desks else Named()

    def damage(self, pk: int) -> str:
        """Return what was damaged in the last snapshot of a server; empty if nothing was."""
        return self._desks[pk].damage if pk in self._desks else ""


class _Desk:
    """The books of one server. `named` and `damage` tell of the last `book`."""

    def __init__(self, instance: Instance, board: Board, progress: Progress, is_late: Callable[[], bool]) -> None:
        self.named = Named()
        self.damage = ""
        self._prices = Timer(_PRICES_SECONDS)
        self._instance = instance
        self._board = board
        self._progress = progress
        self._is_late = is_late
        self._spool = Spool(instance.pk)
        self._ledger = Ledger(instance)

    def keep_up(self, instance: Instance) -> None:
        """Use the names and prices that others may have brought since.

        Names at once: whose token rules a record follows may hang on them, and that is told once.
        """
        if _names_of(instance) != _names_of(self._instance):
            self._ledger = Ledger(instance)
        self._instance = instance
        if self._prices.is_due:
            self._ledger.refresh_prices()
            self._prices.restart()

    def book(self, names: list[str]) -> Counts:
        self.named, self.damage = Named(), ""
        counts, waiting = Counts(), _Queue(names)
        while waiting.names and not self._is_late():
            with ExitStack() as held:
                counts.add(self._book_next(waiting, held))
            if waiting.names_came:
                self.keep_up(Instance.objects.get(pk=self._instance.pk))
                waiting.names_came = False
        return counts

    def _book_next(self, waiting: _Queue, held: ExitStack) -> Counts:
        """Book the records of the next captures together, or one capture that must come by itself."""
        captures: list[Capture] = []
        items: list[Item] = []
        for _number in range(_MOST_IN_HAND):
            if not waiting.names or len(items) >= BATCH:
                break
            path = self._spool.folder / waiting.names[0]
            capture = held.enter_context(self._spool.hold(path))
            if capture and capture.kind not in _MERGED:
                return self._book_items(items, captures) if captures else self._book_alone(capture, waiting)
            waiting.names.popleft()
            if capture:
                captures.append(capture)
                items += read_capture(capture)
            elif path.suffix == f".{Kind.NAMES}":
                # Somebody else books these names: what comes after them is to be read by them.
                self._wait_for_names(path, waiting)
                break
            else:
                waiting.is_broken |= path.exists()
        return self._book_items(items, captures)

    def _wait_for_names(self, path: Path, waiting: _Queue) -> None:
        if path.exists():
            waiting.names.clear()
        else:
            waiting.names_came = True

    def _book_items(self, items: list[Item], captures: list[Capture]) -> Counts:
        payloads = [item for item in items if isinstance(item, Payload)]
        rejected = [item for item in items if isinstance(item, Rejected)]
        counts = self._ledger.book(payloads, rejected)
        for capture in captures:
            capture.discard()
        self._progress(len(items))
        if self._ledger.met_unknown:
            self._ledger.met_unknown = False
            self._board.wish_for_names(self._instance.pk)
        return counts

    def _book_alone(self, capture: Capture, waiting: _Queue) -> Counts:
        if waiting.is_broken:
            # It stands for all that came before it, and somebody is still at that.
            waiting.names.clear()
            return Counts()
        waiting.names.popleft()
        counts = Counts()
        try:
            if capture.kind == Kind.NAMES:
                self._apply_names(_listing.decode(capture.read()))
            elif capture.kind == Kind.RECKONING:
                judge(self._instance, decode(capture.read()))
            else:
                counts = self._book_snapshot(capture)
        except msgspec.DecodeError:
            logger.warning("%s: a note in the spool was cut; what it said will be said again", self._instance)
        capture.discard()
        return counts

    def _apply_names(self, listing: list[Listed]) -> None:
        apply_listing(self._instance, listing)
        self._instance.names_at = timezone.now()
        Instance.objects.filter(pk=self._instance.pk).update(names_at=self._instance.names_at)
        self._ledger = Ledger(self._instance)
        self.named += Named(*heal(self._instance))

    def _book_snapshot(self, capture: Capture) -> Counts:
        counts, items = Counts(), self._details(capture)
        before = CollectionState.objects.filter(instance=self._instance).first()
        while batch := list(itertools.islice(items, BATCH)):
            counts.add(self._book_items(batch, []))
        if not self.damage:
            note_snapshot(self._instance, before, counts.read, capture.received_at)
        return counts

    def _details(self, capture: Capture) -> Iterator[Item]:
        try:
            yield from read_capture(capture)
        except BrokenSnapshot as error:
            self.damage = str(error)  # nothing is lost: the next snapshot has it all again


def _names_of(instance: Instance) -> tuple[datetime | None, int]:
    """Return what changes with what is known of its names."""
    return instance.names_at, instance.meanings_changed


class _Queue:
    """Captures in their order; `is_broken` once one of them was held by somebody else, `names_came` when somebody else has
    booked names among them.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = deque(names)
        self.is_broken = False
        self.names_came = False
