"""Collects from all servers for as long as it lives: one thread each, so that a slow server delays no other."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.conf import settings
from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, OperationalError

from usage.collection import sync_instance
from usage.models import Instance

logger = logging.getLogger(__name__)

NAMES_MAY_BE = timedelta(minutes=5)
# States that a person must mend: asked again now and then.
_SETTLED = {Instance.State.REMOTE_OFF, Instance.State.MANAGEMENT_OFF, Instance.State.UNSUPPORTED}
_SETTLED_SECONDS = 120.0
_LONGEST_BACKOFF = 30.0
_LOOK_FOR_SERVERS_SECONDS = 2.0
_DATABASE_AWAY = (OperationalError, InterfaceError)


class Collector:
    """Keeps one thread for each enabled instance until `stopping` is set."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._threads: dict[int, threading.Thread] = {}

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._start_missing()
            except _DATABASE_AWAY as error:
                logger.warning("the database cannot be used: %s", error)
            self._stopping.wait(_LOOK_FOR_SERVERS_SECONDS)
        for thread in self._threads.values():
            thread.join()

    def _start_missing(self) -> None:
        close_old_connections()
        for pk in Instance.objects.filter(enabled=True).values_list("pk", flat=True):
            if pk not in self._threads or not self._threads[pk].is_alive():
                self._threads[pk] = threading.Thread(target=self._collect, args=(pk,), name=f"collect-{pk}")
                self._threads[pk].start()

    def _collect(self, pk: int) -> None:
        """Give one instance turn after turn, until it is disabled or we stop."""
        failures = 0
        try:
            while not self._stopping.is_set():
                close_old_connections()
                instance = Instance.objects.filter(pk=pk, enabled=True).first()
                if instance is None:
                    return
                failed = bool(sync_instance(instance, names_may_be=NAMES_MAY_BE).error)
                failures = failures + 1 if failed else 0
                self._stopping.wait(pause_seconds(instance, failures))
        except _DATABASE_AWAY as error:
            # What was taken lies in the spool; a new thread goes on with it.
            logger.warning("the database cannot be used: %s", error)
        finally:
            connection.close()


def pause_seconds(instance: Instance, failures: int) -> float:
    """Return how long to wait before the next turn of `instance`, after `failures` failed ones in a row."""
    usual = settings.LEGACY_POLL_SECONDS if instance.source == Instance.Source.LEGACY else settings.POLL_SECONDS
    if instance.state in _SETTLED:
        return _SETTLED_SECONDS
    return min(2.0 ** min(failures - 1, 10), _LONGEST_BACKOFF) if failures else usual
