"""`manage.py collect`: the resident collector."""

from __future__ import annotations

import ctypes
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from usage.collection.collector import Collector
from usage.housekeeping.runner import keep_house
from usage.instances import ensure_instance_from_settings

# Of mallopt in glibc's malloc.h.
_M_ARENA_MAX = -8


class Command(BaseCommand):
    help = (
        "Collects from every enabled CPA server until stopped. Several may run on one database: one collects, "
        "the others stand by and take over within seconds of its death."
    )

    # They would load all pages and their libraries, 20 MB that a process which lives for weeks does not need.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        _share_arenas()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        ensure_instance_from_settings()
        Collector(stopping, keep_house).run()


def _share_arenas() -> None:
    """Have few arenas for many threads: in one of its own each keeps what it once needed, 5 MB with ten servers."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # glibc's alone
        mallopt(_M_ARENA_MAX, 2)
