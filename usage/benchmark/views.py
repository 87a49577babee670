"""How long the server takes for each view of the demo, and how heavy that is on its way to a browser."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone

from config.gunicorn import post_worker_init
from usage.benchmark.answers import settle
from usage.benchmark.figures import Spread, Views, ViewTime
from usage.demo.seeding import seed
from usage.demo.views import views

_SEED, _DAYS, _TIMES = 7, 35, 20


def measure_views(records: int, only: str, progress: Callable[[int], object]) -> Views:
    """Seed the configured database, which is empty, with the demo of about so many records, and open its views that have `only` in
    their name.
    """
    seed(_SEED, _DAYS, records, timezone.now(), progress)
    settle()
    post_worker_init(None)  # as the pages' own processes
    browser = Client(SERVER_NAME="127.0.0.1")
    user = get_user_model().objects.create_superuser("benchmark")
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return Views(connection.vendor, records, [_measure(browser, *view) for view in views().items() if only in view[0]])


def _measure(browser: Client, view: str, address: str) -> ViewTime:
    kilobytes = len(gzip.compress(_get(browser, address))) / 1024
    return ViewTime(view, Spread.of([_seconds(browser, address) for _time in range(_TIMES)]), round(kilobytes, 1))


def _seconds(browser: Client, address: str) -> float:
    start = time.perf_counter()
    _get(browser, address)
    return time.perf_counter() - start


def _get(browser: Client, address: str) -> bytes:
    answer = browser.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} was answered by {answer.status_code}")
    return bytes(answer.content)
