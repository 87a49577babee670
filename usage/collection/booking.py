"""The thread that books: as soon as something lies in the spool, and as soon as the database is back."""

from __future__ import annotations

import logging
import math
import threading
import time

from django.db import close_old_connections, connection
from django.db.utils import DatabaseError, InterfaceError

from usage.collection.board import Board
from usage.collection.booker import Booker, servers_with_captures

logger = logging.getLogger(__name__)

DATABASE_AWAY = (DatabaseError, InterfaceError)
# Captures of other processes give no sign.
_LOOK_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 5.0
# At the end; what is not booked by then is booked by the next start.
_LAST_SECONDS = 10.0
# What comes record by record is booked within a fraction of that.
_BUSY_SECONDS = 1.0


class Booking:
    """Runs from its making until `finish`."""

    def __init__(self, board: Board, news: threading.Event) -> None:
        self._board = board
        self._news = news
        self._booker = Booker(board, is_late=self._is_late)
        self._finishing = threading.Event()
        self._end = math.inf
        self._at_it_since = math.inf
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="book", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether it works off what has piled up."""
        return time.monotonic() - self._at_it_since > _BUSY_SECONDS

    def finish(self) -> None:
        """Book for a while what still lies there, and end; the rest stays for the next start."""
        self._end = time.monotonic() + _LAST_SECONDS
        self._finishing.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._finishing.is_set():
            self._news.wait(_LOOK_SECONDS)
            self._news.clear()
            self._at_it_since = time.monotonic()
            self._book()
            self._at_it_since = math.inf
            if self._failures:
                self._finishing.wait(min(0.25 * 2**self._failures, _LONGEST_BACKOFF_SECONDS))
        while self._book() and not self._failures and not self._is_late():
            pass
        connection.close()

    def _is_late(self) -> bool:
        return time.monotonic() > self._end

    def _book(self) -> bool:
        """Book each server's captures; return whether there were any."""
        found = False
        try:
            close_old_connections()
            for pk in servers_with_captures():
                found = True
                self._book_one(pk)
            self._failures = 0
        except DATABASE_AWAY as error:
            if not self._failures:
                logger.warning("nothing can be booked now; it waits in the spool: %s", error)
            self._failures = min(self._failures + 1, 10)
            # The ids that it knows may be of a transaction that never was.
            self._booker = Booker(self._board, is_late=self._is_late)
            connection.close()
        return found

    def _book_one(self, pk: int) -> None:
        """A server whose captures bring us down does not keep those of the others: this is the edge."""
        try:
            self._booker.book(pk)
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("captures of server %s cannot be booked by a mistake of ours; they stay in the spool", pk)
            self._finishing.wait(_LOOK_SECONDS)
