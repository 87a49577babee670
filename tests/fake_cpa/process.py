"""A fake CPA in a process of its own, so that a test can kill it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fake_cpa.journal import Run, read_journal

_PROJECT = Path(__file__).parents[2]


class FakeProcess:
    """`options` are those of `python -m tests.fake_cpa` without dashes: `FakeProcess(folder, rate=500, retention=60)`.

    It keeps its port and its journal over `kill` and `start`; changed `options` hold from the next start on. Use as a
    context.
    """

    def __init__(self, folder: Path, **options: str | float) -> None:
        self.options: dict[str, str | float] = {"traffic": 0, **options}
        self.journal = folder / "fake-cpa.journal"
        self.port = 0
        self.starts = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> list[Run]:
        """What every life of it did so far."""
        return read_journal(self.journal)

    def start(self) -> None:
        """Return when it listens; with traffic, records come from then on."""
        self._process = subprocess.Popen(self._command(), cwd=_PROJECT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        announcement = self._process.stdout.readline()
        if "listening" not in announcement:
            raise RuntimeError(f"the fake CPA did not start: {announcement!r}")
        self.port = int(announcement.rpartition(":")[2])
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: nothing is closed in order, nothing is written any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it in mid-air: connections stay open, new ones are accepted by the kernel, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def pause(self) -> None:
        """Emit nothing more, and answer as before."""
        self._signal(signal.SIGUSR1)

    def go_on(self) -> None:
        self._signal(signal.SIGUSR2)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def _command(self) -> list[str]:
        # Another seed for every life: no record comes twice.
        options = {"seed": self.starts + 1, **self.options, "port": self.port, "journal": str(self.journal)}
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        return [sys.executable, "-m", "tests.fake_cpa", *words]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
