"""`manage.py serve`: pages and collection on one machine, in one command."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from usage.collection.collector import Collector
from usage.housekeeping.runner import keep_house
from usage.instances import ensure_instance_from_settings
from usage.setup.link import administrator_exists, setup_path


class Command(BaseCommand):
    help = "Migrates the database, then serves the pages and collects from every enabled CPA server until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
        parser.add_argument("--workers", type=int, default=2)

    def handle(self, *, bind: str, workers: int, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        ensure_instance_from_settings()
        web = subprocess.Popen(_gunicorn(bind, workers))  # noqa: S603 - our own interpreter and arguments
        self._greet(bind)
        self._collect_beside(web)
        raise SystemExit(web.wait())

    def _collect_beside(self, web: subprocess.Popen[bytes]) -> None:
        """Collect until we are told to stop or the web server ends; then end both."""
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        threading.Thread(target=_stop_with, args=(web, stopping), daemon=True).start()
        Collector(stopping, keep_house).run()
        web.terminate()

    def _greet(self, bind: str) -> None:
        self.stdout.write(f"\nCPA Meter is at http://{bind}/")
        if not administrator_exists():
            self.stdout.write(f"Open this link once to create the administrator: http://{bind}{setup_path()}\n")
        self.stdout.flush()


def _stop_with(web: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    web.wait()
    stopping.set()


def _gunicorn(bind: str, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "config.wsgi:application", "--config", "python:config.gunicorn",
        "--bind", bind, "--workers", str(workers), "--threads", "4", "--log-level", "warning",
    ]  # fmt: skip
