"""Raw answers on disk: durable before anything reads them, kept until they are booked."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Capture:
    """One answer of a server on disk; `kind` says of what (`queue`, `legacy`)."""

    path: Path

    @property
    def kind(self) -> str:
        return self.path.suffix.removeprefix(".")

    @property
    def received_at(self) -> int:
        """When it began to arrive, in microseconds since 1970 UTC."""
        return int(self.path.stem.partition("-")[0]) // 1_000

    def discard(self) -> None:
        """Forget the bytes: they are booked."""
        self.path.unlink(missing_ok=True)


class Spool:
    """The captures of one instance, each a file that its writer holds locked until it is whole.

    Files are for their owner only: they hold client keys in clear until they are booked.
    """

    def __init__(self, instance_id: int) -> None:
        self._folder = settings.SPOOL_DIR / str(instance_id)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def receive(self, kind: str) -> Iterator[Receiver]:
        """Open a new capture; what was written is on disk when the block ends, also by an exception.

        It is opened before the server is asked, so that a disk that refuses us leaves the records where they are.
        """
        capture, descriptor = self._create(kind)
        try:
            yield Receiver(capture, descriptor)
        finally:
            os.fsync(descriptor)
            if not os.fstat(descriptor).st_size:
                capture.discard()
            os.close(descriptor)

    def waiting(self) -> Iterator[Capture]:
        """Yield the captures that no one else is writing or booking, oldest first, each locked until the next."""
        for path in sorted(self._folder.iterdir()):
            with _locked(path) as is_ours:
                if is_ours and not _is_abandoned(path):
                    yield Capture(path)

    def _create(self, kind: str) -> tuple[Capture, int]:
        """Return a new file, locked; one that a reader took for abandoned before we had the lock is made anew."""
        while True:
            path = self._folder / f"{time.time_ns()}-{os.getpid()}.{kind}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                _sync_folder(self._folder)
                return Capture(path), descriptor
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Writes what arrives."""

    capture: Capture
    descriptor: int

    def write(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(self.descriptor, view) :]

    def make_durable(self) -> None:
        os.fsync(self.descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of `path` if nobody else does and the file is still there; yield whether so."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0  # else: booked and removed between our look and our lock


def _is_abandoned(path: Path) -> bool:
    """Whether nothing ever arrived in it: its writer died, or holds it for a moment yet without the lock."""
    if path.stat().st_size:
        return False
    path.unlink()
    return True


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
