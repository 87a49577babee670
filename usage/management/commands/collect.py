"""`manage.py collect`: the resident collector."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from usage.collection.collector import Collector
from usage.housekeeping.runner import keep_house
from usage.instances import ensure_instance_from_settings


class Command(BaseCommand):
    help = (
        "Collects from every enabled CPA server until stopped. Several may run on one database: one collects, "
        "the others stand by and take over within seconds of its death."
    )

    # They would load all pages and their libraries, 20 MB that a process which lives for weeks does not need.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        ensure_instance_from_settings()
        Collector(stopping, keep_house).run()
