"""The resident collector: leads or stands by, keeps a taker for each server and one booker, and keeps house when idle."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta

from django.db import close_old_connections, connection
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from usage.collection.board import Board
from usage.collection.booking import DATABASE_AWAY, Booking
from usage.collection.crew import Crew
from usage.collection.keeping import KeepHouse, Keeping
from usage.collection.leadership import leadership
from usage.collection.rhythm import Timer
from usage.models import CollectorEvent, CollectorProcess, Instance

logger = logging.getLogger(__name__)

# New servers, keys and leaders are noticed so soon; more often would be a good part of what an idle collector costs.
_TICK_SECONDS = 2.0
_HEARTBEAT_SECONDS = 5.0
# What was not seen for so long is no collector any more; the last one stays, to tell since when there is none.
_DEAD = timedelta(minutes=1)

Role = CollectorProcess.Role


class Collector:
    """Collects until `stopping` is set. The database may go and come back; only the first look needs it."""

    def __init__(self, stopping: threading.Event, keep_house: KeepHouse = lambda is_stopping: None) -> None:
        self._stopping = stopping
        self._keep_house = keep_house
        self._board = Board()
        self._crew = Crew(self._board)
        self._leadership = leadership()
        self._process = CollectorProcess(name=f"{socket.gethostname()}:{os.getpid()}", started_at=timezone.now())  # type: ignore[misc]
        self._heartbeat = Timer(_HEARTBEAT_SECONDS)
        self._database_is_away = False

    def run(self) -> None:
        booking = Booking(self._board, self._crew.news)
        keeping = Keeping(self._keep_house)
        try:
            while not self._stopping.is_set():
                self._tick_if_possible(booking, keeping)
                self._stopping.wait(_TICK_SECONDS)
        finally:
            keeping.finish()
            self._crew.stop()
            booking.finish()
            self._leave()

    def _tick_if_possible(self, booking: Booking, keeping: Keeping) -> None:
        try:
            self._tick(booking, keeping)
            self._database_is_away = False
        except DATABASE_AWAY as error:
            if not self._database_is_away:
                logger.warning("the database cannot be used; collection goes on into the spool: %s", error)
            self._database_is_away = True
            connection.close()

    def _tick(self, booking: Booking, keeping: Keeping) -> None:
        close_old_connections()
        leads = self._leadership.hold()
        self._show(Role.LEADING if leads else Role.STANDBY)
        self._crew.man(Instance.objects.filter(enabled=True), leads=leads)
        if leads:
            self._board.flush()
            if not booking.is_busy:
                keeping.go_on()
        else:
            self._board.clear()  # the one that leads speaks for the servers

    def _show(self, role: Role) -> None:
        """Write now and then that we live, and at once when we become another."""
        process, now = self._process, timezone.now()
        if role == process.role and not self._heartbeat.is_due:
            return
        self._heartbeat.restart()
        if role != process.role:
            CollectorProcess.objects.filter(seen_at__lt=now - _DEAD).delete()
            message = _("Collector %(name)s collects") if role == Role.LEADING else _("Collector %(name)s stands by")
            CollectorEvent.objects.create(at=now, level="info", message=message, params={"name": process.name})  # type: ignore[misc]
        process.role = role
        CollectorProcess.objects.update_or_create(
            name=process.name,
            defaults={"role": role, "seen_at": now, "started_at": process.started_at},  # type: ignore[misc]
        )

    def _leave(self) -> None:
        try:
            self._board.flush()
        except DATABASE_AWAY as error:
            logger.warning("the database cannot be used; what is left is in the spool: %s", error)
        self._leadership.release()
        connection.close()
