"""The web process while it is measured: readers who keep asking it, and when a record shows there."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import cycle

import httpx
from django.contrib.auth import get_user_model
from knox.models import AuthToken

_CHANNELS = "/api/channels/"
_START_SECONDS = 60.0


class Pages:
    """A gunicorn on a free port of this machine, and one signed-in client; a context manager."""

    def __init__(self) -> None:
        user, _is_new = get_user_model().objects.get_or_create(username="benchmark")
        _row, token = AuthToken.objects.create(user)
        address = f"127.0.0.1:{_free_port()}"
        self._client = httpx.Client(base_url=f"http://{address}", headers={"Authorization": f"Token {token}"})
        command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", address, "--threads", "4"]
        self._process = subprocess.Popen([*command, "--config", "python:config.gunicorn", "--log-level", "warning"])  # noqa: S603

    def __enter__(self) -> Pages:
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.ask()
                return self
            except httpx.TransportError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self._process.kill()
                    raise
                time.sleep(0.1)

    def __exit__(self, *exception: object) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait()

    def ask(self, **period: str) -> int:
        """Return how many requests the report of a period shows."""
        answer = self._client.get(_CHANNELS, params=period, timeout=60)
        answer.raise_for_status()
        return int(answer.json()["total"]["requests"])

    @contextmanager
    def being_read(self, readers: int, paths: Sequence[str], pause: float) -> Iterator[list[tuple[str, float]]]:
        """Have `readers` ask for these, one after the other, with a pause (seconds) between; yield what was asked and the
        seconds that it took.
        """
        stopping, taken = threading.Event(), list[tuple[str, float]]()
        threads = [
            threading.Thread(target=self._read, args=(stopping, taken, [*paths[number % len(paths) :], *paths], pause))
            for number in range(readers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield taken
        finally:
            stopping.set()
            for thread in threads:
                thread.join()

    def _read(
        self, stopping: threading.Event, taken: list[tuple[str, float]], paths: Sequence[str], pause: float
    ) -> None:
        for path in cycle(paths):
            start = time.perf_counter()
            with suppress(httpx.TransportError):  # one that gave up waiting asks again
                self._client.get(path, timeout=60).raise_for_status()
            taken.append((path, time.perf_counter() - start))
            if stopping.wait(pause):
                return

    def watch(
        self, since: datetime, until: datetime, emit: Callable[[], object], times: int, pause: float
    ) -> list[float]:
        """Call `emit` so many times with a pause between; return after how many seconds each of these records showed."""
        emitted: list[float] = []
        thread = threading.Thread(target=_emit, args=(emit, times, pause, emitted))
        thread.start()
        seen: list[float] = []
        end = time.monotonic() + _START_SECONDS + times * pause
        while len(seen) < times and time.monotonic() < end:
            count = self.ask(**{"from": since.isoformat(), "to": until.isoformat()})
            seen += [time.perf_counter()] * (count - len(seen))
        thread.join()
        return [shown - done for done, shown in zip(emitted, seen, strict=False)]


def _emit(emit: Callable[[], object], times: int, pause: float, emitted: list[float]) -> None:
    for _ in range(times):
        emitted.append(time.perf_counter())
        emit()
        time.sleep(pause)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
